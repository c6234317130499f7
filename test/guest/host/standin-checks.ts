// SPDX-License-Identifier: Apache-2.0
// What the reports of the stand-in's cases must say. Counts and order; the only times are deadlines
// that the product promises. Used by standin.test.ts.
import type { Test } from 'tap';

interface Run {
  expected: Record<string, number>;
  outcomes: Record<string, number>;
  offending: unknown[];
  clientErrors: string;
  engine?: Record<string, number>;
  cipherFailures?: { encrypt: number; decrypt: number };
}

interface Status {
  offload: {
    driver: { name: string; async: boolean };
    promoted: Record<string, number>;
    fallbacks: Record<string, number>;
    cipherFailures: { encrypt: number; decrypt: number };
    suspended: string;
  };
  drains: { aborted: number };
  pending: { contradictions: number };
  accelerator: { suspended: boolean; suspensions: number; reason: string };
  engines?: { replaced: number; hanging: number; connectionsHanging: number };
}

// Of all cases, so that each may have what it needs.
export interface StandinCase {
  error?: string;
  log?: string[];
  exitCode?: number | null;
  stopped?: { level: string; aborted: number; reason?: string };
  status?: Status;
  events?: { event: string; level: string; reason?: string }[];
  runs?: Record<string, Run>;
  '4096'?: { status: Status; exitCode: number | null };
  '16384'?: { status: Status; exitCode: number | null };
  suspended?: Status;
  hanging?: Status;
  hangingLater?: Status;
  meanwhile?: Run;
  held?: Run;
  after?: Run;
  outcomes?: Record<string, number>;
  engine?: Record<string, number>;
  endedMs?: number;
  isPortFree?: boolean | string;
}

const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Every download is there to its last byte, with the right SHA-256. */
function allComplete(t: Test, name: string, run: Run | undefined): void {
  t.same(run?.outcomes, run?.expected, `${name}: all complete`);
  t.equal(run?.clientErrors, '', `${name}: the client ran to its end`);
  for (const download of run?.offending ?? []) t.comment(`${name}: ${JSON.stringify(download)}`);
}

/** It was given to the engine, and the engine gave it back. */
function wentThrough(t: Test, name: string, counts: Record<string, number> = {}): void {
  const { submitted = 0, inflight } = counts;
  t.ok(submitted > 0, `${name}: ${submitted} records went through the engine`);
  t.equal(inflight, 0, `${name}: and came back`);
}

function checkDriver(t: Test, status: Status | undefined): void {
  const driver = { name: 'gcm-aes-caam-standin', async: true };
  t.match(status?.offload.driver, driver, 'the status names the driver');
  t.equal(status?.pending.contradictions, 0, "the kernel's figures agree with the ledger");
}

function nothingLost(t: Test, result: StandinCase): void {
  for (const [name, run] of Object.entries(result.runs ?? {})) {
    allComplete(t, name, run);
    wentThrough(t, name, run.engine);
    const { backlogged = 0 } = run.engine ?? {};
    if (/^ring of/.test(name)) t.ok(backlogged > 0, `${name}: ${backlogged} had to wait`);
    else t.equal(backlogged, 0, `${name}: none had to wait`);
  }
  for (const buffers of ['4096', '16384'] as const) {
    const { status, exitCode } = result[buffers] ?? {};
    checkDriver(t, status);
    t.equal(status?.drains.aborted, 0, 'nothing was aborted');
    t.equal(sum(status?.offload.fallbacks ?? { none: 1 }), 0, 'no fallbacks');
    t.same(status?.offload.cipherFailures, { encrypt: 0, decrypt: 0 });
    t.equal(exitCode, 0, "the server's exit code");
  }
}

