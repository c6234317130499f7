// SPDX-License-Identifier: Apache-2.0
// A power cut before every single call that writes, while a certificate is made or renewed: the
// process is really killed there, by power-cut.c, and what it had not synchronised is lost. The
// next start must find the old pair or the new one. This file is its own child: started with an
// argument, it does the work that is cut.

import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAuthorityCertificate } from '../../../src/certificates/authority.js';
import {
  certificatesDirOf,
  deviceStore,
  ensureDeviceCertificate,
} from '../../../src/certificates/device.js';

const callsMax = 400;
const buildDateMs = Date.parse('2026-06-01T00:00:00Z');
const names = { commonName: 'gate', dns: ['gate', 'gate.local'], ip: ['127.0.0.1'] };
const options = { names, buildDateMs, nowMs: buildDateMs };

const work: Record<string, (stateDir: string) => Promise<unknown>> = {
  make: (stateDir) => ensureDeviceCertificate({ ...options, stateDir }),
  renew: (stateDir) => ensureDeviceCertificate({ ...options, stateDir, force: 'a test' }),
  // Without generations: what the others must be better than.
  naive: async (stateDir) => {
    const pair = join(stateDir, 'pair');
    mkdirSync(pair, { recursive: true });
    writeFileSync(join(pair, 'key.pem'), 'new');
    writeFileSync(join(pair, 'chain.pem'), 'new');
  },
};

interface Cut {
  at: number;
  lose: 'nothing' | 'data' | 'all';
  log?: string;
}

function runCut(shim: string, action: string, stateDir: string, cut: Cut): 'finished' | 'cut' {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), action, stateDir], {
    encoding: 'utf8',
    env: {
      ...process.env,
      LD_PRELOAD: shim,
      CUT_DIR: stateDir,
      CUT_AT: String(cut.at),
      CUT_LOSE: cut.lose,
      CUT_LOG: cut.log ?? '',
    },
  });
  if (child.signal === 'SIGKILL') return 'cut';
  if (child.status === 0) return 'finished';
  throw new Error(`${action}, cut ${JSON.stringify(cut)}: ${child.status} ${child.stderr}`);
}

/** The stored pair as a start reads it, checked; undefined when there is none. */
function readPair(stateDir: string): string | undefined {
  const stored = deviceStore(stateDir).read();
  if (stored === undefined) return undefined;
  const certificate = new X509Certificate(stored.document);
  if (stored.fallbackBecause !== undefined) throw new Error(stored.fallbackBecause);
  if (!certificate.checkPrivateKey(createPrivateKey(stored.privateKey))) throw new Error('mixed');
  return certificate.fingerprint256;
}

/** Starts again after the cut, and says what that start found and left. */
async function startAgain(stateDir: string) {
  const found = readPair(stateDir);
  const started = await ensureDeviceCertificate({ ...options, stateDir });
  const authority = new X509Certificate(
    readAuthorityCertificate(certificatesDirOf(stateDir)) ?? '',
  );
  const isSigned = new X509Certificate(started.chain).verify(authority.publicKey);
  const device = join(certificatesDirOf(stateDir), 'device');
  const generations = readdirSync(join(device, 'generations')).length;
  return { found, started, isSigned, entries: readdirSync(device).sort(), generations };
}

