#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What a full handshake costs with X25519 and with X25519MLKEM768: handshakes a second, the server's CPU
// time for one, and a connection's bytes in each direction. TLS 1.3 with the device's own certificate (P-256), over
// loopback; each connection ends after its handshake.
// `bench/key-exchange.mjs [--rounds N]`, after scripts/setup.mjs and by a Node with OpenSSL 3.5 (22 or
// newer). Client and server are that Node. The groups take turns in each round.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import { parseArgs } from 'node:util';

const groups = ['X25519', 'X25519MLKEM768'];
const handshakes = 1000;
const parallel = 4;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** What all its threads have run so far, proc_pid_stat(5): utime and stime, in ticks of 10 ms. */
function cpuMsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function startServer(directory) {
  const options = `serve --root ${directory} --listen 127.0.0.1:0 --state-dir ${directory}/state`;
  const child = spawn(process.execPath, ['dist/cli.js', ...options.split(' ')], {
    env: { ...process.env, UV_USE_IO_URING: '0', SPLICED_LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { event, listeners } = JSON.parse(line);
    if (event === 'ready') return { child, port: listeners[0].port };
  }
  throw new Error('the server was not ready');
}

/** One full handshake and an orderly close; the bytes of TCP's payload. */
async function shakeHands(port, ecdhCurve) {
  const socket = connectTcp(port, '127.0.0.1');
  const tls = connect({ socket, ecdhCurve, minVersion: 'TLSv1.3', rejectUnauthorized: false });
  await once(tls, 'secureConnect');
  tls.end();
  tls.resume();
  await once(tls, 'close');
  return { toServer: socket.bytesWritten, toClient: socket.bytesRead };
}

async function measure({ child, port }, group) {
  const before = cpuMsOf(child.pid);
  const startedMs = performance.now();
  let left = handshakes;
  let bytes;
  const client = async () => {
    while (left > 0) {
      left -= 1;
      bytes = await shakeHands(port, group);
    }
  };
  await Promise.all(Array.from({ length: parallel }, client));
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuUs = ((cpuMsOf(child.pid) - before) * 1000) / handshakes;
  return { rate: handshakes / seconds, cpuUs, ...bytes };
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' } } });
const directory = mkdtempSync(join(tmpdir(), 'spliced-key-exchange-'));
try {
  const server = await startServer(directory);
  const results = Object.fromEntries(groups.map((group) => [group, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const order = round % 2 === 0 ? groups : groups.toReversed();
    for (const group of order) results[group].push(await measure(server, group));
  }
  server.child.kill('SIGTERM');
  await once(server.child, 'exit');
  console.log(
    `${cpus()[0].model}, ${cpus().length} CPUs, Linux ${release()}, Node ${process.version}, OpenSSL ` +
      `${process.versions.openssl}; medians of ${values.rounds} rounds of ${handshakes} handshakes\n`,
  );
  console.log(
    '| group | handshakes/s | CPU of the server, us | bytes to the server | to the client |',
  );
  console.log('|---|---:|---:|---:|---:|');
  for (const group of groups) {
    const of = (key) => median(results[group].map((result) => result[key])).toFixed(0);
    console.log(
      `| ${group} | ${of('rate')} | ${of('cpuUs')} | ${of('toServer')} | ${of('toClient')} |`,
    );
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
