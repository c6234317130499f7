// SPDX-License-Identifier: Apache-2.0
// One boot of a device whose data partition a unit of systemd opens, reported:
//   node test/guest/inside/state-key-boot.mjs REPORT.json CASE
// Started by state-key-boot.test.ts through run-smp -S, before systemd has done anything else.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { runCases } from './report.mjs';

const [reportPath, chosen] = process.argv.slice(2);
const units = {
  unlock: 'spliced-data-unlock.service',
  check: 'systemd-fsck@dev-mapper-spliced\\x2ddata.service',
  mount: 'data.mount',
  state: 'var-lib-private.mount',
  local: 'local-fs.target',
  service: 'spliced.service',
  emergency: 'emergency.target',
};
const properties = {
  active: 'ActiveState',
  result: 'Result',
  beganUs: 'InactiveExitTimestampMonotonic',
  endedUs: 'ActiveEnterTimestampMonotonic',
  after: 'After',
};
const askedEveryMs = 1000;

function run(command, ...args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}`.trim() };
}

function show(unit) {
  const { said } = run(
    'systemctl',
    'show',
    unit,
    `--property=${Object.values(properties).join(',')}`,
  );
  const values = Object.fromEntries(said.split('\n').map((line) => line.split(/=(.*)/s)));
  const entries = Object.entries(properties).map(([name, property]) => {
    const value = values[property];
    return [name, name.endsWith('Us') ? Number(value) : value];
  });
  return Object.fromEntries(entries);
}

/** The boot is over: the service is there, or will not be. */
async function boot() {
  const is = (unit, states) => states.includes(show(unit).active);
  while (!is(units.service, ['active', 'failed']) && !is(units.emergency, ['active']))
    await new Promise((resolve) => setTimeout(resolve, askedEveryMs));
  return Object.fromEntries(Object.entries(units).map(([name, unit]) => [name, show(unit)]));
}

/** The certificate that the service has made, or has found, on the partition. */
function served() {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: 443, rejectUnauthorized: false });
    socket.on('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.code));
  });
}

await runCases(
  reportPath,
  {
    async [chosen]() {
      const shown = await boot();
      run('journalctl', '--sync');
      const log = run('journalctl', '--no-pager', '--output=cat', '--unit', units.unlock).said;
      const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
      const isMounted = (on) => mounts.some((line) => line.split(' ')[1] === on);
      return {
        units: shown,
        log,
        mounted: { data: isMounted('/data'), state: isMounted('/var/lib/private') },
        isOpen: run('dmsetup', 'info', 'spliced-data').status === 0,
        served: shown.service.active === 'active' ? await served() : '',
        journal: run('journalctl', '--no-pager', '--output=cat', '--identifier=systemd').said,
      };
    },
  },
  [chosen],
);
