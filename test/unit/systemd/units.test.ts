// SPDX-License-Identifier: Apache-2.0
// The shipped units, judged by systemd-analyze: no line that systemd does not understand, and a bound
// for the exposure of each service. What they do is shown in guests: test/guest/systemd.test.ts.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { schema } from '../../../src/config/schema.js';

// As systemd 252 counts, and a little more for others. mark-good begins as root with what it takes to
// become the service's user.
const exposuresMax: Record<string, number> = {
  'spliced.service': 1.5,
  'spliced-mark-good.service': 2.5,
  'spliced-poweroff.service': 0.8,
  'spliced-reboot.service': 0.8,
};
const units = readdirSync('systemd').filter((name) => /\.(service|socket|path)$/.test(name));

function analyze(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr, error } = spawnSync('systemd-analyze', args, {
    encoding: 'utf8',
    env: { ...process.env, SYSTEMD_LOG_COLOR: '0', SYSTEMD_COLORS: '0' },
  });
  return { status, text: `${stdout}${stderr}${error?.message ?? ''}` };
}

// What systemd before 253 and 254 has not heard of (Debian 12 has 252); guests have a newer one.
const isNews = (line: string): boolean =>
  /Failed to parse service type, ignoring: notify-reload|Unknown key '(RestartSteps|RestartMaxDelaySec)'/.test(
    line,
  );

t.test('systemd understands every line', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-units-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const verify = (change: (text: string) => string): string[] => {
    for (const name of units) {
      // The programs are where a package puts them, not here.
      const text = readFileSync(join('systemd', name), 'utf8').replaceAll(
        /\/usr\/bin\/(spliced|rauc)/g,
        process.execPath,
      );
      writeFileSync(join(directory, name), change(text));
    }
    const { text } = analyze('verify', ...units.map((name) => join(directory, name)));
    return text.split('\n').filter((line) => line.includes('spliced') && !isNews(line));
  };
  const power = ['poweroff.path', 'poweroff.service', 'reboot.path', 'reboot.service'];
  const shipped = ['http.socket', 'mark-good.service', ...power];
  const all = [...shipped.map((name) => `spliced-${name}`), 'spliced.service', 'spliced.socket'];
  t.same(units.sort(), all);
  t.same(
    verify((text) => text),
    [],
  );
  t.match(
    verify((text) => text.replace('ProtectHome=', 'ProtectHouse=')),
    [/ProtectHouse/],
    'this test would see it',
  );
});

t.test('every service has a bound for its exposure', async (t) => {
  const services = units.filter((name) => name.endsWith('.service'));
  t.same(services.sort(), Object.keys(exposuresMax).sort());
  for (const [name, max] of Object.entries(exposuresMax)) {
    const { status, text } = analyze('security', '--offline=true', `systemd/${name}`);
    t.equal(status, 0) || t.comment(text);
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1]);
    t.ok(exposure <= max, `${name}: ${exposure}`) || t.comment(text);
  }
});

t.test('times and limits fit the configuration', async (t) => {
  const service = readFileSync('systemd/spliced.service', 'utf8');
  const value = (key: string): number =>
    Number(new RegExp(`^${key}=(\\d+)`, 'm').exec(service)?.[1]);
  const stopS = Number(schema.timeouts.stop_ms.default) / 1000;
  t.ok(value('TimeoutStopSec') >= stopS + 10, 'systemd waits longer than the engine drains');
  t.ok(value('LimitNOFILE') >= 4 * schema.limits.connections_max.default, 'socket and pipe each');
  t.ok(value('FileDescriptorStoreMax') >= 16, 'every listener, HTTPS and plain HTTP');
});

/** The settings of a unit, the last of each name; those that add up are joined. */
function settingsOf(name: string): Map<string, string> {
  const settings = new Map<string, string>();
  const lines = readFileSync(join('systemd', name), 'utf8').matchAll(/^(\w+)=(.*)$/gm);
  for (const [, key = '', value = ''] of lines) {
    const before = key === 'SystemCallFilter' ? settings.get(key) : undefined;
    settings.set(key, [before, value].filter(Boolean).join(' '));
  }
  return settings;
}

t.test('what protects the service protects the others, or the reason stands there', async (t) => {
  const main = settingsOf('spliced.service');
  const isProtection =
    /^(AmbientCapabilities|CapabilityBoundingSet|DevicePolicy|Keyring|Lock|Memory(Deny|Max)|NoNew|Private|Proc|Protect|ReadOnly|Restrict(A|N|R|S)|SystemCall|UMask|LimitCORE|TasksMax)/;
  for (const name of Object.keys(exposuresMax).filter((one) => one !== 'spliced.service')) {
    const text = readFileSync(join('systemd', name), 'utf8');
    const own = settingsOf(name);
    for (const [key, value] of main) {
      if (!isProtection.test(key)) continue;
      if (own.get(key) === undefined) t.fail(`${name} has no ${key}=`);
      if (own.get(key) === value || /^(MemoryMax|TasksMax)$/.test(key)) continue;
      const isTighter =
        key === 'ProcSubset' || (key === 'MemoryDenyWriteExecute' && own.get(key) === 'yes');
      const above = new RegExp(`^# .*\\n(${key}=.*\\n)*${key}=`, 'm').test(text);
      t.ok(isTighter || above, `${name}: ${key}=${own.get(key)} has its reason above it`);
    }
  }
});

t.test('a loosened setting has its reason above it', async (t) => {
  const lines = readFileSync('systemd/spliced.service', 'utf8').split('\n');
  const loosened =
    /^(MemoryDenyWriteExecute=no|ProcSubset=all|NotifyAccess=all|RestrictAddressFamilies=)/;
  const found = lines.flatMap((line, index) =>
    loosened.test(line) ? [lines[index - 1] ?? ''] : [],
  );
  t.equal(found.length, 4);
  for (const above of found) t.match(above, /^# /);
});
