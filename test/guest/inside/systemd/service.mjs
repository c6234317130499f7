// SPDX-License-Identifier: Apache-2.0
// The installed service inside a guest whose PID 1 is systemd: lays the product and the shipped units
// out as a package does, and drives systemctl and journalctl. Used by the scenarios. Everything is in
// the guest's overlay, which ends with it.
import { execFile, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

export const unit = 'spliced.service';
export const www = '/srv/www';
export const largeBytes = 24 << 20;
const library = '/usr/lib/spliced';
const dropIns = `/run/systemd/system/${unit}.d`;
const settleMs = 100;

/** Runs a program; the answer has its exit code and both streams. */
export function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  return { code: status, stdout: stdout ?? '', stderr: `${stderr ?? ''}${error?.message ?? ''}` };
}

/** The same without blocking: clients in this process go on meanwhile. */
export function runBeside(command, ...args) {
  const startedMs = Date.now();
  return new Promise((resolve) => {
    execFile(command, args, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, stdout, stderr, durationMs: Date.now() - startedMs }),
    );
  });
}

/** The same, and a failure is an exception. */
export function must(command, ...args) {
  const { code, stdout, stderr } = run(command, ...args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}: ${stderr}`);
  return stdout;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what, isMet, timeoutMs = 20_000) {
  const endMs = Date.now() + timeoutMs;
  while (!(await isMet())) {
    if (Date.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(settleMs);
  }
}

/** As a package does: /usr/lib/spliced, /usr/bin/spliced, the units. */
export function install() {
  for (const part of ['dist', 'public', 'package.json']) {
    cpSync(part, `${library}/${part}`, { recursive: true });
  }
  const addon = 'build/Release/spliced.node';
  mkdirSync(dirname(`${library}/${addon}`), { recursive: true });
  cpSync(addon, `${library}/${addon}`);
  symlinkSync('../lib/spliced/dist/cli.js', '/usr/bin/spliced');
  // The service looks for node where packages put it.
  if (!existsSync('/usr/bin/node')) cpSync(process.execPath, '/usr/bin/node');
  for (const name of readdirSync('systemd')) {
    if (/\.(service|socket|path)$/.test(name))
      cpSync(`systemd/${name}`, `/usr/lib/systemd/system/${name}`);
  }
  mkdirSync(www, { recursive: true });
  writeFileSync(`${www}/index.html`, 'here\n');
  writeFileSync(`${www}/large`, '');
  truncateSync(`${www}/large`, largeBytes);
  must('chmod', '-R', 'a+rX', www, library);
  must('systemctl', 'daemon-reload');
}

/** What install() has put there. */
export function uninstall() {
  for (const name of readdirSync('systemd'))
    rmSync(`/usr/lib/systemd/system/${name}`, { force: true });
  rmSync('/usr/bin/spliced', { force: true });
  rmSync(library, { recursive: true, force: true });
  must('systemctl', 'daemon-reload');
}

/** As an update does: another directory by the same name; the version is what the log then says. */
export function replaceProgram(version) {
  const made = `${library}/dist.new`;
  rmSync(made, { recursive: true, force: true });
  cpSync('dist', made, { recursive: true });
  if (version !== undefined) {
    const own = JSON.parse(readFileSync('package.json', 'utf8')).version;
    must('sh', '-c', `grep -rl '"${own}"' ${made} | xargs sed -i 's/"${own}"/"${version}"/g'`);
  }
  must('chmod', '-R', 'a+rX', made);
  must('rm', '-rf', `${library}/dist`);
  must('mv', made, `${library}/dist`);
}

export function configure(text) {
  mkdirSync('/etc/spliced', { recursive: true });
  writeFileSync('/etc/spliced/spliced.toml', text);
}

/** A drop-in of the service; without text it is taken away. */
export function dropIn(name, text) {
  const file = `${dropIns}/${name}.conf`;
  mkdirSync(dropIns, { recursive: true });
  if (text === undefined) rmSync(file, { force: true });
  else writeFileSync(file, text);
  must('systemctl', 'daemon-reload');
}

/** As the Yocto layer's spliced-data does: the state of services is on /data. */
export function putStateOnData() {
  const files = 'yocto-layer/recipes-spliced/spliced-data/files';
  const mount = readFileSync(`${files}/var-lib-private.mount`, 'utf8');
  writeFileSync('/etc/systemd/system/var-lib-private.mount', mount.replaceAll('@DATA@', '/data'));
  must('rm', '-rf', '/var/lib/spliced', '/var/lib/private');
  mkdirSync('/var/lib/private', { mode: 0o700 });
  symlinkSync('private/spliced', '/var/lib/spliced');
  dropIn('state-on-data', readFileSync(`${files}/state-on-data.conf`, 'utf8'));
}

export const start = () => must('systemctl', 'start', unit);
export const restart = () => must('systemctl', 'restart', unit);
export const stop = (...units) => must('systemctl', 'stop', ...(units.length > 0 ? units : [unit]));

/** Properties of a unit, as `systemctl show` has them. */
export function show(...names) {
  const text = must('systemctl', 'show', unit, `--property=${names.join(',')}`);
  const lines = text.trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

export const mainPid = () => Number(show('MainPID').MainPID);

/** The events that the service has logged since a cursor of journalCursor(). */
export function events(cursor) {
  const since = cursor === undefined ? [] : [`--after-cursor=${cursor}`];
  const text = must('journalctl', '--quiet', '--output=cat', `--unit=${unit}`, ...since);
  return text
    .split('\n')
    .map((line) => line.slice(Math.max(0, line.indexOf('{'))))
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

export function journalCursor() {
  must('journalctl', '--sync');
  const text = must('journalctl', '--quiet', '--lines=1', '--show-cursor');
  return /^-- cursor: (.*)$/m.exec(text)?.[1];
}

/** Fields of /proc/PID/status. */
export function processStatus(pid) {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(/:\s*/)));
}
