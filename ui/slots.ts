// SPDX-License-Identifier: Apache-2.0
// The slots that hold the firmware: which one runs, and what the bootloader thinks of each.

import type { Slot } from './documents.js';
import { button, byId, h, icon, type Kind, renderOnce, say } from './dom.js';

const states: Record<string, string> = {
  booted: 'running now',
  active: 'in use',
  inactive: 'not in use',
};

const kinds: Record<string, Kind> = { good: 'good', bad: 'bad' };

/** Marks the slot by this path of the API. */
type OnMark = (path: string) => void;

function marksOf({ name, status }: Slot, onMark: OnMark): HTMLElement {
  const mark = (word: 'good' | 'bad', question: string): HTMLElement | undefined => {
    if (status === word) return undefined;
    const made = button(
      `Mark ${word}`,
      () => {
        if (confirm(question)) onMark(`update/slots/${encodeURIComponent(name)}/${word}`);
      },
      'small',
    );
    made.setAttribute('aria-label', `Mark ${word}: ${name}`);
    return made;
  };
  return h(
    'div',
    { class: 'actions' },
    mark('good', `Tell the boot loader to keep booting ${name}?`),
    mark('bad', `Tell the boot loader not to boot ${name} any more?`),
  );
}

function itemOf(slot: Slot, canMark: boolean, onMark: OnMark): HTMLElement {
  const { name, bootname, state, status, version } = slot;
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
    canMark ? marksOf(slot, onMark) : undefined,
  );
}

export function showSlots(slots: readonly Slot[], adapter: string, onMark: OnMark): void {
  // The only installer whose boot loader takes marks: docs/UPDATES.md.
  const canMark = adapter === 'rauc';
  const make = (): HTMLElement[] => slots.map((slot) => itemOf(slot, canMark, onMark));
  renderOnce(byId('slots'), JSON.stringify(slots), make);
  const none =
    adapter === 'none'
      ? 'No installer is configured.'
      : 'The installer on this device tells of no slots.';
  say('slots-note', slots.length === 0 ? none : '');
}
