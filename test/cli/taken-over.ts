// SPDX-License-Identifier: Apache-2.0
// A service that was taken over, for the tests of what root does on it: a process of an unprivileged
// user with a state directory of its own, which answers the API's socket and does there what the test
// says. Needs root.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** "nobody", by number: a device need not have a name for the service's user. */
export const userId = 65_534;

export const isRoot = process.getuid?.() === 0;

/** proc_pid_stat(5), field 22. */
export function ticksOf(pid: number | 'self'): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

// `on` holds the text of a function (fs, stateDir, victim) for each of these, run before the answer:
// "start", "GET /configuration", "POST /update/install" and so on.
const program = `
const [stateDir, victim, on] = [process.argv[1], process.argv[2], JSON.parse(process.argv[3])];
const fs = require('node:fs');
const path = require('node:path');
process.umask(0o077);
process.chdir(stateDir);
const act = (name) => on[name] && new Function('fs', 'path', 'stateDir', 'victim', on[name])(fs, path, stateDir, victim);
const ticks = fs.readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[19];
fs.writeFileSync('service.json', JSON.stringify({ pid: process.pid, startTicks: ticks, listeners: [] }));
let events;
const tell = (state) => events && events.write('event: update\\ndata: ' + JSON.stringify({ state, error: state === 'failed' ? 'refused' : null }) + '\\n\\n');
const server = require('node:http').createServer((request, response) => {
  const name = request.method + ' ' + request.url.replace('/.spliced/api/v1', '');
  let body = '';
  request.on('data', (data) => { body += data; });
  request.on('end', () => {
    globalThis.body = body;
    const end = act(name) ?? 'installed';
    if (name === 'GET /events') {
      events = response;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return tell('idle');
    }
    response.end(name === 'GET /configuration' ? '{"settings":{}}' : '{}');
    if (name === 'POST /update/install') tell(end);
  });
});
process.on('SIGTERM', () => {
  const record = JSON.parse(fs.readFileSync('service.json', 'utf8'));
  fs.writeFileSync('service.json', JSON.stringify({ ...record, ended: { isClean: true, figures: {} } }));
  process.exit(0);
});
server.listen('api.sock', () => {
  act('start');
  console.log('ready');
});
`;

export interface TakenOver {
  directory: string;
  stateDir: string;
  /** A file of root's that the service's user may not even read. */
  victim: string;
  /** Throws when the victim has changed in any way. */
  assertIntact(): void;
  /** Options of a command that means this service. */
  own: string[];
  /** Starts the service's process. */
  start(on?: Record<string, string>): Promise<ChildProcess>;
}

const secret = 'for root alone';

export function takeOver(t: Test): TakenOver {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-taken-'));
  chmodSync(directory, 0o755);
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const [stateDir, victim] = [join(directory, 'state'), join(directory, 'victim')];
  mkdirSync(stateDir, { mode: 0o700 });
  chownSync(stateDir, userId, userId);
  writeFileSync(victim, secret, { mode: 0o600 });
  const facts = ({ uid, gid, mode, mtimeMs, ino }: Stats) => ({ uid, gid, mode, mtimeMs, ino });
  const before = facts(lstatSync(victim));
  return {
    directory,
    stateDir,
    victim,
    own: ['--state-dir', stateDir],
    assertIntact: () => {
      t.same(facts(lstatSync(victim)), before, "root's file is as it was");
      t.equal(readFileSync(victim, 'utf8'), secret, 'with its content');
    },
    start: async (on = {}) => {
      const args = ['-e', program, stateDir, victim, JSON.stringify(on)];
      const who = { uid: userId, gid: userId };
      const child = spawn(process.execPath, args, {
        ...who,
        cwd: '/',
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.teardown(() => child.kill('SIGKILL'));
      await new Promise<void>((resolve, reject) => {
        child.on('error', reject);
        child.on('exit', (code) => reject(new Error(`it ended with ${code}`)));
        child.stdout?.once('data', () => resolve());
      });
      return child;
    },
  };
}
