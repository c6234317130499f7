// SPDX-License-Identifier: Apache-2.0
// Runs in a guest, whose kernel's clock it sets: the service starts in 1970, learns the date, and is
// thrown 50 years ahead, back to 1970, and to the present again. Started by clock.test.ts; prints a
// report, one JSON object, as its last line:  node clock.mjs NOW_MS
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';

const port = 8443;
const deadlineMs = 60_000;
const nowMs = Number(process.argv[2]);
const state = mkdtempSync('/tmp/clock-');
const lines = [];

const setClock = (ms) => execFileSync('date', ['-s', `@${Math.round(ms / 1000)}`]);

async function until(what, isSo) {
  const endMs = performance.now() + deadlineMs;
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(100);
  }
}

function startServer() {
  const own = ['--listen', `127.0.0.1:${port}`, '--state-dir', `${state}/state`];
  const env = { ...process.env, UV_USE_IO_URING: '0' };
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.execPath, ['dist/cli.js', 'serve', ...own], { env, stdio });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
    const whole = text.split('\n');
    text = whole.pop();
    for (const line of whole) lines.push(JSON.parse(line));
  });
  return child;
}

/** One request; with an agent that keeps it, over the connection of the request before. */
function get(path, agent = false) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, agent, rejectUnauthorized: false };
    const outgoing = request(options, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      const { statusCode: status } = response;
      const isReused = outgoing.reusedSocket;
      response.on('end', () => resolve({ status, text, isReused }));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/**
 * One request, with what a client that trusts the device's authority alone thinks of the
 * certificate, dates included (`distrust`); or with a session of before. Answers a session for later.
 */
async function shake(session) {
  const authority = ['certificate', 'ca', '--state-dir', `${state}/state`];
  const ca = execFileSync(process.execPath, ['dist/cli.js', ...authority], { encoding: 'utf8' });
  const options = { host: '127.0.0.1', port, ca, session, checkServerIdentity: () => {} };
  const socket = connect({ ...options, rejectUnauthorized: false });
  let later;
  let answer = '';
  let look = {};
  socket.on('session', (data) => {
    later = data;
  });
  socket.on('data', (data) => {
    answer += data;
  });
  socket.on('secureConnect', () => {
    const { fingerprint256, validFrom, validTo } = socket.getPeerX509Certificate() ?? {};
    const distrust = socket.authorizationError ?? null;
    look = { fingerprint256, validFrom, validTo, isResumed: socket.isSessionReused(), distrust };
    socket.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  });
  await once(socket, 'close');
  return { look: { ...look, status: answer.slice(9, 12) }, session: later };
}

const statusOf = async () => {
  const { certificates, tls } = JSON.parse((await get('/.spliced/status')).text);
  return { daysLeft: certificates[0].daysLeft, lastError: certificates[0].lastError, tls };
};

/** Sets the clock under an open connection, and waits until the service has seen it. */
async function jump(toMs, agent, session) {
  const before = lines.length;
  setClock(toMs);
  const kept = await get('/', agent);
  const resumed = (await shake(session)).look;
  await until('clock_jumped', () =>
    lines.slice(before).some(({ event }) => event === 'clock_jumped'),
  );
  await sleep(1_000); // What it leads to.
  const { look } = await shake();
  const { daysLeft, lastError } = await statusOf();
  const seen = lines.slice(before).map(({ level, event, isSet }) => ({ level, event, isSet }));
  return {
    kept: { status: kept.status, isReused: kept.isReused },
    resumed,
    look,
    daysLeft,
    lastError,
    seen,
  };
}

setClock(600_000); // Ten minutes after the epoch.
const server = startServer();
await until('ready', () => lines.some(({ event }) => event === 'ready'));
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const first = await shake();
const report = {
  first: first.look,
  again: (await shake(first.session)).look,
  status: await statusOf(),
  opened: (await get('/', agent)).status,
  startedWith: lines.map(({ level, event, time }) => ({ level, event, time })),
  set: await jump(nowMs, agent, first.session),
};
const present = await shake();
report.ahead = await jump(nowMs + 50 * 365.25 * 86_400_000, agent, present.session);
report.back = await jump(600_000, agent, present.session);
report.recovered = await jump(nowMs + 3_600_000, agent, present.session);
agent.destroy();
server.kill('SIGTERM');
const [code] = await once(server, 'exit');
report.code = code;
console.log(JSON.stringify(report));
