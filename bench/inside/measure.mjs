// SPDX-License-Identifier: Apache-2.0
// What bench/run measures of a running server; each measurement is one number. Used by compare.mjs,
// in a guest.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const load = 'build/bench/load';
const mebibyte = 1 << 20;

export function run(command, args, environment = {}) {
  const result = spawnSync(command, args.map(String), {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    timeout: 60_000,
  });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

const requests =
  (size, connections, seconds, mode = 'requests') =>
  (port) =>
    Number(run(load, [port, mode, `/f${size}`, connections, seconds]));

/** wrk decrypts, on the same CPU. It takes its cipher from OpenSSL's configuration file. */
const wrk =
  (size, seconds) =>
  (port, { opensslConf }) => {
    const url = `https://127.0.0.1:${port}/f${size}`;
    const output = run('wrk', ['-t1', '-c8', `-d${seconds}s`, url], { OPENSSL_CONF: opensslConf });
    if (/Non-2xx|Socket errors/.test(output)) throw new Error(output);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)[1]);
  };

const handshakes = (kind, seconds) => (port) =>
  Number(run(load, [port, 'handshakes', kind, 8, seconds]));

/** Name, unit, whether less is better, and the measurement. */
export const speeds = [
  { name: '1 KiB', unit: 'requests/s', measure: requests(1024, 8, 1) },
  { name: '16 KiB', unit: 'requests/s', measure: requests(16384, 8, 1) },
  { name: '1 KiB, wrk', unit: 'requests/s', measure: wrk(1024, 1) },
  { name: '16 KiB, wrk', unit: 'requests/s', measure: wrk(16384, 1) },
  {
    name: '16 MiB',
    unit: 'MiB/s',
    measure: (port) => 16 * requests(16 * mebibyte, 2, 2, 'ranges')(port),
  },
  { name: 'full handshakes', unit: '1/s', measure: handshakes('full', 1) },
  { name: 'resumed handshakes', unit: '1/s', measure: handshakes('resumed', 1) },
];

function kibibytes(names) {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const value = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]);
  return names.reduce((sum, name) => sum + value(name), 0);
}

/** Memory that is neither free nor a file's nor a process's: the kernel's own. */
const kernelKib = () =>
  kibibytes(['MemTotal']) - kibibytes(['MemFree', 'Buffers', 'Cached', 'AnonPages', 'PageTables']);

function tcpPages() {
  return Number(/TCP:.* mem (\d+)/.exec(readFileSync('/proc/net/sockstat', 'utf8'))[1]);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Clients that asked for 16 MiB, read the head and nothing more; the answer ends them. */
async function stallClients(port, clients) {
  const child = spawn(load, [port, 'stall', `/f${16 * mebibyte}`, clients, 60].map(String), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const stalled = new Promise((resolve) => child.stdout.once('data', () => resolve(true)));
  if (!(await Promise.race([stalled, ended]))) throw new Error('the stalled clients ended');
  return () => {
    child.kill('SIGKILL');
    return ended;
  };
}

const bufferLimits = ['tcp_wmem', 'tcp_rmem'].map((name) => `/proc/sys/net/ipv4/${name}`);
const defaultBuffers = bufferLimits.map((path) => readFileSync(path, 'utf8'));

/** The sockets' buffers from here on: so many bytes, or `default`. */
export function setBuffers(buffers) {
  for (const [index, path] of bufferLimits.entries()) {
    writeFileSync(
      path,
      buffers === 'default' ? defaultBuffers[index] : `4096 ${buffers} ${buffers}`,
    );
  }
}

function parentOf(pid) {
  try {
    return Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined; // it has ended
  }
}

/** Resident memory of a process and of its children, and theirs. */
function residentKib(pid) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  const children = all.filter((other) => parentOf(other) === pid).map(Number);
  return children.reduce((sum, child) => sum + residentKib(child), own);
}

/**
 * KiB for each stalled client: the kernel's memory, TCP's part of it, and the server's own. A first one warms
 * the server and the slabs. `stall(port, clients)` resolves when they stand, with what ends them.
 */
export async function memoryPerStalledClient({ port, pid }, clients, stall = stallClients) {
  const endFirst = await stall(port, 2);
  await pause(500);
  await endFirst();
  await pause(1000);
  const before = { kernel: kernelKib(), pages: tcpPages(), resident: residentKib(pid) };
  const end = await stall(port, clients);
  await pause(3000); // until the server has stopped handing over
  const kernel = (kernelKib() - before.kernel) / clients;
  const tcp = ((tcpPages() - before.pages) * 4) / clients;
  const resident = (residentKib(pid) - before.resident) / clients;
  await end();
  return { kernel, tcp, resident };
}