async function testAll(): Promise<void> {
  const { default: t } = await import('tap');
  const directory = t.testdir();
  const shim = join(directory, 'power-cut.so');
  const source = join(process.cwd(), 'test/unit/power-cut.c');
  const compiled = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl']);
  if (compiled.status !== 0) throw new Error(String(compiled.stderr));
  let runs = 0;
  /** Cuts `action` at its first call, its second and so on, each time from a copy of `template`. */
  const cutEverywhere = async (
    action: string,
    template: string,
    lose: Cut['lose'],
    judge: (stateDir: string, at: number) => Promise<void> | void,
  ): Promise<number> => {
    for (let at = 1; at <= callsMax; at += 1) {
      runs += 1;
      const stateDir = join(directory, `run-${runs}`, 'state');
      cpSync(template, stateDir, { recursive: true, verbatimSymlinks: true });
      if (runCut(shim, action, stateDir, { at, lose }) === 'finished') return at - 1;
      await judge(stateDir, at);
    }
    throw new Error('does not come to an end');
  };

  const empty = join(directory, 'empty');
  mkdirSync(empty);
  const old = join(directory, 'old');
  await ensureDeviceCertificate({ ...options, stateDir: old });
  const again = { ...options, stateDir: old, force: 'so that a renewal has one to remove' };
  const { fingerprint } = await ensureDeviceCertificate(again);

  t.test('the preload sees what a renewal does', async (t) => {
    const stateDir = join(directory, 'seen');
    cpSync(old, stateDir, { recursive: true, verbatimSymlinks: true });
    const log = join(directory, 'calls');
    t.equal(runCut(shim, 'renew', stateDir, { at: 0, lose: 'nothing', log }), 'finished');
    const calls = readFileSync(log, 'utf8').trim().split('\n');
    const inDevice = calls
      .filter((line) => line.includes('/device/'))
      .map((line) => line.replace(/ .*\/device\//, ' '));
    const file = (name: string) => [`open ${name}`, `write ${name}`, `fsync ${name}`];
    t.same(inDevice.slice(0, 15), [
      'mkdir generations',
      'mkdir generations/3',
      ...file('generations/3/key.pem'),
      ...file('generations/3/chain.pem'),
      ...file('generations/3/meta.json'),
      'fsync generations/3',
      'fsync generations',
      'symlink next',
      'rename current',
    ]);
    t.match(calls[calls.findIndex((line) => line.startsWith('rename')) + 1], /^fsync .*\/device$/);
    t.match(inDevice.at(-1), /^rmdir generations\/1$/);
    t.not(readPair(stateDir), fingerprint);
  });

  for (const lose of ['nothing', 'data', 'all'] as const) {
    t.test(`a renewal, losing ${lose}`, async (t) => {
      const found = new Set<string>();
      const calls = await cutEverywhere('renew', old, lose, async (stateDir, at) => {
        const { found: pair, started, isSigned, ...left } = await startAgain(stateDir);
        const which = pair === fingerprint ? 'old' : pair === undefined ? 'none' : 'new';
        found.add(which);
        const isGood = which !== 'none' && isSigned && pair === started.fingerprint;
        if (!isGood) t.fail(`cut ${at}: ${which}, ${started.renewedBecause}`);
        t.same(left.entries, ['current', 'generations'], `cut ${at}: nothing half done is left`);
        t.ok(left.generations <= 2, `cut ${at}: one generation back`);
      });
      t.ok(calls >= 15, `${calls} calls`);
      t.same([...found].sort(), ['new', 'old']);
    });
  }

  t.test('the first boot, losing all', async (t) => {
    const calls = await cutEverywhere('make', empty, 'all', async (stateDir, at) => {
      const { isSigned, started } = await startAgain(stateDir);
      t.ok(isSigned && existsSync(stateDir), `cut ${at}: ${started.renewedBecause ?? 'kept'}`);
    });
    t.ok(calls >= 25, `${calls} calls`);
  });

  t.test('two plain files do tear, so the cuts are real', async (t) => {
    const before = join(directory, 'before');
    mkdirSync(join(before, 'pair'), { recursive: true });
    for (const name of ['key.pem', 'chain.pem']) writeFileSync(join(before, 'pair', name), 'old');
    const seen = new Set<string>();
    await cutEverywhere('naive', before, 'data', (stateDir) => {
      const text = (name: string) => readFileSync(join(stateDir, 'pair', name), 'utf8');
      seen.add(`${text('key.pem')}/${text('chain.pem')}`);
    });
    t.ok(seen.has('/old'), 'an empty key');
  });
}

const [, , action = '', stateDir = ''] = process.argv;
if (action in work) await work[action]?.(stateDir);
else await testAll();
