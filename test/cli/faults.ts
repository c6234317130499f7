// SPDX-License-Identifier: Apache-2.0
// Starts on a disk that refuses (fault.c), from a copy of a state directory that a start has made.
// Used by start-faults.test.ts and start-faults-renewal.test.ts.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { beginDownload, logLines, startCli } from './server.js';

export const errnos = { ENOSPC: 28, EROFS: 30, EACCES: 13, EIO: 5 } as const;
export type Errno = keyof typeof errnos;
const callsMax = 200;
/** So often nothing more was called. */
const stillMax = 20;

export const top = t.testdir();
const shim = join(top, 'fault.so');
const compiled = spawnSync('gcc', [
  '-shared',
  '-fPIC',
  '-O1',
  '-o',
  shim,
  'test/cli/fault.c',
  '-ldl',
]);
if (compiled.status !== 0) throw new Error(String(compiled.stderr));
export const root = join(top, 'root');
mkdirSync(root);
writeFileSync(join(root, 'index.html'), 'hello');

export interface Fault {
  at: number;
  errno: Errno;
  isLasting?: boolean;
  isReading?: boolean;
}

let runs = 0;

/** With its modes: cpSync of Node 22 makes others. `to` is not there yet. */
function copyTree(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}

/** A state directory of its own, as `prepare` left the template. */
export function fresh(template: string): string {
  runs += 1;
  const directory = join(top, `run-${runs}`);
  mkdirSync(directory);
  if (existsSync(template)) copyTree(template, join(directory, 'state'));
  return directory;
}

export const linesOf = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];

export const environmentOf = (directory: string, { at, errno, isLasting, isReading }: Fault) => ({
  LD_PRELOAD: shim,
  FAULT_DIR: join(directory, 'state'),
  FAULT_LOG: join(directory, 'calls'),
  FAULT_AT: String(at),
  FAULT_ERRNO: String(errnos[errno]),
  FAULT_ON: isLasting ? '1' : '',
  FAULT_READS: isReading ? '1' : '',
});

/** Serves with the fault until `calls` calls were made, gets a file, and stops. */
export async function serve(directory: string, fault: Fault, calls: number) {
  const server = await startCli(directory, ['--root', root], environmentOf(directory, fault));
  const download = await beginDownload(server.port, '/');
  const bytes = await download.read();
  // What begins after READY has come as far as it goes.
  let made = 0;
  for (let still = 0; still < stillMax && made < calls; still += 1) {
    const before = made;
    await new Promise((resolve) => setTimeout(resolve, 25));
    made = linesOf(join(directory, 'calls')).length;
    if (made > before) still = 0;
  }
  server.child.kill('SIGTERM');
  const ended = await server.ended;
  return { bytes, code: ended.code, lines: logLines(ended.stdout) };
}

export function isTold(lines: ReturnType<typeof logLines>, errno: string): boolean {
  return lines.some(
    ({ level, reason }) => level !== 'info' && typeof reason === 'string' && reason.includes(errno),
  );
}

// What may fail without a word: a directory that is there already, and the removal of the sockets at
// the very end, which the next start replaces. On a full disk a socket does without its directory.
const isSilent = (call: string, errno: Errno): boolean =>
  /^mkdir .*\/(state|certificates|device|update|generations)$|^unlink .*\.sock$/.test(call) ||
  (errno === 'ENOSPC' && /^mkdir .*\.sock\.new$/.test(call));

/** What a start with a good pair is to find. */
export async function makeGood(): Promise<string> {
  const state = join(top, 'good/state');
  mkdirSync(join(top, 'good'));
  const server = await startCli(join(top, 'good'), ['--root', root]);
  server.child.kill('SIGTERM');
  await server.ended;
  return state;
}

/** The same with a renewal that is due, and a write that was interrupted. */
export async function makeDue(): Promise<string> {
  const due = join(top, 'due/state');
  mkdirSync(join(top, 'due'));
  copyTree(await makeGood(), due);
  const device = join(due, 'certificates/device');
  writeFileSync(join(device, 'renew-now'), '');
  mkdirSync(join(device, 'generations/9'));
  writeFileSync(join(due, 'update.json'), '{}');
  return due;
}

export async function countCalls(t: Test, template: string, isReading = false): Promise<string[]> {
  const directory = fresh(template);
  await serve(directory, { at: 0, errno: 'EIO', isReading }, 0);
  const calls = linesOf(join(directory, 'calls'));
  t.ok(calls.length >= 15 && calls.length < callsMax, `${calls.length} calls`);
  return calls;
}

/** Each call that writes fails once, with these errnos in turn. */
export async function failEach(t: Test, template: string, names: Errno[]): Promise<void> {
  const total = (await countCalls(t, template)).length;
  for (let at = 1; at <= total; at += 1) {
    const errno = names[at % names.length] as Errno;
    const directory = fresh(template);
    const { bytes, code, lines } = await serve(directory, { at, errno }, total - 2);
    const call = linesOf(join(directory, 'calls'))[at - 1] ?? '';
    const isWell = bytes === 5 && code === 0 && (isSilent(call, errno) || isTold(lines, errno));
    if (!isWell) t.fail(`${errno} at ${at}, ${call}: ${code}, ${JSON.stringify(lines)}`);
    rmSync(directory, { recursive: true });
  }
}

/** All that is written fails, with each errno. */
export async function failAll(t: Test, template: string): Promise<void> {
  for (const errno of Object.keys(errnos) as Errno[]) {
    const fault = { at: 1, errno, isLasting: true };
    const { bytes, code, lines } = await serve(fresh(template), fault, 5);
    const found = { bytes, code, isTold: isTold(lines, errno) };
    t.match(found, { bytes: 5, code: 0, isTold: true }, errno);
  }
}
