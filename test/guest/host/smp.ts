// SPDX-License-Identifier: Apache-2.0
// Guests with several CPUs, and what the reports of their cases must say. Counts and bytes, never times.
// Used by test/guest/smp.test.ts and test/smp.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkControl } from './checks.js';
import { type Case, runGuest, type Status } from './run-guests.js';

interface Phase {
  expected: Record<string, number>;
  outcomes: Record<string, number>;
  offending: unknown[];
  clientErrors: string;
  /** Of a phase that was disturbed. */
  lost?: number;
  offlined?: number;
  killed?: number;
}

interface EngineFigures {
  connections: number;
  accepted: number;
  requests: number;
  bytesSent: number;
}

interface SmpStatus extends Status {
  engines: { count: number; each: EngineFigures[] };
}

export interface SmpCase extends Omit<Case, 'status'> {
  status?: SmpStatus;
  phases?: Record<'calm' | 'disturbed' | 'stop', Phase>;
}

export interface SmpGuest {
  kernel: '6.1' | '6.12';
  cpus: number;
  isAsync: boolean;
  /** How often the plan of each phase is gone through. */
  rounds: number;
  cases: readonly string[];
  timeoutS: number;
}

/** No engine has more than so many times the connections of another. */
const unevenMax = 1.25;
/** Connections in the middle of their bodies at the stop: smp-cases.mjs. */
const gated = 32;
const sum = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

function checkPhase(t: Test, name: string, phase: Phase): void {
  t.same(phase.outcomes, phase.expected, `${name}: every download ended as its profile says`);
  t.equal(phase.clientErrors, '', `${name}: the client ran to its end`);
  for (const download of phase.offending) t.comment(`${name}: ${JSON.stringify(download)}`);
  if (phase.lost === undefined) return;
  t.ok(phase.lost > 0, `${name}: ${phase.lost} packets were lost`);
  t.ok((phase.offlined ?? 0) > 0, `${name}: a CPU went off line ${phase.offlined} times`);
}

/** Every engine had its part: of the connections while all stood in their middle, and of the bytes. */
function checkEngines(t: Test, status: SmpStatus, engines: number): void {
  const { count, each } = status.engines;
  t.equal(count, engines, 'as many engines as were asked for');
  for (const [index, { accepted, requests, bytesSent }] of each.entries()) {
    const said = `engine ${index}: ${accepted} connections, ${requests} requests, ${bytesSent} bytes`;
    t.ok(accepted > 0 && requests > 0 && bytesSent > 0, said);
  }
  const held = each.map(({ connections }) => connections);
  t.ok(sum(Object.fromEntries(held.entries())) >= gated, `${held.join(' + ')} connections at once`);
  // One more is the request for the status.
  t.ok(Math.max(...held) <= unevenMax * Math.min(...held) + 1, 'spread evenly');
}

function checkServing(t: Test, name: string, result: SmpCase, isAsync: boolean): void {
  const { status, phases, stopped } = result;
  if (status === undefined || phases === undefined) {
    t.fail('no report');
    return;
  }
  for (const [phase, report] of Object.entries(phases)) checkPhase(t, phase, report);
  t.ok((phases.disturbed.killed ?? 0) > 0, `${phases.disturbed.killed} clients were killed`);
  checkEngines(t, status, Number(name.split(' ')[1]));
  const { promoted, driver } = status.offload;
  t.ok(sum(promoted) > 0, `${sum(promoted)} connections were the kernel's`);
  t.equal(driver.async, isAsync, `driver ${driver.name}`);
  t.equal(status.ring.backend, name.startsWith('epoll') ? 'epoll' : 'io_uring', 'ring');
  if (name.startsWith('cold')) {
    t.ok(status.files.coldFills > 0, `${status.files.coldFills} pieces were read by the ring`);
  }
  t.equal(status.drains.aborted, 0, 'nobody was given up');
  t.equal(status.pending.contradictions, 0, "the kernel's figures agree with the ledger");
  const drained = stopped?.drained ?? 0;
  // Half of them end by our close. Of the others, who leave first, a lost segment may hide that they had all.
  t.ok(drained >= gated / 2, `${drained} drained by the stop; ${gated} were active`);
  t.equal(stopped?.aborted, 0, 'nothing was aborted by the stop');
  t.equal(result.exitCode, 0, "the server's exit code");
}

/** What the clients lost is what the last line says, and the exit code. */
function checkDeadline(t: Test, result: SmpCase): void {
  const { truncated = 0 } = result.outcomes ?? {};
  t.same(result.outcomes, { truncated: result.expected?.complete }, 'all were cut off');
  t.equal(result.stopped?.aborted, truncated, 'as many as the stop says');
  t.equal(result.status?.pending.contradictions, 0, "the kernel's figures agree with the ledger");
  t.equal(result.exitCode, 1, "the server's exit code");
}

function checkCase(t: Test, name: string, result: SmpCase, isAsync: boolean): void {
  t.equal(result.error, undefined, 'the case ran to its end');
  if (name === 'naive') checkControl(t, result as Case);
  else if (name === 'deadline') checkDeadline(t, result);
  else checkServing(t, name, result, isAsync);
  if (!t.passing()) t.comment(`The server's log ends:\n${(result.log ?? []).join('\n')}`);
}

/** A guest as a test, with a test for each of its cases. */
export function testGuest(guest: SmpGuest): Promise<unknown> {
  const { kernel, cpus, isAsync, rounds, cases, timeoutS } = guest;
  const name = `${kernel}, ${cpus} CPUs, ${isAsync ? 'cryptd' : 'sync'}`;
  return t.test(name, async (t) => {
    const base = mkdtempSync(join(tmpdir(), 'spliced-smp-'));
    t.teardown(() => rmSync(base, { recursive: true, force: true }));
    const result = await runGuest<SmpCase>({
      launcher: 'test/guest/smp/run-smp',
      kernel,
      options: ['-c', String(cpus), ...(isAsync ? ['-a'] : [])],
      script: (report) => ['smp.mjs', report, String(rounds), ...cases],
      directory: join(base, 'out'),
      timeoutS,
    });
    t.equal(result.exitCode, 0, 'the guest ran to its end') || t.comment(result.output);
    t.comment(`${result.release ?? 'no report'}, ${result.durationMs} ms`);
    for (const caseName of cases) {
      await t.test(caseName, async (t) => {
        const report = result.cases[caseName] ?? { error: `No report:\n${result.output}` };
        checkCase(t, caseName, report, isAsync);
      });
    }
  });
}
