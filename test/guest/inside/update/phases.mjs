// SPDX-License-Identifier: Apache-2.0
// What happens in each boot of update.test.ts. A phase writes into the report what it has seen; the
// test judges. Everything goes through what an operator has: the API's socket, the command line,
// systemctl.
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as service from '../systemd/service.mjs';
import { boot, bootVariables, holdPath, makeBundles, makeSwus } from './board.mjs';

const socket = '/var/lib/spliced/api.sock';
const url = 'http://localhost/.spliced/api/v1';
const updateDirectory = '/var/lib/spliced/update';
const markGood = 'spliced-mark-good.service';
const waitMs = 60_000;

function ask(path, ...more) {
  const { stdout, stderr, code } = service.run(
    'curl',
    '-sS',
    '--unix-socket',
    socket,
    ...more,
    url + path,
  );
  if (code !== 0) throw new Error(`${path}: ${stderr}`);
  return JSON.parse(stdout);
}
const post = (path, body = {}) => ask(path, '--json', JSON.stringify(body));

/** The socket is there a moment before somebody listens on it. */
const isAnswered = () =>
  existsSync(socket) &&
  service.run('curl', '-sS', '--unix-socket', socket, `${url}/update`).code === 0;

/** The service as the firmware of a slot has it, with times that a test can wait for. */
async function startService({
  adapter = 'rauc',
  configuration = '',
  withMarkGood = true,
  waitGood = '',
} = {}) {
  service.install();
  const settings = `root = "${service.www}"\n[update]\nadapter = "${adapter}"\n${configuration}`;
  service.configure(settings);
  service.dropIn('watchdog', '[Service]\nWatchdogSec=12s\n');
  const wants = `/run/systemd/system/${service.unit}.wants`;
  mkdirSync(wants, { recursive: true });
  mkdirSync(`/run/systemd/system/${markGood}.d`, { recursive: true });
  const wait = `/usr/bin/spliced update wait-good --hold-s 6 --within-s 40 ${waitGood}`;
  const soon = `[Service]\nExecStartPre=\nExecStartPre=${wait}\n`;
  writeFileSync(`/run/systemd/system/${markGood}.d/soon.conf`, soon);
  if (withMarkGood) symlinkSync(`/usr/lib/systemd/system/${markGood}`, `${wants}/${markGood}`);
  service.must('systemctl', 'daemon-reload');
  service.must('systemctl', 'start', 'spliced-reboot.path');
  const { code } = service.run('systemctl', 'start', service.unit);
  if (code === 0) await service.until('the API', isAnswered);
  return code === 0;
}

/** The events of the API, as they come; the first is what there is, and has been waited for. */
async function followEvents() {
  const child = spawn('curl', ['-sSN', '--unix-socket', socket, `${url}/events`]);
  let text = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const check = () => {
    if (child.exitCode !== null) throw new Error(`the events have ended: ${errors}`);
  };
  await service.until('the first event', () => {
    check();
    return text !== '';
  });
  const updates = () => {
    check();
    return [...text.matchAll(/^event: update\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data));
  };
  return { updates, end: () => child.kill() };
}

/** Into the update's directory, as an upload leaves it. */
function copyIn(store, name) {
  copyFileSync(`${store}/${name}`, `${updateDirectory}/${name}`);
  service.must('chown', '--reference', updateDirectory, `${updateDirectory}/${name}`);
}

/** A bundle through the command, which waits for the end. */
async function tryBundle(store, name, suffix = 'raucb') {
  const { code, stdout, stderr } = await service.runBeside(
    'spliced',
    'update',
    'install',
    `${store}/${name}.${suffix}`,
  );
  const { state, error } = ask('/update');
  return { code, stdout, stderr, state, error, slot1: bootVariables().leftB };
}

/** What is refused at sight is installed all the same, by the API: RAUC then has a reason. */
async function insist(store) {
  copyIn(store, 'stranger.raucb');
  const refused = post('/update/install', { file: 'stranger.raucb' });
  post('/update/install');
  await service.until('the end', () => ask('/update').state === 'failed', waitMs);
  return { refused: refused.status, error: ask('/update').error };
}

