// SPDX-License-Identifier: Apache-2.0
// What is done to the shipped units, one after the other in one guest, and reported: systemd.test.ts
// judges. A scenario is an asynchronous function that starts from a stopped service and answers with
// a plain object; a new one needs an entry here and a check there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { download, get, getPlain } from './clients.mjs';
import { credentials, encryptedCredentials } from './credentials.mjs';
import * as service from './service.mjs';

const port = 8443;
const restarts = 10;
const watchdogWaitMs = 60_000;
const configuration = `root = "${service.www}"\n`;
const sockets = ['spliced.socket', 'spliced-http.socket'];
const powerPaths = ['spliced-reboot.path', 'spliced-poweroff.path'];

async function atStart() {
  service.start();
  const answer = await get(port); // At once: READY has been waited for.
  const shown = service.show('Type', 'ActiveState', 'StatusText', 'NRestarts', 'Result');
  const { Uid, CapEff, CapBnd, NoNewPrivs, Seccomp } = service.processStatus(service.mainPid());
  return { answer, shown, process: { Uid, CapEff, CapBnd, NoNewPrivs, Seccomp } };
}

async function reload() {
  service.start();
  const pid = service.mainPid();
  const turn = async (text) => {
    const cursor = service.journalCursor();
    service.configure(text);
    const { code } = service.run('systemctl', 'reload', service.unit);
    const { ActiveState, StatusText } = service.show('ActiveState', 'StatusText');
    const logged = service.events(cursor).filter(({ event }) => event.startsWith('reload'));
    return { code, ActiveState, StatusText, logged, status: (await get(port)).status };
  };
  const good = await turn(`${configuration}[log]\nlevel = "debug"\n`);
  const bad = await turn('root = 1\nlisten = "x"\n');
  const again = await turn(configuration);
  return { good, bad, again, isSameProcess: service.mainPid() === pid };
}

/** Restarts under two clients that make one new connection after the other; `before` each of them. */
async function restartUnderClients(at, before = () => {}) {
  const clients = [0, 1].map(() => {
    const child = spawn(process.execPath, ['test/guest/inside/systemd/clients.mjs', String(at)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  for (const { lines } of clients) await lines.next();
  for (let i = 0; i < restarts; i += 1) {
    before(i);
    service.restart();
    await service.sleep(100);
  }
  const results = [];
  for (const { child, lines } of clients) {
    child.stdin.end();
    results.push(JSON.parse((await lines.next()).value));
    await once(child, 'close');
  }
  return results;
}

async function store() {
  service.start();
  const cursor = service.journalCursor();
  const clients = await restartUnderClients(port);
  const { ActiveState, NFileDescriptorStore } = service.show('ActiveState', 'NFileDescriptorStore');
  const kept = service.events(cursor).filter(({ event }) => event === 'listeners_kept');
  return { clients, ActiveState, NFileDescriptorStore, kept: kept.length };
}

/** An update of spliced itself: other files in the place of its own, then a restart, under clients. */
async function newVersion() {
  service.start();
  const clients = await restartUnderClients(port, (turn) => service.replaceProgram(`9.0.${turn}`));
  const versions = service
    .events()
    .filter(({ event }) => event === 'ready')
    .map(({ version }) => version);
  service.replaceProgram(undefined);
  return { clients, versions: versions.slice(-restarts) };
}

async function socket() {
  service.must('systemctl', 'start', 'spliced.socket');
  const isIdle = service.show('ActiveState').ActiveState === 'inactive';
  const first = await get(443); // Starts it.
  const isActive = () => service.show('ActiveState').ActiveState === 'active';
  await service.until('READY', isActive); // It answers a little earlier.
  const ready = service.events().findLast(({ event }) => event === 'ready');
  const clients = await restartUnderClients(443);
  const { NRestarts, Result } = service.show('NRestarts', 'Result');
  return { isIdle, first, listeners: ready?.listeners, clients, NRestarts, Result };
}

/** Port 80 by its own socket unit; one request after the other over restarts. */
async function plainHttp() {
  service.must('systemctl', 'start', 'spliced.socket', 'spliced-http.socket');
  const first = await getPlain(80); // Starts it.
  const isActive = () => service.show('ActiveState').ActiveState === 'active';
  await service.until('READY', isActive);
  const answers = {};
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const { status } = await getPlain(80).catch(({ code }) => ({ status: code }));
      answers[status] = (answers[status] ?? 0) + 1;
    }
  })();
  for (let i = 0; i < restarts; i += 1) {
    await service.runBeside('systemctl', 'restart', service.unit);
  }
  isOver = true;
  await asking;
  const plain = service.events().findLast(({ event }) => event === 'plain_http');
  service.must('systemctl', 'stop', 'spliced-http.socket');
  return { first, answers, listeners: plain?.listeners };
}

/** TimeoutStopSec is shorter than the downloads are long: only a drain that moves gets more. */
async function stopUnderLoad() {
  service.configure(`${configuration}[timeouts]\nstop_ms = 60_000\n`);
  service.dropIn('stop', '[Service]\nTimeoutStopSec=5s\n');
  service.start();
  const cursor = service.journalCursor();
  const slow = [1, 2, 3].map(() =>
    download(port, '/large', 2 << 20).catch((error) => ({ error: String(error) })),
  );
  await service.sleep(1_000);
  const { code, durationMs } = await service.runBeside('systemctl', 'stop', service.unit);
  const downloads = await Promise.all(slow);
  const shown = service.show('Result', 'ExecMainCode', 'ExecMainStatus');
  const stopped = service.events(cursor).findLast(({ event }) => event === 'stopped');
  return { code, durationMs, downloads, shown, stopped };
}

/** The same, but nobody reads: what does not move is ended at the time-out. */
async function stopWithoutProgress() {
  service.configure(`${configuration}[timeouts]\nstop_ms = 60_000\n`);
  service.dropIn('stop', '[Service]\nTimeoutStopSec=5s\n');
  service.start();
  let stalled;
  const begun = new Promise((resolve) => {
    stalled = get(port, '/large', (response) => {
      response.pause();
      resolve();
    });
  });
  stalled.catch(() => {});
  await begun;
  const { durationMs } = await service.runBeside('systemctl', 'stop', service.unit);
  return { durationMs, shown: service.show('Result') };
}

async function drain() {
  service.start();
  const slow = download(port, '/large', 2 << 20);
  await service.sleep(1_000);
  const { code, stdout } = await service.runBeside('spliced', 'drain', '--wait');
  await service.until('the end', () => service.show('ActiveState').ActiveState === 'inactive');
  return {
    code,
    figures: JSON.parse(stdout || '{}'),
    download: await slow,
    shown: service.show('Result'),
  };
}

/** Every line of the document's shell blocks, in order, and all of them again. */
async function documented() {
  const text = readFileSync('docs/SYSTEMD.md', 'utf8');
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block);
  const lines = blocks
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('systemctl '));
  const failed = [];
  const states = [];
  for (const line of [...lines, ...lines]) {
    const { code, stderr } = service.run('sh', '-c', line);
    if (code !== 0) failed.push(`${line}: ${stderr}`);
    const { stdout } = service.run('systemctl', 'is-active', ...powerPaths, service.unit);
    states.push(`${line}: ${stdout.trim().replaceAll('\n', ' ')}`);
  }
  const answers = { https: (await get(443)).status, http: (await getPlain(80)).status };
  const restarted = service.run('systemctl', 'restart', service.unit);
  const after = { https: (await get(443)).status, http: (await getPlain(80)).status };
  const units = [...sockets, service.unit, ...powerPaths, 'spliced-mark-good.service'];
  service.run('systemctl', 'disable', '--now', ...units);
  return { lines: lines.length, failed, states, answers, restarted: restarted.code, after };
}

