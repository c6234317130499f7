// SPDX-License-Identifier: Apache-2.0
// Compares servers with HTTP/2, and each with its own HTTP/1.1: every round measures every server in turn,
// medians and ratios at the end.
//   node bench/inside/h2.mjs PEERS ROUNDS kernel|user TITLE [PATTERN [OTHER]]     prints Markdown
// `kernel`: kernel TLS, in a guest, with the memory of clients that stand and a page over a slow link; `user`: TLS
// in user space, on this very machine, the speeds alone. Started by bench/h2, in the project's directory.
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { notReading, shuttingWindows } from './h2-stall.mjs';
import { makeLink, runAtClients, serverAddress } from './link.mjs';
import { memoryPerStalledClient, run, setBuffers } from './measure.mjs';
import { digits, median, printTable } from './rounds.mjs';
import { makeCertificate, start } from './servers.mjs';

const [peers, roundsText, tls, title, pattern = '', other = ''] = process.argv.slice(2);
const rounds = Number(roundsText);
const mebibyte = 1 << 20;
const largeBytes = 16 * mebibyte;
const peerNames = ['nginx', 'lighttpd'];
const names = ['spliced', ...(other ? ['other'] : []), ...peerNames];
const assets = 60;
const link = { roundTripMs: 20, mbit: 20 };
const stalledClients = 16;
const memoryRounds = Math.min(3, rounds);

const base = mkdtempSync('/dev/shm/spliced-h2-');
const files = { root: `${base}/www`, certificate: `${base}/cert.pem`, key: `${base}/key.pem` };

/** Sizes of 1 to 8 KiB in turn: 270 KiB, as pages of appliances have. */
const assetBytes = (index) => 1024 * (1 + (index % 8));

function prepare() {
  mkdirSync(`${files.root}/assets`, { recursive: true });
  for (const size of [1, 1024, largeBytes])
    writeFileSync(`${files.root}/f${size}`, randomBytes(size));
  writeFileSync(`${files.root}/page.html`, '<!doctype html>'.padEnd(4096));
  for (let index = 0; index < assets; index += 1)
    writeFileSync(`${files.root}/assets/${index}.js`, randomBytes(assetBytes(index)));
  makeCertificate(files);
}

/** What h2load saw in so many seconds; every response was right. It decrypts, as a client does. */
function h2load(port, path, { connections, streams, protocol, seconds }) {
  const args = ['-t1', '-c', connections, '-m', streams, '-D', `${seconds}s`];
  if (protocol === 'http/1.1') args.push('--h1');
  args.push('--tls13-ciphers=TLS_AES_128_GCM_SHA256', `https://127.0.0.1:${port}${path}`);
  const output = run('h2load', args);
  const found = (expression) => Number(expression.exec(output)?.[1] ?? Number.NaN);
  const isAsked = output.includes(`Application protocol: ${protocol}\n`);
  const failed = found(/ (\d+) failed/) + found(/ (\d+) errored/) + found(/ (\d+) 4xx/);
  if (!isAsked || failed !== 0 || !(found(/ (\d+) 2xx/) > 0)) throw new Error(output);
  return {
    requestsPerS: found(/finished in .*, ([\d.]+) req\/s/),
    mebibytesPerS: found(/\((\d+)\) data/) / mebibyte / seconds,
  };
}

const small = (protocol, streams) => (server) =>
  h2load(server.port, '/f1024', { protocol, streams, connections: 4, seconds: 1 }).requestsPerS;
const large = (protocol) => (server) =>
  h2load(server.port, `/f${largeBytes}`, { protocol, streams: 1, connections: 2, seconds: 2 })
    .mebibytesPerS;

/** `versus`: the measurement of HTTP/1.1 that it is held against. */
const speeds = [
  {
    name: '1 KiB, 10 streams',
    unit: 'requests/s',
    measure: small('h2', 10),
    versus: '1 KiB, HTTP/1.1',
  },
  { name: '1 KiB, HTTP/1.1', unit: 'requests/s', measure: small('http/1.1', 1) },
  { name: '16 MiB', unit: 'MiB/s', measure: large('h2'), versus: '16 MiB, HTTP/1.1' },
  { name: '16 MiB, HTTP/1.1', unit: 'MiB/s', measure: large('http/1.1') },
];

/** Name -> milliseconds. Both pages of a protocol come from one program. */
function pages({ port }) {
  const times = {};
  for (const protocol of ['h2', 'http/1.1']) {
    const command = [
      process.execPath,
      'bench/inside/page.mjs',
      serverAddress,
      port,
      protocol,
      assets,
    ];
    const { cold, warm } = JSON.parse(runAtClients(...command));
    const suffix = protocol === 'h2' ? '' : ', HTTP/1.1';
    times[`page, cold${suffix}`] = cold;
    times[`page, warm${suffix}`] = warm;
  }
  return times;
}

