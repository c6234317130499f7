// SPDX-License-Identifier: Apache-2.0
// Resident memory of the server for each idle keep-alive connection under kernel TLS. Prints one line.
//   node bench/inside/idle.mjs CONNECTIONS
// Started by bench/idle-connections through run-guest, in the project's directory.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { connect } from 'node:tls';
import { makeCertificate, start } from './servers.mjs';

const count = Number(process.argv[2]);
const base = '/dev/shm/spliced-idle';
const files = { root: `${base}/www`, certificate: `${base}/cert.pem`, key: `${base}/key.pem` };
const port = 20_000;

function residentKib(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

/** A connection that has had one response and now says nothing. */
function idleConnection() {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      socket.write('GET /f1 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    });
    socket.once('data', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function open(connections) {
  const sockets = [];
  for (let i = 0; i < connections; i += 1) sockets.push(await idleConnection());
  return sockets;
}

mkdirSync(files.root, { recursive: true });
writeFileSync(`${files.root}/f1`, 'x');
makeCertificate(files);
const server = await start('spliced', { ...files, port, directory: `${base}/spliced` });
// What the first few connections bring for good (code, arenas) is not theirs.
for (const socket of await open(50)) socket.destroy();
await new Promise((resolve) => setTimeout(resolve, 1000));
const before = residentKib(server.pid);
const sockets = await open(count);
await new Promise((resolve) => setTimeout(resolve, 1000));
const each = (residentKib(server.pid) - before) / count;
console.log(`${release()}: ${each.toFixed(2)} KiB resident for each of ${count} idle connections`);
for (const socket of sockets) socket.destroy();
await server.stop();