/** From npm's package to a service and back, where no package of a distribution has one. */
async function npmPackage() {
  service.uninstall();
  const library = '/usr/local/lib/node_modules/spliced';
  for (const part of [
    'dist',
    'public',
    'systemd',
    'config',
    'package.json',
    'build/Release/spliced.node',
  ]) {
    cpSync(part, `${library}/${part}`, { recursive: true });
  }
  service.must('chmod', '-R', 'a+rX', library);
  const spliced = (...args) => service.run(process.execPath, `${library}/dist/cli.js`, ...args);
  const installed = spliced('install-service');
  const answer = await get(443).catch((error) => ({ error: String(error) }));
  const shown = service.show('ActiveState', 'Type', 'ExecStart', 'StatusText');
  const paths = service.run('systemctl', 'is-active', ...powerPaths).stdout;
  const reload = service.run('systemctl', 'reload', service.unit);
  const again = spliced('install-service');
  const answerAgain = await get(443).catch((error) => ({ error: String(error) }));
  const status = service.run('spliced', 'status');
  const undone = spliced('uninstall-service');
  const left = service.run('systemctl', 'is-active', service.unit, ...sockets).stdout;
  const hasState = existsSync('/var/lib/spliced');
  service.must('rm', '-rf', library);
  service.install();
  const seen = { installed, answer, shown, paths, reload, again, answerAgain, status };
  return { ...seen, undone, left, hasState };
}

/** root is the operator, the service has a user of its own that has to read what root wrote. */
async function api() {
  service.start();
  const directory = '/var/lib/spliced';
  await service.until('the API', () => existsSync(`${directory}/proxy.sock`));
  const status = service.run('spliced', 'status');
  const log = service.run('spliced', 'log', '--lines', '1000');
  const token = service.must('spliced', 'token').trim();
  const [uid] = service.processStatus(service.mainPid()).Uid.split('\t');
  const owner = String(statSync(`${directory}/api-token`).uid) === uid;
  const modes = ['api.sock', 'proxy.sock', 'api-token'].map((name) =>
    (statSync(`${directory}/${name}`).mode & 0o777).toString(8),
  );
  const client = ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https'];
  const ask = (...more) => {
    const fields = [...client, ...more].flatMap((field) => ['-H', field]);
    const own = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--unix-socket'];
    const url = 'http://localhost/.spliced/api/v1/certificates';
    return service.run('curl', ...own, `${directory}/proxy.sock`, ...fields, url).stdout;
  };
  const bare = ask();
  const withToken = ask(`Authorization: Bearer ${token}`);
  service.must('spliced', 'token', '--revoke');
  const revoked = ask(`Authorization: Bearer ${token}`);
  const stranger = ['--reuid=65534', '--regid=65534', '--clear-groups', 'curl', '-s'];
  const url = 'http://localhost/.spliced/api/v1/status';
  const other = service.run('setpriv', ...stranger, '--unix-socket', `${directory}/api.sock`, url);
  return { status, log, owner, modes, bare, withToken, revoked, strangerCode: other.code };
}

