// SPDX-License-Identifier: Apache-2.0
// The certificates that are served, how long they last, and the upload of another.

import { change, Refusal, read, reasonOf } from './api.js';
import type { CertificateEntry, Certificates, Finding } from './documents.js';
import { button, byId, h, icon, renderOnce } from './dom.js';
import { commonName, count, day } from './format.js';
import { lockNote, type Session } from './session.js';

const sources: Record<string, string> = {
  device: 'The device’s own, by its own authority',
  enrolment: 'Enrolled',
  uploaded: 'Uploaded',
};
const namesShown = 4;
const soonDays = 30;
/** A chain of PEM, and what the API takes. */
const fileBytesMax = 60 * 1024;
const refreshMs = 60_000;

const findingWords: Record<Finding['kind'], string> = {
  bad: 'Cannot be used',
  mismatch: 'Does not fit',
  date: 'Out of date',
  warning: 'Note',
};

function namesOf({ names, sans }: CertificateEntry): HTMLElement | undefined {
  const all = (sans ?? names ?? []).map((name) => name.replace(/^(DNS|IP Address):/, ''));
  if (all.length === 0) return undefined;
  const more = all.slice(namesShown);
  const list = h('p', { class: 'names' }, all.slice(0, namesShown).join(', '));
  if (more.length > 0) {
    const summary = h('summary', {}, `and ${more.length} more`);
    return h(
      'div',
      {},
      list,
      h('details', {}, summary, h('p', { class: 'names' }, more.join(', '))),
    );
  }
  return list;
}

function daysOf({ daysLeft, notAfter }: CertificateEntry): HTMLElement {
  if (typeof daysLeft !== 'number') {
    return h('div', { class: 'days' }, h('b', {}, '?'), h('span', {}, 'the clock is not set'));
  }
  const kind = daysLeft < 0 ? 'bad' : daysLeft <= soonDays ? 'warn' : 'good';
  const text = daysLeft < 0 ? `${count(-daysLeft, 'day')} ago` : 'days left';
  const until = notAfter === undefined ? '' : `${daysLeft < 0 ? 'on' : 'until'} ${day(notAfter)}`;
  return h(
    'div',
    { class: `days ${kind}` },
    h('b', {}, daysLeft < 0 ? 'Ended' : String(daysLeft)),
    h('span', {}, text),
    h('span', { class: 'quiet' }, until),
  );
}

/** `onRemove`: undefined for whoever may not. */
function entryOf(entry: CertificateEntry, onRemove: (() => void) | undefined): HTMLElement {
  const { source, subject, fingerprint, warning, lastError, isSelfSigned, more } = entry;
  if (more !== undefined) return h('li', {}, h('p', {}, `and ${more} more: sign in to see them`));
  const what = sources[source] ?? `From the file of ${source}`;
  const signed = isSelfSigned === true ? `${what}, self-signed` : what;
  const remove =
    source === 'uploaded' && onRemove !== undefined
      ? button('Remove', onRemove, 'small')
      : undefined;
  const print =
    fingerprint === undefined
      ? undefined
      : h(
          'details',
          {},
          h('summary', {}, 'SHA-256 fingerprint'),
          h('code', { class: 'print' }, fingerprint),
        );
  const body = h(
    'div',
    { class: 'certificate' },
    h('h3', {}, subject === undefined ? what : commonName(subject)),
    h('p', { class: 'quiet' }, signed),
    namesOf(entry),
    warning ? h('p', { class: 'trouble' }, icon('warn'), warning) : undefined,
    lastError ? h('p', { class: 'trouble' }, icon('warn'), lastError) : undefined,
    print,
    remove,
  );
  return h('li', {}, daysOf(entry), body);
}

function findingsOf(findings: readonly Finding[]): HTMLElement {
  const items = findings.map(({ kind, text }) =>
    h(
      'li',
      {},
      icon(kind === 'warning' ? 'warn' : 'bad'),
      h('span', {}, h('b', {}, `${findingWords[kind]}: `), text),
    ),
  );
  return h('ul', { class: 'findings' }, ...items);
}

export class CertificatesView {
  readonly #session: Session;
  #isDetailed = false;

  constructor(session: Session) {
    this.#session = session;
    byId('install').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#install();
    });
    lockNote(byId('install-locked'), 'install a certificate', () => session.ask());
    setInterval(() => {
      if (!document.hidden && session.access === 'granted') void this.refresh();
    }, refreshMs);
  }

  accessChanged(): void {
    const isOpen = this.#session.access === 'granted';
    byId('install-locked').hidden = isOpen;
    byId('install').hidden = !isOpen;
    if (isOpen) void this.refresh();
    else this.#isDetailed = false;
  }

  /** What the status has of them, for those who may not see more. */
  showBrief(entries: readonly CertificateEntry[]): void {
    if (!this.#isDetailed) this.#show(entries);
  }

  async refresh(): Promise<void> {
    try {
      this.#take(await read<Certificates>('certificates'));
    } catch (error) {
      this.#session.refused(error);
    }
  }

  #take({ served, waiting }: Certificates): void {
    this.#isDetailed = true;
    this.#show([...served, ...waiting]);
  }

  #show(entries: readonly CertificateEntry[]): void {
    const onRemove = this.#session.may('administer') ? () => void this.#remove() : undefined;
    renderOnce(byId('served'), JSON.stringify([entries, onRemove !== undefined]), () =>
      entries.map((entry) => entryOf(entry, onRemove)),
    );
  }

  async #install(): Promise<void> {
    const [chainFile, keyFile] = ['chain', 'key'].map(
      (id) => byId<HTMLInputElement>(id).files?.[0],
    );
    const send = byId<HTMLButtonElement>('install-button');
    if (chainFile === undefined) return;
    if (chainFile.size + (keyFile?.size ?? 0) > fileBytesMax) {
      this.#say('bad', 'These files are too large: a chain and its key in PEM have some KiB.');
      return;
    }
    send.disabled = true;
    this.#say(undefined, 'Checking…');
    try {
      const chain = await chainFile.text();
      const key = keyFile === undefined ? {} : { privateKey: await keyFile.text() };
      const answer = await change<{ findings: Finding[]; isDefault: boolean }>(
        'PUT',
        'certificates/uploaded',
        { chain, ...key },
      );
      const what = answer.isDefault
        ? 'Installed. New connections get it; your browser may ask you about it.'
        : 'Installed, for clients that ask for its names; the certificate of the configuration stays the default.';
      this.#say('good', what, answer.findings);
      byId<HTMLFormElement>('install').reset();
    } catch (error) {
      this.#session.refused(error);
      const findings = error instanceof Refusal ? (error.problem.findings ?? []) : [];
      const text = findings.length > 0 ? 'Nothing was changed.' : reasonOf(error);
      this.#say('bad', text, findings);
    } finally {
      send.disabled = false;
    }
    void this.refresh();
  }

  async #remove(): Promise<void> {
    if (!confirm('Forget the uploaded certificate and its key?')) return;
    try {
      this.#take(await change<Certificates>('DELETE', 'certificates/uploaded'));
      this.#say('good', 'The uploaded certificate is forgotten.');
    } catch (error) {
      this.#session.refused(error);
      this.#say('bad', reasonOf(error));
    }
  }

  #say(kind: 'good' | 'bad' | undefined, text: string, findings: readonly Finding[] = []): void {
    const head = h('p', { class: 'result' }, kind ? icon(kind) : undefined, h('span', {}, text));
    const all = findings.length > 0 ? [head, findingsOf(findings)] : [head];
    byId('install-result').replaceChildren(...all);
  }
}
