// SPDX-License-Identifier: Apache-2.0
// The figures of the status: tiles, plots, encryption, connections, health.

import type { Status } from './documents.js';
import { byId, h, renderOnce, say } from './dom.js';
import { bytes, commonName, count, duration, nonZero, number, rate, sum } from './format.js';
import { Plot } from './plot.js';
import { watchedWords } from './verdict.js';

const fallbackWords: Record<string, string> = {
  off_by_configuration: 'switched off',
  kernel_has_no_tls: 'for the kernel has no TLS',
  cipher_refused: 'for the kernel refused the cipher',
  peer_closed: 'for the peer had gone',
  not_quiescent: 'for bytes were under way',
  install_failed: 'for the keys could not be installed',
  fragment_length: 'for the client takes only short records',
  suspended: 'while suspended',
};

/** The states of native/conn in the words of an operator, in the order of a connection's life. */
const stateGroups: [string, string[]][] = [
  ['Handshake', ['handshake']],
  ['Waiting for a request', ['read_head', 'await_streams']],
  ['Receiving', ['read_body', 'receive']],
  ['Opening a file', ['open_file']],
  ['With an application behind', ['connect', 'exchange', 'tunnel']],
  ['Sending', ['respond', 'splice']],
  ['With HTTP/2 requests', ['streams']],
  ['Delivering the rest', ['close_notify', 'settle', 'linger']],
  ['Closing', ['join']],
];

/** States that have a row of their own by their name: those that this page does not know. */
function rowsOf(byState: Record<string, number>): [string, number][] {
  const known = new Set(stateGroups.flatMap(([, states]) => states));
  const rows = stateGroups.map(([name, states]): [string, number] => [
    name,
    states.reduce((total, state) => total + (byState[state] ?? 0), 0),
  ]);
  const others = Object.entries(byState).filter(([state]) => !known.has(state));
  return [...rows, ...others.map(([s, n]): [string, number] => [s.replaceAll('_', ' '), n])];
}

function offloadWords({ mode, kernel, suspended, promoted }: Status['offload']): string {
  if (mode === 'off') return 'User space encrypts: kernel TLS is switched off by tls.offload.';
  if (kernel !== 'available') return `User space encrypts: ${kernel}.`;
  if (suspended !== '') return `User space encrypts, for kernel TLS is suspended: ${suspended}`;
  return sum(promoted) > 0
    ? 'The kernel encrypts.'
    : 'The kernel can encrypt; no connection has used it yet.';
}

function driverWords(driver: Status['offload']['driver']): string {
  if (driver === null) return 'none known';
  return `${driver.name}, ${driver.async ? 'asynchronous' : 'synchronous'}`;
}

function showEncryption({ offload, ring }: Status): void {
  const { mode, kernel, suspended, driver, promoted, fallbacks, cipherFailures } = offload;
  const isKernel = mode === 'auto' && kernel === 'available' && suspended === '';
  say('offload', offloadWords(offload));
  say('driver', driverWords(driver));
  say('promoted', nonZero(promoted, 'no connection yet'));
  say('fallbacks', nonZero(fallbacks, 'no connection', fallbackWords));
  const { encrypt = 0, decrypt = 0 } = cipherFailures ?? {};
  say('cipher-failures', nonZero({ encrypting: encrypt, decrypting: decrypt }, 'none'));
  say('ring', ring.backend);
  say('tile-cipher', isKernel ? 'Kernel' : 'User space');
  say('tile-cipher-note', isKernel ? (driver?.name ?? 'driver not known') : 'why: see Encryption');
}

/** One for each processor, as a rule: are all of them at work? */
function engineWords({ engines }: Status): string {
  if (engines === undefined) return '–';
  const { each, hanging } = engines;
  const shares = each.map(({ connections }) => number(connections)).join(' + ');
  const words = each.length === 1 ? '1' : `${each.length}, with ${shares} connections`;
  return hanging === 0 ? words : `${words}; ${hanging} more wait for the crypto engine`;
}

function showConnections(status: Status): void {
  const { connections, tls } = status;
  const rows = rowsOf(connections.byState);
  const most = Math.max(connections.open, 1);
  renderOnce(byId('states'), JSON.stringify([rows, most]), () =>
    rows.map(([name, value]) => {
      const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
      // By the object model: the policy forbids attributes of style.
      bar.style.inlineSize = `${(100 * value) / most}%`;
      const shown = h('span', { class: 'bar-track' }, bar);
      const kind = value === 0 ? 'none' : undefined;
      return h('li', { class: kind }, h('span', {}, name), shown, h('b', {}, number(value)));
    }),
  );
  const { accepted, shed, evicted = 0 } = connections;
  const turned = nonZero({ turned_away: shed, made_room: evicted }, '');
  say('engines', engineWords(status));
  say('accepted', turned === '' ? number(accepted) : `${number(accepted)}; ${turned}`);
  const { full = 0, resumed = 0 } = tls.handshakes;
  say('handshakes', `${number(full)} full, ${number(resumed)} resumed`);
  say('failures', nonZero(tls.failures, 'none'));
  const { failing = [], threads: _, ...signatures } = tls.signatures ?? {};
  say('signatures', nonZero({ ...signatures, keys_failing: failing.length }, 'none'));
  say('floods', nonZero(tls.floods ?? {}, 'none'));
  say('tile-open', number(connections.open));
  say('tile-open-note', `${number(accepted)} since the start`);
}

