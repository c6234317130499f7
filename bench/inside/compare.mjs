// SPDX-License-Identifier: Apache-2.0
// Compares the servers in one guest: each round measures every server in turn, medians at the end.
//   node bench/inside/compare.mjs PEERS ROUNDS CIPHER-NAME [PATTERN [OTHER]]     prints Markdown
// Started by bench/run through run-guest, in the project's directory.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { memoryPerStalledClient, setBuffers, speeds } from './measure.mjs';
import { digits, median, printTable } from './rounds.mjs';
import { makeCertificate, start } from './servers.mjs';

const [peers, roundsText, cipher, pattern = '', other = '', otherNode = ''] = process.argv.slice(2);
const rounds = Number(roundsText);
const peerNames = ['nginx', 'lighttpd'];
const names = ['spliced', ...(other ? ['other'] : []), ...peerNames];
/** The limit: a server that does nothing but serve. It bounds no memory, so it is asked for none. */
const limit = 'bare';
const wanted = speeds.filter(({ name }) => new RegExp(pattern).test(name));
const base = '/dev/shm/spliced-bench';
const files = { root: `${base}/www`, certificate: `${base}/cert.pem`, key: `${base}/key.pem` };
const opensslConf = `${base}/openssl.cnf`;
const stalledClients = 16;
const memoryRounds = 3;

function prepare() {
  mkdirSync(files.root, { recursive: true });
  for (const size of [1, 1024, 16384, 16 << 20]) {
    writeFileSync(`${files.root}/f${size}`, randomBytes(size));
  }
  makeCertificate(files);
  writeFileSync(
    opensslConf,
    `openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCiphersuites = TLS_AES_128_GCM_SHA256\n`,
  );
}

let port = 20_000;
function startServer(name) {
  port += 1; // a new one each time: nothing of the last server's connections is in the way
  const how = name === 'other' ? { tree: other, node: otherNode || process.execPath } : {};
  return start(name, { ...files, ...how, peers, port, directory: `${base}/${name}` });
}

/** Measurement name -> server name -> samples. */
const samples = new Map();
function add(measurement, name, value) {
  const row = samples.get(measurement) ?? new Map([...names, limit].map((server) => [server, []]));
  row.get(name).push(value);
  samples.set(measurement, row);
}

/** All servers are up; each run is short, and they take turns, in another order each round. */
async function measureSpeeds() {
  const servers = [];
  for (const name of [...names, limit]) servers.push({ name, ...(await startServer(name)) });
  for (let round = 0; round < rounds; round += 1) {
    console.error(`${new Date().toISOString()} round ${round + 1} of ${rounds}`);
    for (const { name: speed, unit, measure } of wanted) {
      for (const { name, port } of servers)
        add(`${speed} (${unit})`, name, measure(port, { opensslConf }));
    }
    servers.push(servers.shift());
  }
  for (const server of servers) await server.stop();
}

/** A server alone, fresh each time: what it keeps for its clients is then all that changes. */
async function measureMemory() {
  for (let round = 0; round < memoryRounds; round += 1) {
    for (const buffers of ['16384', 'default']) {
      setBuffers(buffers);
      for (const name of names) {
        const server = await startServer(name);
        const { kernel, tcp } = await memoryPerStalledClient(server, stalledClients);
        await server.stop();
        add(`stalled client, buffers ${buffers} (KiB of kernel memory)`, name, kernel);
        add(`stalled client, buffers ${buffers} (KiB of TCP memory)`, name, tcp);
      }
      setBuffers('default');
    }
  }
}

prepare();
await measureSpeeds();
if (!pattern) await measureMemory();
console.log(
  `\n### ${release()}, ${cipher} (medians of ${rounds} rounds${pattern ? '' : `, of memory ${memoryRounds}`})\n`,
);
const columns = [
  ...names,
  limit,
  'spliced / better peer',
  `spliced / ${limit}`,
  ...(other ? ['spliced / other'] : []),
];
const rows = [...samples].map(([measurement, row]) => {
  const most = row.get(limit).length > 0 ? median(row.get(limit)) : undefined;
  const cells = names.map((name) => digits(median(row.get(name))));
  cells.push(most === undefined ? '-' : digits(most));
  const ours = median(row.get('spliced'));
  const theirs = peerNames.map((name) => median(row.get(name)));
  const isLessBetter = measurement.includes('KiB of');
  const best = isLessBetter ? Math.min(...theirs) : Math.max(...theirs);
  cells.push(best > 0 ? (ours / best).toFixed(2) : '-');
  cells.push(most === undefined ? '-' : (ours / most).toFixed(2));
  if (other) {
    const rounds = row.get('spliced').map((value, round) => value / row.get('other')[round]);
    cells.push(median(rounds).toFixed(3));
  }
  return [measurement, cells];
});
printTable('', columns, rows);