const wantsPages = tls === 'kernel' && new RegExp(pattern).test('page');
const wantsMemory = tls === 'kernel' && new RegExp(pattern).test('memory');
const wantedSpeeds = speeds.filter(({ name }) => new RegExp(pattern).test(name));

/** Measurement -> { unit, isLessBetter, versus, servers: server -> samples }. */
const samples = new Map();
function add(name, server, value, kind) {
  const row = samples.get(name) ?? { ...kind, servers: new Map(names.map((of) => [of, []])) };
  row.servers.get(server).push(value);
  samples.set(name, row);
}

let port = 20_000;
function startServer(name, host = '127.0.0.1') {
  port += 1; // a new one each time: nothing of the last server's connections is in the way
  const tree = name === 'other' ? other : '.';
  const how = { host, isKernelTls: tls === 'kernel', protocols: ['h2', 'http/1.1'] };
  return start(name, { ...files, ...how, peers, tree, port, directory: join(base, name) });
}

/** All servers are up; each run is short, and they take turns, in another order each round. */
async function measureSpeedsAndPages() {
  const servers = [];
  const host = wantsPages ? '0.0.0.0' : '127.0.0.1';
  try {
    for (const name of names) servers.push({ name, ...(await startServer(name, host)) });
    for (let round = 0; round < rounds; round += 1) {
      console.error(`${new Date().toISOString()} round ${round + 1} of ${rounds}`);
      for (const { name, unit, measure, versus } of wantedSpeeds)
        for (const server of servers) add(name, server.name, measure(server), { unit, versus });
      for (const server of wantsPages ? servers : [])
        for (const [name, ms] of Object.entries(pages(server))) {
          const versus = name.includes('HTTP/1.1') ? undefined : `${name}, HTTP/1.1`;
          add(name, server.name, ms, { unit: 'ms', isLessBetter: true, versus });
        }
      servers.push(servers.shift());
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** Who stands: does not read its socket, or reads and opens no window. */
const ways = [
  ['does not read', notReading(`/f${largeBytes}`)],
  ['8 streams, windows shut', shuttingWindows(`/f${largeBytes}`)],
];

/** A server alone, fresh each time: what it keeps for its clients is then all that changes. */
async function measureMemory() {
  for (let round = 0; round < memoryRounds; round += 1) {
    for (const buffers of ['16384', 'default']) {
      setBuffers(buffers);
      for (const [way, stall] of ways)
        for (const name of names) {
          const server = await startServer(name);
          const { kernel, tcp, resident } = await memoryPerStalledClient(
            server,
            stalledClients,
            stall,
          );
          await server.stop();
          const kind = { unit: 'KiB', isLessBetter: true };
          const of = `client that stands (${way}), buffers ${buffers}`;
          add(`${of}: kernel and process`, name, kernel + resident, kind);
          add(`${of}: TCP alone`, name, tcp, kind);
        }
      setBuffers('default');
    }
  }
}

function report() {
  console.log(`\n### ${title} (medians of ${rounds} rounds, of memory ${memoryRounds})\n`);
  const of = ({ servers }, name) => median(servers.get(name));
  const rows = [...samples].map(([name, row]) => {
    const theirs = peerNames.map((peer) => of(row, peer));
    const best = row.isLessBetter ? Math.min(...theirs) : Math.max(...theirs);
    const cells = names.map((server) => digits(of(row, server)));
    cells.push(best > 0 ? (of(row, 'spliced') / best).toFixed(2) : '-');
    if (other) {
      const ratios = row.servers
        .get('spliced')
        .map((value, i) => value / row.servers.get('other')[i]);
      cells.push(median(ratios).toFixed(3));
    }
    return [`${name} (${row.unit})`, cells];
  });
  const columns = [...names, 'spliced / better peer', ...(other ? ['spliced / other'] : [])];
  printTable('', columns, rows);
  const pairs = [...samples].filter(([, { versus }]) => samples.has(versus));
  if (pairs.length === 0) return;
  console.log('');
  const ratiosOf = ([name, row]) => {
    const { servers } = samples.get(row.versus);
    const ratio = (server) => of(row, server) / median(servers.get(server));
    return [name, names.map((server) => ratio(server).toFixed(2))];
  };
  printTable('HTTP/2 / HTTP/1.1', names, pairs.map(ratiosOf));
}

// An end by signal is an exit like any other: the servers end with it (servers.mjs).
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
try {
  prepare();
  if (wantsPages) makeLink(link);
  if (wantedSpeeds.length > 0 || wantsPages) await measureSpeedsAndPages();
  if (wantsMemory) await measureMemory();
  report();
} finally {
  rmSync(base, { recursive: true, force: true });
}
