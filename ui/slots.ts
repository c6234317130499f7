// SPDX-License-Identifier: Apache-2.0
// The slots that hold the firmware: which one runs, and what the bootloader thinks of each.

import type { Slot } from './documents.js';
import { byId, h, icon, type Kind, renderOnce, say } from './dom.js';

const states: Record<string, string> = {
  booted: 'running now',
  active: 'in use',
  inactive: 'not in use',
};

const kinds: Record<string, Kind> = { good: 'good', bad: 'bad' };

function itemOf({ name, bootname, state, status, version }: Slot): HTMLElement {
  const title = bootname === null || bootname === '' ? name : `${bootname} · ${name}`;
  const kind = kinds[status];
  const judged = kind === undefined ? 'not judged yet' : `marked ${status}`;
  return h(
    'li',
    { class: state },
    h('b', {}, title),
    h('span', { class: 'chip' }, states[state] ?? state),
    h('span', { class: 'judged' }, kind === undefined ? undefined : icon(kind), judged),
    h('span', { class: 'quiet' }, version === null ? 'version not known' : `version ${version}`),
  );
}

export function showSlots(slots: readonly Slot[], adapter: string): void {
  renderOnce(byId('slots'), JSON.stringify(slots), () => slots.map(itemOf));
  const none =
    adapter === 'none'
      ? 'No installer is configured.'
      : 'The installer on this device tells of no slots.';
  say('slots-note', slots.length === 0 ? none : '');
}
