// SPDX-License-Identifier: Apache-2.0
// What a role may on this page: a part that needs another one is disabled and says why, a single button
// is left out. The device refuses it all the same.

import type { Role, Who } from './documents.js';
import { h, icon } from './dom.js';

/** Each may what those before it may. */
export const roles: readonly Role[] = ['view', 'operate', 'administer'];

export const mayAs = (role: Role, wanted: Role): boolean =>
  roles.indexOf(role) >= roles.indexOf(wanted);

function noteOf(wanted: string, role: string): HTMLElement {
  const text = `This needs the role “${wanted}”, and yours is “${role}”.`;
  return h('p', { class: 'limit' }, icon('lock'), h('span', {}, text));
}

/** Left out for whoever may not. */
export function forRole<T extends HTMLElement>(wanted: Role, made: T): T {
  made.dataset.role = wanted;
  return made;
}

/** Of everything in the page that has a role of its own. */
export function showLimits({ role }: Who): void {
  for (const part of document.querySelectorAll<HTMLElement>('[data-role]')) {
    const wanted = part.dataset.role as Role;
    const isShort = role !== null && !mayAs(role, wanted);
    if (!(part instanceof HTMLFieldSetElement)) {
      part.hidden = isShort;
      continue;
    }
    part.disabled = isShort;
    part.querySelector(':scope > .limit')?.remove();
    if (isShort) part.prepend(noteOf(wanted, role));
  }
}