/** The same by the API alone, with a restart of the service in the middle. */
async function installAcrossRestart(store) {
  copyIn(store, 'good.raucb');
  const before = await followEvents();
  const begun = post('/update/install', { file: 'good.raucb' });
  const twice = post('/update/install', {});
  await service.sleep(1_500);
  const during = ask('/update');
  const seenBefore = before.updates();
  before.end();
  await service.runBeside('systemctl', 'restart', service.unit);
  await service.until('the API', isAnswered);
  const after = await followEvents();
  await service.until('the end', () => ask('/update').state !== 'installing', waitMs);
  const end = ask('/update');
  const seen = [...seenBefore, ...after.updates()];
  after.end();
  return {
    begun: begun.state,
    twice: { status: twice.status, detail: twice.detail },
    during: during.state,
    end,
    seen: seen.map(({ state, progress }) => ({ state, ...progress })),
    left: readdirSync(updateDirectory),
  };
}

async function restartDevice(report, save) {
  save(); // What a device that restarts too soon leaves behind.
  report.restart = post('/update/restart').state;
  await service.sleep(waitMs); // The device restarts meanwhile: main.mjs.
  throw new Error('the device was not restarted');
}

/** The first boot, in A: what is refused, and a good update that is restarted into. */
async function install(store, report, save) {
  makeBundles(store);
  report.slot = boot(store);
  await startService();
  report.first = ask('/update');
  await service.until('the mark', () => isMarked(), waitMs);
  report.table = service.run('spliced', 'update').stdout;
  report.nothing = post('/update/install');
  report.refused = {};
  for (const name of ['stranger', 'truncated', 'other-device', 'too-large', 'no-room']) {
    report.refused[name] = await tryBundle(store, name);
  }
  report.left = readdirSync(updateDirectory);
  report.insisted = await insist(store);
  report.installed = await installAcrossRestart(store);
  report.variables = bootVariables();
  await restartDevice(report, save);
}

function isMarked() {
  return /marked slot/.test(service.must('journalctl', '--quiet', `--unit=${markGood}`));
}

/** The second boot, in B: its service does not become ready, so nobody marks it good. */
async function broken(store, report) {
  report.slot = boot(store);
  report.isReady = await startService({ configuration: '[log]\nlevel = "nonsense"\n' });
  await service.sleep(8_000);
  report.isMarked = isMarked();
  report.variables = bootVariables();
}

/** The third, in A again: the boot loader has fallen back. The same update once more. */
async function fallenBack(store, report, save) {
  report.slot = boot(store);
  await startService();
  await service.until('the verdict', () => ask('/update').state === 'failed', waitMs);
  report.update = ask('/update');
  report.again = await tryBundle(store, 'good');
  report.variables = bootVariables();
  await restartDevice(report, save);
}

/** As the client of a fleet asks RAUC, over D-Bus (rauc-hawkbit-updater: InstallBundle). */
function askRauc(method, ...args) {
  const name = 'de.pengutronix.rauc';
  return service.run('busctl', 'call', name, '/', `${name}.Installer`, method, ...args);
}

const whose = () => {
  const { state, begunBy, error, restartNeeded } = ask('/update');
  return { state, begunBy, error, restartNeeded };
};
const untilState = (state) =>
  service.until(`others: ${state}`, () => ask('/update').state === state, waitMs);

/** What another program installs: one that is refused, and one across a restart of the service. */
async function othersInstall(store) {
  const before = await followEvents();
  askRauc('Install', 's', `${store}/stranger.raucb`);
  await untilState('failed');
  const stranger = whose();
  writeFileSync(holdPath, '');
  const began = askRauc('InstallBundle', 'sa{sv}', `${store}/good.raucb`, '0');
  await untilState('installing');
  const during = whose();
  const upload = post('/update/uploads', { name: 'own.raucb', length: 1000 });
  const restart = post('/update/restart');
  const power = post('/device/restart');
  const table = service.run('spliced', 'update').stdout;
  // RAUC refuses, and calls itself idle although it goes on.
  const twice = askRauc('InstallBundle', 'sa{sv}', `${store}/good.raucb`, '0');
  const [operation] = service
    .must(
      'busctl',
      'get-property',
      'de.pengutronix.rauc',
      '/',
      'de.pengutronix.rauc.Installer',
      'Operation',
    )
    .split('\n');
  await service.sleep(2_000);
  const still = whose();
  const seenBefore = before.updates();
  before.end();
  await service.runBeside('systemctl', 'restart', service.unit);
  await service.until('the API', isAnswered);
  const again = whose();
  const after = await followEvents();
  rmSync(holdPath);
  await service.until('the end', () => ask('/update').state !== 'installing', waitMs);
  const end = whose();
  const seen = [...seenBefore, ...after.updates()];
  after.end();
  return {
    stranger,
    began,
    during,
    refused: [upload, restart, power].map(({ status, detail }) => ({ status, detail })),
    table,
    twice,
    operation,
    still,
    again,
    end,
    seen: seen.map(({ state, begunBy, progress }) => ({ state, begunBy, ...progress })),
  };
}

