// SPDX-License-Identifier: Apache-2.0
// Runs in a guest with an asynchronous cipher: eight slow curls at a time download 1 MiB from nginx,
// lighttpd and the naive server, with socket buffers of 16 KiB, and what was whole is counted.
//   node test/kernel/inside/servers.mjs REPORT.json PEERS
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { start } from '../../../bench/inside/servers.mjs';
import * as guest from '../../guest/inside/guest.mjs';
import { Server } from '../../guest/inside/server.mjs';

const [reportPath, peers] = process.argv.slice(2);
const rounds = 4;
const parallel = 8;
const path = guest.pathOf(guest.mebibyte);

function curl(port, version) {
  const url = `https://127.0.0.1:${port}${path}`;
  const args = ['-sk', `--tlsv${version}`, '--tls-max', version, '--limit-rate', '2M'];
  const child = spawn('curl', [...args, '--max-time', '60', '-H', 'Connection: close', url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const hash = createHash('sha256');
  let bytes = 0;
  child.stdout.on('data', (data) => {
    hash.update(data);
    bytes += data.length;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, bytes, digest: hash.digest('hex') }));
  });
}

async function download(port) {
  const digest = createHash('sha256')
    .update(readFileSync(guest.root + path))
    .digest('hex');
  const counts = { downloads: 0, whole: 0, truncated: 0, other: 0, missingBytes: 0, others: [] };
  for (let round = 0; round < rounds; round += 1) {
    const version = round % 2 === 0 ? '1.2' : '1.3';
    const all = await Promise.all(Array.from({ length: parallel }, () => curl(port, version)));
    for (const result of all) {
      counts.downloads += 1;
      if (result.code === 0 && result.digest === digest) counts.whole += 1;
      // 18: fewer bytes than announced; 56: the same, after a missing close_notify; 52: none at all.
      else if ([18, 52, 56].includes(result.code) && result.bytes < guest.mebibyte) {
        counts.truncated += 1;
        counts.missingBytes += guest.mebibyte - result.bytes;
      } else {
        counts.other += 1;
        counts.others.push(`curl ${result.code} after ${result.bytes} bytes`);
      }
    }
  }
  return counts;
}

let port = 8440;
async function peer(name) {
  port += 1;
  const { root, certificate, key } = guest;
  const directory = `/dev/shm/${name}`;
  const server = await start(name, { peers, port, root, certificate, key, directory });
  const counts = await download(port);
  await server.stop();
  return counts;
}

async function naive() {
  const server = await Server.naive(guest);
  const counts = await download(server.port);
  await server.stop();
  return counts;
}

guest.makeFiles([1, guest.mebibyte], [guest.root]);
guest.setBuffers(16384);
const report = { release: release(), cases: {} };
for (const [name, run] of Object.entries({
  nginx: () => peer('nginx'),
  lighttpd: () => peer('lighttpd'),
  naive,
})) {
  try {
    report.cases[name] = await run();
  } catch (error) {
    report.cases[name] = { error: String(error?.stack ?? error) };
  }
  console.log(name, JSON.stringify(report.cases[name]));
  writeFileSync(reportPath, JSON.stringify(report, null, 1));
}
