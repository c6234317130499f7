// SPDX-License-Identifier: Apache-2.0
// Runs in a guest whose PID 1 is systemd: a unit with WatchdogSec=, and what systemd does with it when
// the service is busy, stopped, or frozen in one of its threads. Started by watchdog.test.ts; prints
// a report, one JSON object, as its last line.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const unit = 'spliced-watched.service';
const port = 8443;
const periodMs = 6_000;
const deadlineMs = 60_000;

const unitText = `[Service]
Type=notify
NotifyAccess=all
WorkingDirectory=${process.cwd()}
Environment=UV_USE_IO_URING=0
ExecStart=${process.execPath} dist/cli.js serve --listen 127.0.0.1:${port} --state-dir %S/watched
StateDirectory=watched
WatchdogSec=${periodMs / 1_000}
Restart=on-failure
RestartSec=200ms
`;

const run = (program, ...args) => execFileSync(program, args, { encoding: 'utf8' });

function show(property) {
  return run('systemctl', 'show', '--value', '-p', property, unit).trim();
}

const step = (text) => process.stderr.write(`${Math.round(performance.now())} ms: ${text}\n`);

async function until(what, isSo) {
  const endMs = performance.now() + deadlineMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(100);
  }
}

function get(path) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    const outgoing = request(options, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** The machine has more to do than it can: spinning processes, and handshakes without end. */
async function load(ms) {
  const hogs = [1, 2, 3].map(() => spawn(process.execPath, ['-e', 'for(;;);']));
  const endMs = performance.now() + ms;
  let requests = 0;
  const client = async () => {
    while (performance.now() < endMs) {
      await get('/').then(
        () => {
          requests += 1;
        },
        () => {},
      );
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  for (const hog of hogs) hog.kill('SIGKILL');
  return requests;
}

function threadOf(pid, name) {
  const comm = (tid) => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim();
  return readdirSync(`/proc/${pid}/task`).find((tid) => comm(tid).startsWith(name));
}

/** What systemd does when the service is made to hang so. `hang` answers how it is cleaned up. */
async function killed(hang) {
  const pid = Number(show('MainPID'));
  const restarts = Number(show('NRestarts'));
  const beganMs = performance.now();
  const cleanUp = await hang(pid);
  await until('a restart', () => Number(show('NRestarts')) > restarts);
  const tookMs = Math.round(performance.now() - beganMs);
  cleanUp();
  await until('the service', () => show('ActiveState') === 'active');
  const isServing = JSON.parse(await get('/.spliced/status')).version !== undefined;
  return { restarts: Number(show('NRestarts')) - restarts, tookMs, isServing };
}

async function freeze(thread) {
  const child = spawn('python3', ['test/cli/freeze.py', String(thread)]);
  const said = await new Promise((resolve) =>
    child.stdout.once('data', (data) => resolve(`${data}`)),
  );
  if (said.trim() !== 'frozen') throw new Error(`freeze.py: ${said}`);
  return () => child.kill('SIGKILL');
}

async function main() {
  mkdirSync('/run/systemd/system', { recursive: true });
  writeFileSync(`/run/systemd/system/${unit}`, unitText);
  run('systemctl', 'daemon-reload');
  run('systemctl', 'start', unit);
  const report = { periodMs };
  const first = show('MainPID');
  await sleep(3 * periodMs);
  report.idle = {
    isSame: show('MainPID') === first,
    status: JSON.parse(await get('/.spliced/status')),
  };
  step('idle');
  const requests = await load(3 * periodMs);
  report.busy = { isSame: show('MainPID') === first, requests };

  step('under load');
  report.stopped = await killed(async (pid) => {
    process.kill(pid, 'SIGSTOP');
    return () => {};
  });
  step('stopped');
  report.engine = await killed((pid) => freeze(threadOf(pid, 'spliced-engine')));
  step('engine frozen');
  report.eventLoop = await killed((pid) => freeze(pid));
  step('event loop frozen');

  const entries = run('journalctl', '-o', 'json', '-u', unit).trim().split('\n').map(JSON.parse);
  report.systemd = entries.filter(({ MESSAGE }) => /Watchdog timeout/.test(MESSAGE)).length;
  const lines = entries.filter(({ MESSAGE }) => String(MESSAGE).startsWith('{"level"'));
  report.log = lines.map(({ PRIORITY, MESSAGE }) => {
    const { level, event, missing } = JSON.parse(MESSAGE);
    return { priority: Number(PRIORITY), level, event, missing };
  });
  const pid = show('MainPID');
  run('systemctl', 'stop', unit);
  report.stop = { result: show('Result'), hadPid: pid !== '0' };
  console.log(JSON.stringify(report));
}

await main();