function showHealth({ watchdog, canary, accelerator, offload }: Status): void {
  const missing = watchdog?.missing ?? [];
  say(
    'watchdog',
    watchdog === undefined
      ? 'systemd does not watch'
      : missing.length === 0
        ? 'attested'
        : `withheld for: ${missing.map(watchedWords).join(', ')}`,
  );
  const hasRun = canary !== undefined && canary.ok + canary.failed > 0;
  say(
    'canary',
    hasRun ? `${number(canary.ok)} passed, ${number(canary.failed)} failed` : 'not yet',
  );
  const by = canary?.lastCipher === 'kernel' ? 'by the kernel' : 'by user space';
  say('canary-last', hasRun ? `${number(canary.lastMs)} ms, encrypted ${by}` : '–');
  const suspended = offload.suspended || (accelerator?.suspended ? accelerator.reason : '');
  say('accelerator', suspended === '' ? 'not suspended' : `suspended: ${suspended}`);
  const isWell = missing.length === 0 && suspended === '' && (canary?.failed ?? 0) === 0;
  say(
    'health',
    isWell
      ? 'The service answers its own requests, whole and right.'
      : 'The service has found a fault in itself.',
  );
}

function showCertificateTile({ certificates = [] }: Status): void {
  const ends = certificates.flatMap(({ daysLeft, subject }) =>
    typeof daysLeft === 'number' ? [{ daysLeft, subject: subject ?? '' }] : [],
  );
  const first = ends.sort((a, b) => a.daysLeft - b.daysLeft)[0];
  if (first === undefined) {
    say('tile-certificate', '–');
    say('tile-certificate-note', certificates.length > 0 ? 'the clock is not set' : '');
    return;
  }
  const { daysLeft, subject } = first;
  const isOver = daysLeft < 0;
  say('tile-certificate', isOver ? 'Ended' : count(daysLeft, 'day'));
  const when = isOver ? `${count(-daysLeft, 'day')} ago` : 'left';
  say('tile-certificate-note', `${when}, ${commonName(subject)}`);
}

function showTraffic({ bytes: transferred, requests, pending, drains }: Status): void {
  const { plaintextSent, spliced, received } = transferred;
  const share = plaintextSent > 0 ? ` (${Math.round((100 * spliced) / plaintextSent)} %)` : '';
  say('sent', bytes(plaintextSent));
  say('received', bytes(received));
  say('by-splice', `${bytes(spliced)}${share}`);
  const { total, byStatus } = requests;
  say('requests', total === 0 ? 'none' : `${number(total)} (${byCode(byStatus)})`);
  say('pending', bytes(pending.bytes));
  say('pending-max', `${bytes(pending.bytesMax)} of ${bytes(pending.windowBytes)}`);
  say('pauses', count(pending.pauses, 'time'));
  const { drained, aborted, peerGone, inProgress } = drains;
  const others = nonZero({ aborted, left_by_the_peer: peerGone, in_progress: inProgress }, '');
  say('drains', others === '' ? number(drained) : `${number(drained)}; ${others}`);
}

/** "200: 166,310" of each status that there was. */
function byCode(byStatus: Record<string, number>): string {
  const rows = Object.entries(byStatus).filter(([, value]) => value > 0);
  return rows.map(([code, value]) => `${code}: ${number(value)}`).join(', ');
}

export class Figures {
  readonly #rate = new Plot(byId('rate-plot'), {
    names: ['Sent', 'Received'],
    format: rate,
    topMin: 10_240,
  });
  readonly #pending = new Plot(byId('pending-plot'), {
    names: ['Waiting for encryption'],
    format: bytes,
    topMin: 10_240,
  });
  #previous: { sent: number; received: number; uptimeMs: number } | undefined;

  show(status: Status): void {
    showTraffic(status);
    this.#showRate(status);
    this.#pending.push(status.pending.bytes);
    showEncryption(status);
    showConnections(status);
    showHealth(status);
    showCertificateTile(status);
    say('software', `spliced ${status.version}, up for ${duration(status.uptimeMs)}.`);
    const files = status.configuration ?? [];
    say(
      'configuration',
      files.length > 0 ? `Configured by ${files.join(', ')}.` : 'Configured by defaults alone.',
    );
  }

  #showRate({ bytes: { plaintextSent: sent, received }, uptimeMs }: Status): void {
    const previous = this.#previous;
    this.#previous = { sent, received, uptimeMs };
    if (previous === undefined) return;
    if (uptimeMs < previous.uptimeMs) {
      this.#rate.clear();
      this.#pending.clear();
      return;
    }
    if (uptimeMs === previous.uptimeMs || sent < previous.sent) return;
    const perS = (bytesNow: number, before: number): number =>
      (Math.max(bytesNow - before, 0) * 1000) / (uptimeMs - previous.uptimeMs);
    const [out, into] = [perS(sent, previous.sent), perS(received, previous.received)];
    this.#rate.push(out, into);
    say('rate', rate(out));
    say('rate-in', rate(into));
    say('tile-rate', rate(out));
    say('tile-rate-note', `sent; ${rate(into)} received`);
  }
}
