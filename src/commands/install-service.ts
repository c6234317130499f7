// SPDX-License-Identifier: Apache-2.0
// `spliced install-service [--root DIR]`, and uninstall-service: make a systemd service of an npm
// package, on this machine or in the root of an image. Writes units with this program's own paths,
// makes a user, and a configuration if there is none; prints a line for each step. Never changes what it
// has not made; the state stays.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StartError } from '../base/start-error.js';
import { removeFile } from '../files/remove-file.js';
import { ImageRoot } from './image-root.js';
import { packageDirectory, programIn, systemdVersion } from './service-program.js';
import { ownMark, type Program, unitFor } from './service-units.js';
import { readCommandLine } from './usage.js';

const unitDirectory = '/etc/systemd/system';
const sysusersFile = '/etc/sysusers.d/spliced.conf';
const configuration = '/etc/spliced/spliced.toml';
const link = '/usr/local/bin/spliced';
const enabled = ['spliced.socket', 'spliced.service']; // Also= of the service enables the paths.
const exitFailure = 1;

const help = (): string => `Usage: spliced install-service [--root DIR]
       spliced uninstall-service [--root DIR]

install-service makes this program a service of systemd, wherever npm has put it. It writes units
with the program's paths to ${unitDirectory}, makes the user "spliced", and writes
${configuration} if there is none. On this machine it also enables and starts
the service (port 443). Run it again to use the program that is there now.
uninstall-service stops and removes the service; the state and the configuration stay.

  --root DIR   the root of an image, with the package and a Node in it: the service is enabled, and
               starts when the image boots
  --help       this text
`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function rootOf(given: unknown): ImageRoot {
  if (given === undefined) {
    if (process.geteuid?.() !== 0) throw new StartError('run this as root, or give --root DIR');
    return new ImageRoot('/');
  }
  const path = String(given);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new StartError(`--root: ${path} is no directory`);
  }
  return new ImageRoot(realpathSync(path));
}

interface Outcome {
  isDone: boolean;
  words: string;
}

/** One line each, with the program's words when it fails. */
function run(program: string, args: string[]): Outcome {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  const reason = error?.message ?? (stderr ?? '').trim().replaceAll('\n', '; ');
  return { isDone: status === 0, words: reason || `exit code ${status}` };
}

const systemctl = (root: ImageRoot, isLive: boolean, args: string[]): Outcome =>
  run('systemctl', [...(isLive ? [] : [`--root=${root.path}`]), ...args]);

/** Whether the manager of this machine is meant, and runs (sd_booted(3)). */
const isManaged = (root: ImageRoot): boolean =>
  root.isThisMachine && existsSync('/run/systemd/system');

const unitNames = (directory: string): string[] =>
  readdirSync(directory).filter((name) => /^spliced[\w-]*\.(service|socket|path)$/.test(name));

/** Another's file in the place of one that we make. */
function requireOwn(root: ImageRoot, path: string): void {
  const text = root.read(path);
  if (text === undefined || text.startsWith(ownMark)) return;
  throw new StartError(`${root.resolve(path)} was not made by install-service; move it away first`);
}

function writeFiles(root: ImageRoot, own: string, program: Program): void {
  const version = systemdVersion(root);
  const names = unitNames(join(own, 'systemd'));
  const packaged = ['/usr/lib/systemd/system', '/lib/systemd/system'].find((directory) =>
    root.has(`${directory}/spliced.service`),
  );
  if (packaged !== undefined) {
    throw new StartError(`a package of the distribution has its units in ${packaged}`);
  }
  for (const path of [sysusersFile, ...names.map((name) => `${unitDirectory}/${name}`)]) {
    requireOwn(root, path);
  }
  for (const name of names) {
    const text = readFileSync(join(own, 'systemd', name), 'utf8');
    root.write(`${unitDirectory}/${name}`, unitFor(text, program, version));
    say(`wrote    ${root.resolve(`${unitDirectory}/${name}`)}`);
  }
  root.write(sysusersFile, `${ownMark}.\nu spliced - "spliced, HTTPS service"\n`);
  say(`wrote    ${root.resolve(sysusersFile)}`);
  root.makeDirectory('/etc/spliced/spliced.d');
  if (root.has(configuration)) say(`kept     ${root.resolve(configuration)}, which was there`);
  else {
    root.write(configuration, readFileSync(join(own, 'config/spliced.toml'), 'utf8'));
    say(`wrote    ${root.resolve(configuration)}`);
  }
}

/** For operators whose npm has put the program where PATH does not lead. */
function makeLink(root: ImageRoot, { directory }: Program): void {
  const target = `${directory}/dist/cli.js`;
  const place = join(root.resolve(dirname(link)), basename(link));
  const isThere = (path: string): boolean =>
    lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  if (isThere(place) || root.has('/usr/bin/spliced')) return;
  root.makeDirectory(dirname(link));
  symlinkSync(target, place);
  say(`linked   ${place} to ${target}`);
}

