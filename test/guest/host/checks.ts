// SPDX-License-Identifier: Apache-2.0
// What the report of a case must say. Counts, never times. Used by the tests of guests and boards.
import type { Test } from 'tap';
import type { Case } from './run-guests.js';

const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Every download ended as its profile says; the server aborted the stalled ones and no other. */
export function checkDownloads(t: Test, result: Case): void {
  t.equal(result.error, undefined, 'the case ran to its end');
  t.same(result.outcomes, result.expected, 'every download ended as its profile says');
  t.equal(result.clientErrors, '', 'the client ran to its end');
  t.equal(result.exitCode, 0, "the server's exit code");
  t.equal(result.stopped?.aborted, 0, 'nothing was aborted by the stop');
  const stalled = result.expected?.reset_after_stall ?? 0;
  t.equal(
    result.status?.drains.aborted,
    stalled,
    'drains.aborted counts the stalled readers alone',
  );
  t.equal(result.status?.pending.contradictions, 0, "the kernel's figures agree with the ledger");
}

/** All that was active at the SIGTERM was drained. */
export function checkStop(t: Test, result: Case): void {
  const active = result.active ?? Number.POSITIVE_INFINITY;
  const drained = result.stopped?.drained ?? 0;
  t.ok(drained >= active, `${drained} drained by the stop; ${active} were active`);
}

/** The connections were promoted to kernel TLS, by the cipher and the ring that the case is about. */
export function checkOffload(t: Test, name: string, result: Case, isAsync: boolean): void {
  const status = result.status;
  if (status === undefined) {
    t.fail('no status');
    return;
  }
  const { promoted, fallbacks, ciphers, driver } = status.offload;
  t.equal(status.ring.backend, name.startsWith('epoll') ? 'epoll' : 'io_uring', 'ring');
  t.equal(driver.async, isAsync, `driver ${driver.name}`);
  if (name === 'off') {
    t.equal(sum(promoted), 0, 'nothing is promoted');
    t.ok((fallbacks.off_by_configuration ?? 0) > 0, 'off by configuration');
    return;
  }
  const cipher = { aes256: 'AES-256-GCM', chacha20: 'CHACHA20-POLY1305' }[name] ?? 'AES-128-GCM';
  const tried = ciphers.filter((entry) => entry.cipher === cipher);
  t.equal(tried.length, 2, `${cipher} was probed for TLS 1.2 and 1.3`);
  for (const { version, tx } of tried) {
    // A kernel without the cipher is told apart, and its downloads were complete all the same.
    if (tx) t.ok((promoted[`${version} ${cipher}`] ?? 0) > 0, `${version} ${cipher} was promoted`);
    else t.ok((fallbacks.cipher_refused ?? 0) > 0, `${version} ${cipher} is not in this kernel`);
  }
  if (tried.every(({ tx }) => tx)) t.equal(sum(fallbacks), 0, 'no fallbacks');
}

/** Large bodies came straight from the page cache, or through the ring's workers and a pipe. */
function checkSource(t: Test, name: string, result: Case): void {
  const coldFills = result.status?.files.coldFills ?? -1;
  if (name.endsWith(' cold')) t.ok(coldFills > 0, `${coldFills} pieces were read by the ring`);
  else t.equal(coldFills, 0, 'nothing was read by the ring');
}

/** The control experiment failed as it must: else the conditions prove nothing. */
export function checkControl(t: Test, result: Case): void {
  t.equal(result.error, undefined, 'the case ran to its end');
  const truncated = result.outcomes?.truncated ?? 0;
  t.ok(truncated > 0, `the naive server truncated ${truncated} of ${result.expected?.complete}`);
  t.equal(result.outcomes?.corrupt ?? 0, 0, 'and corrupted nothing: its keys are right');
}

/** All that a case of the matrix must say; of one that does not, the downloads concerned and the log. */
export function checkCase(t: Test, name: string, result: Case, isAsync: boolean): void {
  if (name === 'naive') checkControl(t, result);
  else {
    checkDownloads(t, result);
    if (name === 'stop') checkStop(t, result);
    if (name === 'queue') t.ok((result.dropped ?? 0) > 0, `the queue dropped ${result.dropped}`);
    checkOffload(t, name, result, isAsync);
    checkSource(t, name, result);
  }
  if (t.passing()) return;
  for (const download of result.offending ?? []) t.comment(JSON.stringify(download));
  t.comment(`The server's log ends:\n${(result.log ?? []).join('\n')}`);
}