/** The fourth, in B: an index that is not served keeps the mark back, and then it comes. */
async function good(store, report, save) {
  report.slot = boot(store);
  await startService({ waitGood: '--index /not-there' });
  report.update = ask('/update');
  const state = () => service.must('systemctl', 'show', markGood, '--property=ActiveState').trim();
  await service.until('the refusal', () => /failed/.test(state()), waitMs);
  report.variablesBefore = bootVariables();
  writeFileSync(
    `/run/systemd/system/${markGood}.d/soon.conf`,
    '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/spliced update wait-good --hold-s 6\n',
  );
  service.must('systemctl', 'daemon-reload');
  report.mark = await service.runBeside('systemctl', 'start', markGood);
  report.variables = bootVariables();
  report.slots = ask('/update').slots;
  report.bad = post('/update/slots/rootfs.0/bad');
  report.badSlot = bootVariables().leftA;
  report.others = await othersInstall(store);
  await restartDevice(report, save);
}

/** The fifth, in A again, which another program has installed. */
async function others(store, report) {
  report.slot = boot(store);
  await startService();
  await service.until('the mark', () => isMarked(), waitMs);
  report.update = ask('/update');
  report.variables = bootVariables();
}

const socketsOfSwupdate = '/run/swupdate';

/** docs/UPDATES.md: where SWUpdate's sockets are, and who may use them. */
function setUpSwupdate(store) {
  service.must('groupadd', '--force', 'swupdate');
  const unit = (name, text) => {
    mkdirSync(`/etc/systemd/system/${name}.d`, { recursive: true });
    writeFileSync(`/etc/systemd/system/${name}.d/sockets.conf`, text);
  };
  const directory = socketsOfSwupdate;
  const listen = ['sockinstctrl', 'swupdateprog'].map(
    (name) => `ListenStream=${directory}/${name}`,
  );
  const rights = ['DirectoryMode=0755', 'SocketMode=0660', 'SocketGroup=swupdate'];
  unit('swupdate.socket', ['[Socket]', 'ListenStream=', ...listen, ...rights, ''].join('\n'));
  unit('swupdate.service', `[Service]\nEnvironment=TMPDIR=${directory}\n`);
  const own = `Environment=TMPDIR=${directory}\nSupplementaryGroups=swupdate\n`;
  unit(service.unit, `[Service]\n${own}`);
  mkdirSync('/etc/swupdate/conf.d', { recursive: true });
  const args = `SWUPDATE_ARGS="-v -k ${store}/swu-good.crt -H gate:1.0"\n`;
  writeFileSync('/etc/swupdate/conf.d/10-test', args);
  service.must('systemctl', 'daemon-reload');
  service.must('systemctl', 'start', 'swupdate.socket', 'swupdate.service');
}

/** SWUpdate's own client, run by somebody else. */
async function othersSend(store) {
  const events = await followEvents();
  const ends = [];
  for (const [name, state] of [
    ['truncated', 'failed'],
    ['good', 'installed'],
  ]) {
    service.run(
      'env',
      `TMPDIR=${socketsOfSwupdate}`,
      'swupdate-client',
      `${store}/swu-${name}.swu`,
    );
    await untilState(state);
    ends.push(whose());
  }
  const seen = events
    .updates()
    .map(({ state, begunBy, progress }) => ({ state, begunBy, ...progress }));
  events.end();
  return { ends, seen };
}

/** A boot of another firmware: SWUpdate in RAUC's place. */
async function swupdate(store, report) {
  makeSwus(store);
  report.slot = boot(store);
  setUpSwupdate(store);
  await startService({ adapter: 'swupdate', withMarkGood: false });
  const events = await followEvents();
  report.tried = {};
  for (const name of ['stranger', 'truncated', 'too-large', 'good']) {
    report.tried[name] = await tryBundle(store, `swu-${name}`, 'swu');
  }
  report.seen = events.updates().map(({ state, progress }) => ({ state, ...progress }));
  events.end();
  report.update = ask('/update');
  report.others = await othersSend(store);
  const image = service.must('sha256sum', `${store}/swu-image`).slice(0, 64);
  const written = `head -c $(stat -c %s ${store}/swu-image) /dev/loop1 | sha256sum`;
  report.isWritten = service.must('sh', '-c', written).slice(0, 64) === image;
}

export const phases = { install, broken, 'fallen back': fallenBack, good, others, swupdate };
