// SPDX-License-Identifier: Apache-2.0
// A device without a clock, for real: the kernel's clock of a guest is set to 1970, to the present,
// 50 years ahead, back, and to the present again. Nothing is refused for a date, and the service goes on.
// inside/clock.mjs does it.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { prepare } from './host/prepare.js';

interface Look {
  /** Why a client that trusts the device's authority alone does not believe it. */
  distrust: string | null;
  status: string;
  fingerprint256: string;
  validFrom: string;
  validTo: string;
  isResumed: boolean;
}

interface Jump {
  kept: { status: number; isReused: boolean };
  resumed: Look;
  look: Look;
  daysLeft: number | null;
  lastError: string | null;
  seen: { level: string; event: string; isSet?: boolean }[];
}

interface Report {
  first: Look;
  again: Look;
  status: { daysLeft: number | null; lastError: string | null };
  opened: number;
  startedWith: { level: string; event: string; time: string }[];
  set: Jump;
  ahead: Jump;
  back: Jump;
  recovered: Jump;
  code: number;
}

const dayMs = 86_400_000;

/** As the bundle has it (scripts/compile.mjs): the date below which a clock is not believed. */
function buildDateMs(): number {
  for (const name of readdirSync('dist/chunks')) {
    const text = readFileSync(`dist/chunks/${name}`, 'utf8');
    const found = /buildDateMs = ([\d.e]+)/.exec(text)?.[1];
    if (found !== undefined) return Number(found);
  }
  throw new Error('the bundle has no build date');
}

function checkJump(test: Test, { kept, resumed, look, lastError, seen }: Jump): void {
  test.same(kept, { status: 200, isReused: true }, 'an open connection goes on');
  test.match(resumed, { status: '200' }, 'a session of before is no obstacle');
  test.match(look, { status: '200', distrust: null }, 'verified, dates included');
  test.equal(lastError, null);
  test.same(seen.filter(({ event }) => event === 'clock_jumped').length, 1);
  test.notOk(seen.some(({ level }) => level === 'error' || level === 'fatal'));
}

const unable = prepare();
t.test('the clock of a guest', { skip: unable ?? false }, async (t) => {
  const nowMs = Date.now();
  const guest = ['-k', '6.12', '-M', 'tls', '-m', '768', '-t', '240'];
  const command = [process.execPath, 'test/guest/inside/clock.mjs', String(nowMs)];
  const { status, stdout, stderr } = spawnSync(
    'test/guest/lab/run-guest',
    [...guest, '--', ...command],
    { encoding: 'utf8' },
  );
  if (!t.equal(status, 0, 'the guest ran to its end')) return t.comment(stdout + stderr);
  const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Report;
  const built = new Date(Math.floor(buildDateMs() / 1000) * 1000).toISOString();
  const isoOf = (text: string): string => new Date(text).toISOString();

  t.match(report.startedWith[0], { time: /^1970-01-01T00:1/ }, 'the clock is what it should be');
  t.notOk(report.startedWith.some(({ level }) => level !== 'info'));
  t.equal(isoOf(report.first.validFrom), built, 'the certificate starts at the build date');
  // A client of 1970 itself cannot believe it; one with a clock does, see below.
  t.match(report.first, { status: '200', distrust: 'CERT_NOT_YET_VALID' });
  t.match(report.again, { status: '200', isResumed: true }, 'sessions are resumed');
  t.equal(report.opened, 200);
  t.match(report.status, { daysLeft: null, lastError: null }, 'nothing is judged by such a clock');

  await t.test('the date comes', async (t) => {
    checkJump(t, report.set);
    t.ok(report.set.seen.some(({ isSet }) => isSet === true));
    t.equal(
      report.set.look.fingerprint256,
      report.set.resumed.fingerprint256,
      'nothing is renewed',
    );
    t.ok((report.set.daysLeft ?? 0) > 360);
  });
  await t.test('50 years ahead', async (t) => {
    checkJump(t, report.ahead);
    const { validFrom, validTo } = report.ahead.look;
    t.ok(Date.parse(validFrom) > nowMs + 49 * 365 * dayMs, validFrom);
    t.ok(Date.parse(validTo) > nowMs + 50 * 365.25 * dayMs, validTo);
    t.ok(report.ahead.seen.some(({ event }) => event === 'certificate_changed'));
    t.notOk(report.ahead.resumed.isResumed, 'the ticket is too old by that clock');
  });
  await t.test('and back', async (t) => {
    const { kept, daysLeft, lastError, seen } = report.back;
    t.same(kept, { status: 200, isReused: true });
    t.same([daysLeft, lastError], [null, null]);
    t.notOk(seen.some(({ level }) => level === 'error' || level === 'fatal'));
  });
  await t.test('the date again', async (t) => {
    checkJump(t, report.recovered);
    t.ok(Date.parse(report.recovered.look.validFrom) < nowMs + dayMs, 'not the one of the future');
  });
  t.equal(report.code, 0);
});
