// SPDX-License-Identifier: Apache-2.0
// One boot of a device that is restarted or powered off through spliced, in a guest with systemd as
// PID 1:
//   node test/guest/inside/power/main.mjs restart|power-off REPORT.json
// Started by power.test.ts through run-guest, in the project's directory. A phase ends with the
// device: what the manager is doing then is written down when it stops us like everybody else.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { download } from '../systemd/clients.mjs';
import * as service from '../systemd/service.mjs';

const [phase, reportPath] = process.argv.slice(2);
const report = { bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() };
const save = () => writeFileSync(reportPath, JSON.stringify(report, null, 1));
const endMs = 60_000;
const paths = ['spliced-reboot.path', 'spliced-poweroff.path'];
const directory = '/var/lib/spliced';
const url = 'http://localhost/.spliced/api/v1/device';
const startMs = 120_000;
const hasApi = () =>
  service.run('curl', '-sS', '--unix-socket', `${directory}/api.sock`, url).code === 0;

/** The manager may end what we start at that moment, too: once more then. */
function runWhole(command, ...args) {
  for (let attempts = 20; attempts > 0; attempts -= 1) {
    const result = service.run(command, ...args);
    if (result.code !== null) return result.stdout.trim().split('\n');
  }
  throw new Error(`${command} was ended by a signal each time`);
}

const journal = () => {
  const units = ['spliced', 'spliced-reboot', 'spliced-poweroff'];
  const chosen = units.flatMap((unit) => ['--unit', unit]);
  return runWhole('journalctl', '--no-pager', '--quiet', '--output=cat', '--lines=200', ...chosen);
};

process.on('SIGTERM', () => {
  report.jobs = runWhole('systemctl', 'list-jobs', '--no-legend', '--plain');
  report.journal = journal();
  save();
  process.exit(0);
});

/** As docs/SYSTEMD.md has it; a file that takes a while to read slowly. */
async function startService() {
  service.install();
  service.configure(`root = "${service.www}"\n`);
  service.must('systemctl', 'enable', '--now', 'spliced.socket', service.unit);
  await service.until('the API', hasApi, startMs);
  report.active = service
    .run('systemctl', 'is-active', ...paths)
    .stdout.trim()
    .split('\n');
}

/** By a drop-in, docs/SYSTEMD.md: it is said, and does not happen when the unit is started later. */
async function forbidden() {
  const [, name, text] = /^# (\S+poweroff\.path\.d\/\S+)\n(.*?)^```/ms.exec(
    readFileSync('docs/SYSTEMD.md', 'utf8'),
  );
  mkdirSync(dirname(name), { recursive: true });
  writeFileSync(name, text);
  service.must('systemctl', 'daemon-reload');
  service.must('systemctl', 'stop', 'spliced-poweroff.path');
  service.restart();
  await service.until('the API', hasApi, startMs);
  report.forbidden = await service.runBeside('spliced', 'device', 'power-off');
  save();
  report.left = existsSync('/run/spliced/poweroff');
  rmSync(name);
  service.must('systemctl', 'daemon-reload');
  service.must('systemctl', 'start', 'spliced-poweroff.path');
  await service.sleep(2_000);
  const { stdout } = service.run('systemctl', 'is-active', service.unit);
  report.stillServes = stdout.trim();
}

const phases = {
  restart: async () => {
    const slow = download(443, '/large', 4 << 20);
    await service.sleep(1_000);
    report.command = await service.runBeside('spliced', 'device', 'restart');
    report.download = await slow.catch((error) => ({ error: String(error) }));
  },
  'power-off': async () => {
    await forbidden();
    save();
    const api = ['--unix-socket', `${directory}/api.sock`];
    const asked = service.run('curl', '-sS', ...api, '--json', '{}', `${url}/power-off`);
    report.asked = JSON.parse(asked.stdout);
  },
};

try {
  await startService();
  save(); // What a device that goes too soon leaves behind.
  await phases[phase]();
  save();
  await service.sleep(endMs);
  throw new Error('the device goes on');
} catch (error) {
  report.error = String(error?.stack ?? error);
}
report.journal = journal();
save();