/** As the Yocto layer's spliced-data does: /data is mounted, and its unit brings the rest. */
function installDataPartition() {
  service.putStateOnData();
  mkdirSync('/data');
  service.must('mount', '-t', 'tmpfs', 'data', '/data');
  service.must('systemctl', 'daemon-reload');
}

/** The last: the root stays read-only, with what an image has on volatile or own file systems. */
async function readOnlyRoot() {
  installDataPartition();
  // These stay writable, with what is mounted beneath them.
  for (const directory of ['/tmp', '/var/tmp']) {
    service.must('mount', '--rbind', directory, directory);
  }
  service.must('journalctl', '--relinquish-var'); // It writes there.
  service.must('mount', '-o', 'remount,bind,ro', '/');
  const isReadOnly = service.run('touch', '/etc/spliced-probe').code !== 0;
  service.start();
  // As the service's user, with the service's view of the file system.
  const pid = service.mainPid();
  const [uid] = service.processStatus(pid).Uid.split('\t');
  const enter = ['-t', String(pid), '-m', '-U', '-S', uid, '-G', uid, '--', 'touch'];
  const write = (path) => service.run('nsenter', ...enter, path).code === 0;
  const system = ['/etc', '/usr/lib/spliced', service.www, '/var/lib', '/var/log'];
  const volatile = ['/run', '/run/lock', '/root', '/dev', '/sys', '/proc'];
  const places = [...system, ...volatile];
  const writable = places.filter((place) => write(`${place}/spliced-probe`));
  const state = write('/var/lib/spliced/spliced-probe');
  const isOnData = existsSync('/data/private/spliced/spliced-probe');
  return { isReadOnly, answer: await get(port), writable, state, isOnData };
}

/** A thread held as by a debugger: the others go on. Answers what lets it go. */
async function freeze(thread) {
  const child = spawn('python3', ['test/cli/freeze.py', String(thread)]);
  const [said] = await once(child.stdout, 'data');
  if (String(said).trim() !== 'frozen') throw new Error(`freeze.py: ${said}`);
  return () => child.kill('SIGKILL');
}

function engineOf(pid) {
  const comm = (tid) => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim();
  return readdirSync(`/proc/${pid}/task`).find((tid) => comm(tid).startsWith('spliced-engine'));
}

/** The shipped unit with a shorter watchdog: what hangs is killed, and its successor serves. */
async function watchdog() {
  service.dropIn('watchdog', '[Service]\nWatchdogSec=10s\n');
  service.start();
  const killed = async (hang) => {
    const pid = service.mainPid();
    const { NRestarts } = service.show('NRestarts');
    const release = await hang(pid);
    const isRestarted = () => service.show('NRestarts').NRestarts !== NRestarts;
    await service.until('a restart', isRestarted, watchdogWaitMs);
    release();
    const isActive = () => service.show('ActiveState').ActiveState === 'active';
    await service.until('READY', isActive, watchdogWaitMs);
    return { status: (await get(port)).status, isNew: service.mainPid() !== pid };
  };
  const stopped = await killed(async (pid) => {
    process.kill(pid, 'SIGSTOP');
    return () => {};
  });
  const engine = await killed((pid) => freeze(engineOf(pid)));
  const eventLoop = await killed((pid) => freeze(pid));
  const journal = service.must('journalctl', '--quiet', '--output=cat', `--unit=${service.unit}`);
  const timeouts = journal.split('\n').filter((line) => /Watchdog timeout/.test(line)).length;
  const missing = service.events().find(({ event }) => event === 'watchdog_withheld')?.missing;
  return { stopped, engine, eventLoop, timeouts, missing };
}

export const scenarios = {
  documented,
  'npm package': npmPackage,
  start: atStart,
  reload,
  store,
  'new version': newVersion,
  socket,
  'plain http': plainHttp,
  'stop under load': stopUnderLoad,
  'stop without progress': stopWithoutProgress,
  drain,
  api,
  watchdog,
  credentials,
  'encrypted credentials': encryptedCredentials,
  'read-only root': readOnlyRoot,
};

/** Before each scenario: the shipped settings, nothing running, nothing failed. */
export async function reset() {
  await service.runBeside('systemctl', 'stop', ...sockets, service.unit);
  service.run('systemctl', 'reset-failed');
  for (const name of ['stop', 'watchdog', 'credentials']) service.dropIn(name, undefined);
  service.configure(configuration);
}
