// SPDX-License-Identifier: Apache-2.0
// What an operator should know before any figure: is all well, and if not, what is the matter.

import type { CertificateEntry, Status, Update } from './documents.js';
import { announce, byId, h, icon, renderOnce, say } from './dom.js';
import { commonName, count } from './format.js';

/** What the watchdog asks for, in the words of this page. */
export const watchedWords = (name: string): string =>
  name === 'canary' ? 'the self-test' : name.replaceAll('_', ' ');

export interface Matter {
  kind: 'warn' | 'bad';
  text: string;
  /** The section that has more. */
  place: string;
}

function* ofEncryption({ offload, accelerator }: Status): Generator<Matter> {
  const place = 'engine';
  const failures = (offload.cipherFailures?.encrypt ?? 0) + (offload.cipherFailures?.decrypt ?? 0);
  if (failures > 0) {
    const text = `The cipher has failed: ${count(failures, 'connection')} ended for it.`;
    yield { kind: 'bad', place, text };
  }
  const suspended = offload.suspended || (accelerator?.suspended ? accelerator.reason : '');
  if (suspended !== '') {
    yield { kind: 'bad', place, text: `Kernel TLS is suspended: ${suspended}` };
  } else if (offload.mode === 'off') {
    yield { kind: 'warn', place, text: 'Kernel TLS is switched off by the configuration.' };
  } else if (offload.kernel !== 'available') {
    yield { kind: 'warn', place, text: `User space encrypts: ${offload.kernel}.` };
  }
}

function* ofKeys({ tls }: Status): Generator<Matter> {
  for (const { key, reason } of tls.signatures?.failing ?? []) {
    yield { kind: 'bad', place: 'engine', text: `The key ${key} does not sign: ${reason}` };
  }
}

function* ofDelivery({ pending, drains, connections }: Status): Generator<Matter> {
  if (pending.contradictions > 0) {
    const text = `The kernel’s accounts contradicted themselves ${count(pending.contradictions, 'time')}.`;
    yield { kind: 'bad', place: 'traffic', text };
  }
  if (pending.stuck > 0) {
    const text = `The cipher owes bytes to ${count(pending.stuck, 'connection')} and does not complete.`;
    yield { kind: 'bad', place: 'traffic', text };
  }
  if (drains.aborted > 0) {
    const text = `${count(drains.aborted, 'connection')} ended before all was delivered.`;
    yield { kind: 'warn', place: 'traffic', text };
  }
  if (connections.shed > 0) {
    yield {
      kind: 'warn',
      place: 'engine',
      text: `${count(connections.shed, 'connection')} turned away.`,
    };
  }
}

function* ofHealth({ watchdog, canary }: Status): Generator<Matter> {
  const missing = watchdog?.missing ?? [];
  if (missing.length > 0) {
    yield {
      kind: 'bad',
      place: 'engine',
      text: `The watchdog waits for: ${missing.map(watchedWords).join(', ')}.`,
    };
  }
  if (canary !== undefined && canary.failed > 0) {
    const text = `The self-test has failed ${count(canary.failed, 'time')}: ${canary.lastError}`;
    yield { kind: 'warn', place: 'engine', text };
  }
}

function* ofCertificates(entries: readonly CertificateEntry[]): Generator<Matter> {
  for (const { subject, source, warning, lastError, daysLeft } of entries) {
    const name = subject === undefined ? source : commonName(subject);
    const isOver = typeof daysLeft === 'number' && daysLeft < 0;
    if (warning) {
      yield { kind: isOver ? 'bad' : 'warn', place: 'certificates', text: `${name}: ${warning}` };
    }
    if (lastError) yield { kind: 'warn', place: 'certificates', text: `${name}: ${lastError}` };
  }
}

function* ofUpdate(update: Update | undefined): Generator<Matter> {
  const place = 'update';
  for (const { name, status } of update?.slots ?? []) {
    if (status === 'bad') yield { kind: 'warn', place, text: `Slot ${name} is marked bad.` };
  }
  if (update?.state === 'failed') {
    yield {
      kind: 'warn',
      place,
      text: `The last update failed: ${update.error ?? 'no reason given'}`,
    };
  }
}

/** The worst first. */
export function mattersOf(status: Status, update: Update | undefined): Matter[] {
  const all = [
    ...ofEncryption(status),
    ...ofKeys(status),
    ...ofDelivery(status),
    ...ofHealth(status),
    ...ofCertificates(status.certificates ?? []),
    ...ofUpdate(update),
  ];
  return all.sort((a, b) => Number(b.kind === 'bad') - Number(a.kind === 'bad'));
}

function itemOf({ kind, text, place }: Matter): HTMLElement {
  const word = h('span', { class: 'unseen' }, kind === 'bad' ? 'Fault: ' : 'Warning: ');
  return h('li', {}, icon(kind), h('a', { href: `#${place}` }, word, text));
}

/** The device does not answer: what is shown below is what it last said. */
export function showLost(what: string, lastAt: Date | undefined): void {
  byId('verdict-card').dataset.kind = 'bad';
  byId('verdict-icon').setAttribute('href', '#icon-bad');
  say('verdict', what);
  const time = lastAt?.toLocaleTimeString('en-GB');
  say('verdict-note', time === undefined ? '' : `What is shown below is from ${time}.`);
  byId('findings').hidden = true;
}

export function showVerdict(status: Status, update: Update | undefined): void {
  const matters = mattersOf(status, update);
  const kind = matters[0]?.kind ?? 'good';
  const card = byId('verdict-card');
  const text =
    kind === 'good'
      ? 'All is well'
      : kind === 'warn'
        ? `${count(matters.length, 'thing')} to look at`
        : 'Needs attention';
  if (card.dataset.kind !== kind && card.dataset.kind !== 'waiting') announce(text);
  card.dataset.kind = kind;
  byId('verdict-icon').setAttribute('href', `#icon-${kind}`);
  say('verdict', text);
  say(
    'verdict-note',
    kind === 'good'
      ? 'Every response was delivered, the service answers to itself, and its certificates are in order.'
      : '',
  );
  const list = byId('findings');
  list.hidden = matters.length === 0;
  renderOnce(list, JSON.stringify(matters), () => matters.map(itemOf));
}