function makeUser(root: ImageRoot): void {
  const where = root.isThisMachine ? [] : [`--root=${root.path}`];
  const { isDone, words } = run('systemd-sysusers', [
    ...where,
    root.isThisMachine ? sysusersFile : basename(sysusersFile),
  ]);
  if (isDone) say('made     the user spliced');
  else say(`skipped  the user spliced (${words}): systemd makes a user while the service runs`);
}

/** 0, or 1 with the words of what failed. */
function startIt(root: ImageRoot): number {
  const isLive = isManaged(root);
  const steps: [string, string[]][] = isLive ? [['reloaded systemd', ['daemon-reload']]] : [];
  steps.push([`enabled  ${enabled.join(' ')}`, ['enable', ...enabled]]);
  if (isLive) {
    const hasSocket = run('systemctl', ['is-active', '--quiet', 'spliced.socket']).isDone;
    // A socket cannot be started for a service that runs.
    if (!hasSocket) steps.push(['', ['stop', 'spliced.service']]);
    steps.push(['', ['start', 'spliced.socket']]);
    steps.push(['started  spliced.service', ['restart', 'spliced.service']]);
  }
  for (const [line, args] of steps) {
    const { isDone, words } = systemctl(root, isLive, args);
    if (!isDone) {
      process.stderr.write(`spliced: systemctl ${args.join(' ')}: ${words}\n`);
      return exitFailure;
    }
    if (line !== '') say(line);
  }
  if (isLive) say('It serves port 443. spliced status and spliced doctor say how it does.');
  else if (root.isThisMachine) say('systemd does not run here: it starts at the next boot.');
  else say('It starts when the image boots.');
  return 0;
}

async function install(args: string[]): Promise<number> {
  const options = { root: { type: 'string' as const } };
  const line = readCommandLine('install-service', args, { options, help });
  if (line === undefined) return 0;
  const root = rootOf(line.values.root);
  const program = programIn(root);
  writeFiles(root, packageDirectory(), program);
  makeLink(root, program);
  makeUser(root);
  return startIt(root);
}

function removeOwn(root: ImageRoot, path: string): void {
  if (root.read(path)?.startsWith(ownMark) !== true) return;
  removeFile(root.resolve(path));
  say(`removed  ${root.resolve(path)}`);
}

function removeLink(root: ImageRoot): void {
  const place = join(root.resolve(dirname(link)), basename(link));
  if (lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return;
  // npm's own link is a relative one.
  if (!/^\/.*\/dist\/cli\.js$/.test(readlinkSync(place))) return;
  removeFile(place);
  say(`removed  ${place}`);
}

async function uninstall(args: string[]): Promise<number> {
  const options = { root: { type: 'string' as const } };
  const line = readCommandLine('uninstall-service', args, { options, help });
  if (line === undefined) return 0;
  const root = rootOf(line.values.root);
  const place = root.resolve(unitDirectory);
  const all = existsSync(place) ? unitNames(place) : [];
  const names = all.filter((name) => root.read(`${unitDirectory}/${name}`)?.startsWith(ownMark));
  if (names.length === 0) throw new StartError(`install-service has made nothing in ${root.path}`);
  const isLive = isManaged(root);
  const how = isLive ? ['disable', '--now'] : ['disable'];
  const { isDone, words } = systemctl(root, isLive, [...how, ...names]);
  if (!isDone) process.stderr.write(`spliced: systemctl disable: ${words}\n`);
  else say(`${isLive ? 'stopped and disabled' : 'disabled'} ${names.join(' ')}`);
  for (const name of names) removeOwn(root, `${unitDirectory}/${name}`);
  removeOwn(root, sysusersFile);
  removeLink(root);
  if (isLive) systemctl(root, isLive, ['daemon-reload']);
  const kept = [configuration, '/var/lib/spliced'].filter((path) => root.has(path));
  for (const path of kept) say(`kept     ${join(root.path, path)}`);
  say('The user "spliced" stays as well; the state is of use to a later installation.');
  return isDone ? 0 : exitFailure;
}

/** What the system refuses (a read-only file system, a full one) in one line. */
const inWords = (action: (args: string[]) => Promise<number>) => (args: string[]) =>
  action(args).catch((error: unknown) => {
    const isSystem = error instanceof Error && 'syscall' in error;
    throw isSystem ? new StartError(error.message) : error;
  });

/** Two commands of cli.ts. */
export const installService = { run: inWords(install) };
export const uninstallService = { run: inWords(uninstall) };
