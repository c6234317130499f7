// SPDX-License-Identifier: Apache-2.0
// Compares the servers in one guest: each round measures every server in turn, medians at the end.
//   node bench/inside/compare.mjs PEERS ROUNDS CIPHER-NAME     prints Markdown
// Started by bench/run through run-guest, in the project's directory.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { memoryPerStalledClient, speeds } from './measure.mjs';
import { start } from './servers.mjs';

const [peers, roundsText, cipher] = process.argv.slice(2);
const rounds = Number(roundsText);
const names = ['spliced', 'nginx', 'lighttpd'];
const base = '/dev/shm/spliced-bench';
const files = { root: `${base}/www`, certificate: `${base}/cert.pem`, key: `${base}/key.pem` };
const opensslConf = `${base}/openssl.cnf`;
const stalledClients = 16;

function prepare() {
  mkdirSync(files.root, { recursive: true });
  for (const size of [1, 1024, 16384, 16 << 20]) {
    writeFileSync(`${files.root}/f${size}`, randomBytes(size));
  }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = [
    '-subj',
    '/CN=localhost',
    '-days',
    '30',
    '-addext',
    'subjectAltName=DNS:localhost',
  ];
  const output = ['-keyout', files.key, '-out', files.certificate];
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...names, ...output]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  writeFileSync(
    opensslConf,
    `openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCiphersuites = TLS_AES_128_GCM_SHA256\n`,
  );
}

let port = 20_000;
async function withServer(name, use) {
  console.error(`${new Date().toISOString()} ${name}`); // where a run hangs, if it does
  port += 1; // a new one each time: nothing of the last server's connections is in the way
  const server = await start(name, { ...files, peers, port, directory: `${base}/${name}` });
  try {
    return await use(port);
  } finally {
    await server.stop();
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const limits = ['tcp_wmem', 'tcp_rmem'].map((name) => `/proc/sys/net/ipv4/${name}`);
const defaults = limits.map((path) => readFileSync(path, 'utf8'));
function setBuffers(buffers) {
  for (const [index, path] of limits.entries()) {
    writeFileSync(path, buffers === 'default' ? defaults[index] : `4096 ${buffers} ${buffers}`);
  }
}

/** Measurement name -> server name -> samples. */
async function measureAll() {
  const samples = new Map();
  const add = (measurement, name, value) => {
    const row = samples.get(measurement) ?? new Map(names.map((server) => [server, []]));
    row.get(name).push(value);
    samples.set(measurement, row);
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      await withServer(name, (at) => {
        for (const speed of speeds) {
          add(`${speed.name} (${speed.unit})`, name, speed.measure(at, { opensslConf }));
        }
      });
    }
    for (const buffers of ['16384', 'default']) {
      setBuffers(buffers);
      for (const name of names) {
        const { kernel, tcp } = await withServer(name, (at) =>
          memoryPerStalledClient(at, stalledClients),
        );
        add(`stalled client, buffers ${buffers} (KiB of kernel memory)`, name, kernel);
        add(`stalled client, buffers ${buffers} (KiB of TCP memory)`, name, tcp);
      }
      setBuffers('default');
    }
  }
  return samples;
}

const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

prepare();
const samples = await measureAll();
console.log(`\n### ${release()}, ${cipher} (medians of ${rounds} rounds)\n`);
console.log('| | spliced | nginx | lighttpd | spliced / better peer |');
console.log('|---|---:|---:|---:|---:|');
for (const [measurement, row] of samples) {
  const [ours, ...others] = names.map((name) => median(row.get(name)));
  const isLessBetter = measurement.includes('KiB of');
  const best = isLessBetter ? Math.min(...others) : Math.max(...others);
  const ratio = best > 0 ? (ours / best).toFixed(2) : '-';
  console.log(`| ${measurement} | ${[ours, ...others].map(digits).join(' | ')} | ${ratio} |`);
}
