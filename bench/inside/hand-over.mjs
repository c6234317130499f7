// SPDX-License-Identifier: Apache-2.0
// One large file, three ways: on an open route, handed over by an application, and streamed by it. Every round
// takes each way once; medians, and their ratios to the open route, at the end.
//   node bench/inside/hand-over.mjs MIB ROUNDS kernel|user TITLE [PATTERN]     prints Markdown
// `kernel`: kernel TLS, in a guest; `user`: TLS in user space, on this very machine. Started by bench/hand-over,
// in the project's directory.
//
// The head shares the first record with the body, so its length decides where in the file, and in a word, all
// other records begin, which a cipher in portable C feels (load.cpp). Each way is asked from the byte on that
// makes up for its head: then the records of all begin at the same places of the file.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:https';
import { median, printTable } from './rounds.mjs';
import { makeCertificate, start } from './servers.mjs';

const [mibText, roundsText, tls, title, pattern = ''] = process.argv.slice(2);
const [mib, rounds] = [Number(mibText), Number(roundsText)];
const base = mkdtempSync('/dev/shm/spliced-hand-over-');
const files = { root: `${base}/www`, certificate: `${base}/cert.pem`, key: `${base}/key.pem` };
const [guarded, socket, config] = ['guarded', 'app.sock', 'spliced.toml'].map(
  (name) => `${base}/${name}`,
);
const port = 20_001;
const ways = Object.entries({
  'open route': '/film',
  'handed over': '/handed-over/film',
  streamed: '/streamed/film',
}).filter(([way]) => new RegExp(pattern).test(way));

/** One inode, in the page cache, whichever way leads to it. */
function prepare() {
  for (const directory of [files.root, guarded]) mkdirSync(directory);
  const made = spawnSync('dd', [
    'if=/dev/urandom',
    `of=${files.root}/film`,
    'bs=1M',
    `count=${mib}`,
  ]);
  if (made.status !== 0) throw new Error(`dd: ${made.stderr}`);
  linkSync(`${files.root}/film`, `${guarded}/film`);
  writeFileSync(`${files.root}/f1`, 'x');
  makeCertificate(files);
  const application = (path) =>
    `[[route]]\npath = "${path}"\naction = "proxy"\nupstream = "unix:${socket}"\naccelerate = ["/guarded"]\n`;
  writeFileSync(
    config,
    `[[route]]\npath = "/"\n[[route]]\npath = "/guarded"\nroot = "${guarded}"\ninternal = true\n` +
      application('/handed-over') +
      application('/streamed'),
  );
}

async function startBackend() {
  const args = ['bench/inside/hand-over-backend.mjs', socket, guarded];
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, NODE_ENV: 'production', UV_USE_IO_URING: '0' },
  });
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error('the application has ended');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return child;
}

/** Of the whole process, in user space and in the kernel (proc_pid_stat(5): utime, stime, in ticks of 10 ms). */
function cpuMs(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Bytes of the head of an answer that begins with this byte of the file. */
async function headBytes(path, first) {
  const headers = { Range: `bytes=${first}-` };
  const outgoing = get({ port, path, headers, rejectUnauthorized: false, agent: false });
  const [response] = await once(outgoing, 'response');
  const { statusCode, statusMessage, rawHeaders } = response;
  outgoing.on('error', () => {}).destroy();
  if (statusCode !== 206) throw new Error(`${path}: ${statusCode}`);
  const line = `HTTP/1.1 206 ${statusMessage}\r\n`;
  return line.length + rawHeaders.join('').length + (rawHeaders.length / 2) * 4 + 2;
}

/** In a guest there is one CPU; here the servers share one, and the client has another. */
const client = tls === 'kernel' ? [] : ['taskset', '-c', '1'];

async function measure(path, pids) {
  const first = await headBytes(path, 100); // As long with any number of three digits.
  const before = pids.map(cpuMs);
  const [command, ...args] = [...client, 'build/bench/load', port, 'download', path, first, 0];
  const result = spawnSync(command, args.map(String), { encoding: 'utf8', timeout: 120_000 });
  if (result.status !== 0) throw new Error(`${path}: ${result.stderr}`);
  const [spliced, application] = pids.map((pid, index) => cpuMs(pid) - before[index]);
  return { rate: mib / Number(result.stdout), spliced, application };
}

prepare();
const server = await start('spliced', {
  ...files,
  port,
  config,
  directory: `${base}/spliced`,
  isKernelTls: tls === 'kernel',
});
const backend = await startBackend();
try {
  const samples = new Map(ways.map(([way]) => [way, []]));
  const order = [...ways];
  for (const [, path] of order) await measure(path, [server.pid, backend.pid]); // Warm: code, and page cache.
  for (let round = 0; round < rounds; round += 1) {
    for (const [way, path] of order) {
      const sample = await measure(path, [server.pid, backend.pid]);
      samples.get(way).push(sample);
      console.error(`round ${round + 1}: ${way} ${JSON.stringify(sample)}`);
    }
    order.push(order.shift());
  }
  const of = (way, name) => median(samples.get(way).map((sample) => sample[name]));
  const [[first]] = ways;
  const open = of(first, 'rate');
  const columns = ['MiB/s', `of: ${first}`, 'CPU of spliced (ms)', 'CPU of the application (ms)'];
  const rows = ways.map(([way]) => [
    way,
    [
      of(way, 'rate').toFixed(1),
      (of(way, 'rate') / open).toFixed(3),
      of(way, 'spliced').toFixed(0),
      of(way, 'application').toFixed(0),
    ],
  ]);
  console.log(`### ${title}, ${mib} MiB (medians of ${rounds} rounds)\n`);
  printTable('', columns, rows);
  console.log('');
} finally {
  backend.kill('SIGTERM');
  await server.stop();
  rmSync(base, { recursive: true });
}
