// SPDX-License-Identifier: Apache-2.0
// The few words in which the page speaks to the document. Text only: nothing is ever parsed as HTML.

import { visible } from '../src/base/visible.js';

export function byId<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`index.html has no #${id}`);
  return found as unknown as T;
}

/** Touches the document only where the text differs, so that nobody's selection is lost. */
export function say(id: string, text: string): void {
  const target = byId(id);
  const shown = visible(text);
  if (target.textContent !== shown) target.textContent = shown;
}

type Child = Node | string | undefined;

/** An element. `class` and other attributes by name; an undefined one is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  for (const child of children) {
    if (child !== undefined) element.append(typeof child === 'string' ? visible(child) : child);
  }
  return element;
}

const svgSpace = 'http://www.w3.org/2000/svg';

export function svg(tag: string, attributes: Readonly<Record<string, string>> = {}): SVGElement {
  const element = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export type Kind = 'good' | 'warn' | 'bad' | 'lock' | 'file';

/** For the eyes alone: the words beside it say the same. */
export function icon(kind: Kind): SVGElement {
  const drawn = svg('svg', { class: `icon ${kind}`, 'aria-hidden': 'true' });
  drawn.append(svg('use', { href: `#icon-${kind}` }));
  return drawn;
}

export function button(label: string, onClick: () => void, kind = ''): HTMLButtonElement {
  const made = h('button', { type: 'button', class: `button ${kind}`.trim() }, label);
  made.addEventListener('click', onClick);
  return made;
}

/** Replaces the children only when `key` is another than last time: the focus stays where it is. */
export function renderOnce(parent: HTMLElement, key: string, make: () => Child[]): void {
  if (parent.dataset.key === key) return;
  parent.dataset.key = key;
  parent.replaceChildren(...make().filter((child) => child !== undefined));
}

const announcementsMax = 5;

/** To screen readers, when they have finished what they say. */
export function announce(text: string): void {
  const announcer = byId('announcer');
  announcer.append(h('span', {}, `${text} `));
  while (announcer.childElementCount > announcementsMax) announcer.firstElementChild?.remove();
}
