// SPDX-License-Identifier: Apache-2.0
// Compares servers with several engines or workers on several CPUs, each with the CPUs that it and its clients
// used: every round measures every server in turn, medians and ratios at the end.
//   node bench/inside/scale.mjs PEERS ROUNDS user|kernel TITLE [PATTERN]      prints Markdown
// `user`: TLS in user space, on this very machine; `kernel`: kernel TLS, in a guest. Started by bench/scale, in
// the project's directory.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { digits, median } from './rounds.mjs';
import { makeCertificate, start } from './servers.mjs';

const [peers, roundsText, tls, title, pattern = ''] = process.argv.slice(2);
const rounds = Number(roundsText);
const mebibyte = 1 << 20;
const seconds = 2;

/**
 * Server and how many engines, workers or threads it has. HAProxy serves no large file, and trixie's (3.0) knows
 * no kernel TLS.
 */
const contestants = [
  ['spliced', 1],
  ['spliced', 2],
  ['nginx', 1],
  ['nginx', 2],
  ['lighttpd', 1],
  ['lighttpd', 2],
  ['haproxy', 2],
  ['bare', 1],
  ['bare', 2],
].filter(([name]) => name !== 'haproxy' || tls === 'user');
const labelOf = ([name, workers]) => `${name}, ${workers}`;

/** The arguments of build/bench/load after the port, and what one of its results is worth. */
const measurements = [
  { name: '1 KiB', unit: 'requests/s', load: ['requests', '/f1024', 32] },
  { name: '16 KiB', unit: 'requests/s', load: ['requests', '/f16384', 32] },
  { name: '16 MiB', unit: 'MiB/s', load: ['ranges', `/f${16 * mebibyte}`, 8], worth: 16 },
  { name: 'full handshakes', unit: '1/s', load: ['handshakes', 'full', 8] },
  { name: 'resumed handshakes', unit: '1/s', load: ['handshakes', 'resumed', 8] },
].filter(({ name }) => new RegExp(pattern).test(name));
const serves = (name, measurement) => name !== 'haproxy' || measurement.worth === undefined;

const base = mkdtempSync('/dev/shm/spliced-scale-');
const files = { root: `${base}/www`, certificate: `${base}/cert.pem`, key: `${base}/key.pem` };
const ticksPerS = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    // proc(5): 4 ppid, 14 utime, 15 stime, 16 cutime, 17 cstime
    return { parent: fields[1], own: fields[11] + fields[12], children: fields[13] + fields[14] };
  } catch {
    return undefined; // it has ended
  }
}

/** CPU seconds of a process and of those that it has forked. */
function cpuOfTree(pid) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stats = new Map(all.map((name) => [Number(name), statOf(name)]));
  const isOf = (candidate) => {
    if (candidate === pid) return true;
    const stat = stats.get(candidate);
    return stat !== undefined && stat.parent > 1 && isOf(stat.parent);
  };
  let ticks = 0;
  for (const [candidate, stat] of stats) if (stat && isOf(candidate)) ticks += stat.own;
  return ticks / ticksPerS;
}

/** CPU seconds of the programs that this one has waited for: the load's. */
const cpuOfClients = () => statOf(process.pid).children / ticksPerS;

function measure({ port, pid }, { load, worth = 1 }) {
  const before = { server: cpuOfTree(pid), clients: cpuOfClients(), ms: performance.now() };
  const args = [port, ...load, seconds].map(String);
  const result = spawnSync('build/bench/load', args, { encoding: 'utf8', timeout: 120_000 });
  if (result.status !== 0) throw new Error(`load ${args.join(' ')}: ${result.stderr}`);
  const tookS = (performance.now() - before.ms) / 1000;
  return {
    rate: worth * Number(result.stdout),
    server: (cpuOfTree(pid) - before.server) / tookS,
    clients: (cpuOfClients() - before.clients) / tookS,
  };
}

/** Measurement -> server -> samples. All are up at once, and idle but for the one whose turn it is. */
async function measureAll() {
  const servers = [];
  let port = 20_000;
  try {
    for (const contestant of contestants) {
      const [name, workers] = contestant;
      port += 1;
      const directory = join(base, `${name}-${workers}`);
      const options = { ...files, peers, port, directory, workers, isKernelTls: tls === 'kernel' };
      servers.push({ name, label: labelOf(contestant), ...(await start(name, options)) });
    }
    const samples = new Map(measurements.map(({ name }) => [name, new Map()]));
    for (let round = 0; round < rounds; round += 1) {
      console.error(`${new Date().toISOString()} round ${round + 1} of ${rounds}`);
      for (const measurement of measurements) {
        const row = samples.get(measurement.name);
        for (const server of servers.filter(({ name }) => serves(name, measurement))) {
          const of = row.get(server.label) ?? [];
          row.set(server.label, [...of, measure(server, measurement)]);
        }
      }
      servers.push(servers.shift());
    }
    return samples;
  } finally {
    for (const server of servers) await server.stop();
  }
}

const peerNames = ['nginx', 'lighttpd', 'haproxy'];

function report(samples) {
  const labels = contestants.map(labelOf);
  console.log(`\n### ${title} (medians of ${rounds} rounds)\n`);
  console.log(`| rate | ${labels.join(' | ')} |\n|---|${'---:|'.repeat(labels.length)}`);
  const rates = new Map();
  for (const { name, unit } of measurements) {
    const row = samples.get(name);
    const rate = (label) => (row.has(label) ? median(row.get(label).map(({ rate }) => rate)) : 0);
    rates.set(name, rate);
    const cells = labels.map((label) => (rate(label) > 0 ? digits(rate(label)) : '-'));
    console.log(`| ${name} (${unit}) | ${cells.join(' | ')} |`);
  }
  console.log(`\n| CPUs used, server + clients | ${labels.join(' | ')} |`);
  console.log(`|---|${'---:|'.repeat(labels.length)}`);
  for (const { name } of measurements) {
    const cells = labels.map((label) => {
      const of = samples.get(name).get(label);
      if (of === undefined) return '-';
      const [server, clients] = ['server', 'clients'].map((part) => median(of.map((s) => s[part])));
      return `${server.toFixed(2)} + ${clients.toFixed(2)}`;
    });
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
  const ratios = [
    '2 engines / 1',
    'spliced / best peer',
    'spliced, 1 / bare, 1',
    'spliced, 2 / bare, 2',
  ];
  console.log(`\n| ratio | ${ratios.join(' | ')} |\n|---|${'---:|'.repeat(ratios.length)}`);
  for (const { name } of measurements) {
    const rate = rates.get(name);
    const [one, two] = [1, 2].map((workers) => rate(labelOf(['spliced', workers])));
    const ofPeers = contestants.filter(([peer]) => peerNames.includes(peer)).map(labelOf);
    const best = Math.max(...ofPeers.map(rate));
    const limits = [1, 2].map((workers) => rate(labelOf(['bare', workers])));
    const all = [two / one, Math.max(one, two) / best, one / limits[0], two / limits[1]];
    console.log(`| ${name} | ${all.map((ratio) => ratio.toFixed(2)).join(' | ')} |`);
  }
}

// An end by signal is an exit like any other: the servers end with it (servers.mjs).
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
try {
  mkdirSync(files.root, { recursive: true });
  for (const size of [1, 1024, 16384, 16 * mebibyte]) {
    writeFileSync(`${files.root}/f${size}`, randomBytes(size));
  }
  makeCertificate(files);
  console.error(`${availableParallelism()} CPUs`);
  report(await measureAll());
} finally {
  rmSync(base, { recursive: true, force: true });
}
