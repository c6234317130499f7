// SPDX-License-Identifier: Apache-2.0
// The way to the sections: where it is wider than the screen, an arrow at the edge shows that it goes
// on, and goes there; and the section that is read is marked, and kept in sight. By the keyboard the
// links themselves are reached, so the arrows are for eyes and pointers alone.

import { byId } from './dom.js';

/** Of the width that is seen, with each press. */
const stepShare = 0.7;
/** A section is read once it begins above this part of the screen. */
const upperShare = 0.4;

function showEdges(list: HTMLElement): void {
  const { scrollLeft, scrollWidth, clientWidth } = list;
  byId('sections-back').hidden = scrollLeft < 1;
  byId('sections-on').hidden = scrollLeft + clientWidth > scrollWidth - 1;
}

/** The last that begins in the upper part of the screen; at both ends of the page, what is there. */
function sectionInSight(sections: readonly Element[]): Element | undefined {
  const { scrollHeight, clientHeight } = document.documentElement;
  if (scrollY === 0) return sections[0];
  if (scrollY + clientHeight >= scrollHeight - 1) return sections.at(-1);
  const line = upperShare * clientHeight;
  return sections.findLast((one) => one.getBoundingClientRect().top < line) ?? sections[0];
}

function markSection(list: HTMLElement, id: string | undefined): void {
  for (const link of list.querySelectorAll('a')) {
    const isCurrent = link.hash === `#${id}`;
    if (isCurrent === link.hasAttribute('aria-current')) continue;
    if (!isCurrent) link.removeAttribute('aria-current');
    else {
      link.setAttribute('aria-current', 'true');
      const middle = link.offsetLeft - (list.clientWidth - link.clientWidth) / 2;
      list.scrollTo({ left: middle });
    }
  }
}

export function watchSections(): void {
  const list = byId('sections');
  const show = (): void => showEdges(list);
  list.addEventListener('scroll', show, { passive: true });
  const sizes = new ResizeObserver(show);
  sizes.observe(list);
  // A face that comes later, or larger text, changes the links and not the list.
  for (const link of list.children) sizes.observe(link);
  for (const [id, way] of [
    ['sections-back', -1],
    ['sections-on', 1],
  ] as const) {
    byId(id).addEventListener('click', () =>
      list.scrollBy({ left: way * stepShare * list.clientWidth }),
    );
  }
  const sections = [...document.querySelectorAll('main > section')];
  const mark = (): void => markSection(list, sectionInSight(sections)?.id);
  document.addEventListener('scroll', mark, { passive: true });
  mark();
}