/** What failed is visible to the client, and counted; the rest is whole. */
function failures(t: Test, result: StandinCase): void {
  let before = 0;
  for (const [name, run] of Object.entries(result.runs ?? {})) {
    const { failed = 0, refused = 0, inflight } = run.engine ?? {};
    const { complete = 0, truncated = 0, failed: unserved = 0 } = run.outcomes;
    t.ok(failed + refused > 0, `${name}: ${failed} jobs failed, ${refused} were refused`);
    t.equal(inflight, 0, `${name}: all came back`);
    t.equal(complete + truncated + unserved, sum(run.expected), `${name}: visible, and in time`);
    t.same(run.clientErrors, '', `${name}: the client ran to its end`);
    const { encrypt, decrypt } = run.cipherFailures ?? { encrypt: 0, decrypt: 0 };
    t.ok(encrypt + decrypt > before, `${name}: counted`);
    // One that is answered, and then fails to say goodbye, is complete and counted.
    const ended = encrypt + decrypt - before;
    t.ok(truncated + unserved <= ended, `${name}: ${truncated + unserved} ended, ${ended} counted`);
    before = encrypt + decrypt;
  }
  allComplete(t, 'after that', result.after);
  checkDriver(t, result.status);
  t.equal(result.exitCode, 0, 'nothing was aborted by the stop');
}

const order = ({ events = [] }: StandinCase, names: string[]): string[] =>
  events.map(({ event }) => event).filter((event) => names.includes(event));

function suspendedMeanwhile(t: Test, result: StandinCase, during: Status | undefined): void {
  t.equal(during?.accelerator.suspended, true, 'the status says suspended');
  t.not(during?.offload.suspended, '', `because: ${during?.offload.suspended}`);
  allComplete(t, 'meanwhile, in user space', result.meanwhile);
  allComplete(t, 'afterwards', result.after);
  wentThrough(t, 'afterwards', result.after?.engine);
  const { status } = result;
  t.equal(status?.accelerator.suspended, false, 'and not any more');
  t.equal(status?.accelerator.suspensions, 1);
  const { suspended = 0 } = status?.offload.fallbacks ?? {};
  t.ok(suspended >= sum(result.meanwhile?.expected ?? { none: 1 }), `${suspended} fell back`);
  t.equal(result.exitCode, 0, "the server's exit code");
}

function wrongBytes(t: Test, result: StandinCase): void {
  suspendedMeanwhile(t, result, result.suspended);
  t.equal(result.meanwhile?.engine?.submitted, 0, 'the engine was left alone');
  const told = ['accelerator_suspended', 'accelerator_resumed'];
  t.same(order(result, told), told, 'the log told both');
}

function shortStall(t: Test, result: StandinCase): void {
  t.same(result.outcomes, { complete: 6 }, 'nothing is lost');
  wentThrough(t, 'downloads', result.engine);
  t.same(order(result, ['engine_replaced', 'accelerator_suspended']), [], 'and nobody is alarmed');
  t.equal(result.exitCode, 0, "the server's exit code");
}

function longStall(t: Test, result: StandinCase): void {
  suspendedMeanwhile(t, result, result.hanging);
  t.match(result.hanging?.engines, { replaced: 1, hanging: 1 });
  const held = result.hanging?.engines?.connectionsHanging ?? 0;
  t.ok(held >= 6, `the six downloads are among the ${held} connections that it holds`);
  t.equal(result.hangingLater?.engines?.hanging, 1, 'it hung all the while');
  allComplete(t, 'what the engine held', result.held);
  t.match(result.status?.engines, { replaced: 1, hanging: 0, connectionsHanging: 0 });
  const told = [
    'engine_replaced',
    'accelerator_suspended',
    'engine_released',
    'accelerator_resumed',
  ];
  t.same(order(result, told), told, 'the log told it all');
}

// The stop's time-out is 2 s. No process can end before the cipher goes on: but all of it that can.
function stop(t: Test, result: StandinCase): void {
  const { endedMs = Number.POSITIVE_INFINITY, stopped } = result;
  t.ok(endedMs < 10_000, `the first thread had ended ${Math.round(endedMs)} ms after SIGTERM`);
  t.match(stopped, { level: 'error', aborted: 6, reason: /waits in the kernel for the cipher/ });
  t.equal(result.isPortFree, true, 'its port is free while it still hangs');
  t.same(result.outcomes, { truncated: 6 }, 'no download looks complete');
  t.equal(result.exitCode, 1, "the process's exit code, once it can end");
}

export const checks: Record<string, (t: Test, result: StandinCase) => void> = {
  'nothing lost': nothingLost,
  failures,
  'short stall': shortStall,
  stop,
  'wrong bytes': wrongBytes,
  'long stall': longStall,
};
