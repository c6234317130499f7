// SPDX-License-Identifier: Apache-2.0
// A release is built twice from the files that are here, in two directories: another path, another umask,
// locale, time zone and home, other times of the files, and no compiler's cache. Every file has the same
// bytes. It compiles the addon of each target twice: minutes.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { targets } from '../../cross/targets.mjs';
import { findNodeHeaders } from '../../scripts/system.mjs';
import { output } from '../cross/package.js';

const work = mkdtempSync(join(tmpdir(), 'spliced-reproducible-'));
t.teardown(() => rmSync(work, { recursive: true, force: true }));

/** A clone with what is not committed here, as a commit of its own; its path. */
function cloneTo(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  output(['git', 'clone', '--quiet', '--no-hardlinks', '.', path]);
  const list = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const names = String(output(list)).split('\0').filter(Boolean);
  output(['git', '-C', path, 'rm', '-rq', '.']);
  for (const name of names) cpSync(name, join(path, name));
  const git = ['git', '-C', path, '-c', 'user.name=test', '-c', 'user.email=test@example.com'];
  output(['git', '-C', path, 'add', '--all']);
  const date = '@1700000000 +0000';
  const env = { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  output([...git, 'commit', '--quiet', '--allow-empty', '-m', 'what is here'], env);
  // Links, so that packages are at the same paths beneath the clone as in a checkout.
  output(['cp', '-al', 'node_modules', join(path, 'node_modules')]);
  return path;
}

/** Runs `npm run release` there; the answer is what it said. */
function release(path: string, umask: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const { PATH, npm_config_nodedir } = process.env;
  const cache = process.env.SPLICED_CACHE ?? join(process.env.HOME ?? '', '.cache/spliced');
  const env = { PATH, npm_config_nodedir, SPLICED_CACHE: cache, CCACHE_DISABLE: '1' };
  const command = `umask ${umask} && exec npm run --silent release`;
  const child = spawn('sh', ['-c', command], { cwd: path, env: { ...env, ...environment } });
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (said += text));
  return new Promise((resolve, reject) => {
    child.on('close', (code) => (code === 0 ? resolve(said) : reject(new Error(said))));
  });
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The members of two archives that differ, to say where to look. */
function differing(one: string, other: string): string[] {
  const members = (archive: string) => {
    const directory = mkdtempSync(join(work, 'members-'));
    output(['tar', '-xf', archive, '-C', directory]);
    const lines = String(
      output(['sh', '-c', `cd ${directory} && find . -type f | xargs sha256sum`]),
    );
    return new Set([...lines.trim().split('\n'), String(output(['tar', '-tvf', archive]))]);
  };
  const [first, second] = [members(one), members(other)];
  return [...first].filter((line) => !second.has(line));
}

const canRun = process.arch === 'x64' && findNodeHeaders() !== undefined;
const skip = canRun ? false : 'prebuilds are made on x86-64, with headers of Node';

t.test('two directories, the same bytes', { skip, timeout: 3_600_000 }, async (t) => {
  const first = cloneTo(join(work, 'a/spliced'));
  const second = cloneTo(join(work, 'another directory of a longer name/checkout'));
  output([
    'find',
    second,
    '-name',
    '.git',
    '-prune',
    '-o',
    '-type',
    'f',
    '-links',
    '1',
    '-exec',
    'touch',
    '-d',
    '2001-02-03',
    '{}',
    '+',
  ]);
  const homes = ['one', 'two'].map((name) => join(work, 'homes', name));
  for (const home of homes) mkdirSync(home, { recursive: true });
  const plain = { HOME: homes[0], LC_ALL: 'C', TZ: 'UTC' };
  await release(first, '022', plain);
  const other = { HOME: homes[1], LC_ALL: 'C.UTF-8', LANG: 'tr_TR.UTF-8', TZ: 'Asia/Kathmandu' };
  await release(second, '077', other);

  const [one, two] = [first, second].map((path) => join(path, 'build/release'));
  const names = readdirSync(one ?? '').sort();
  t.same(readdirSync(two ?? '').sort(), names);
  t.equal(names.length, 7, names.join(' '));
  for (const name of names) {
    const [a, b] = [join(one ?? '', name), join(two ?? '', name)];
    const isArchive = /gz$/.test(name);
    if (digest(a) === digest(b)) t.pass(name);
    else t.fail(`${name}: ${isArchive ? differing(a, b).join(', ') : readFileSync(b, 'utf8')}`);
  }
  output(['sh', '-c', `cd ${one} && sha256sum --check --strict SHA256SUMS`]);
  const info = readFileSync(join(one ?? '', 'BUILDINFO'), 'utf8');
  t.match(info, /^commit [0-9a-f]{40}$/m);
  t.match(info, /^SOURCE_DATE_EPOCH 1700000000$/m);
  for (const { name } of targets)
    t.match(info, new RegExp(`^${name}: \\S.*, liburing-dev \\d`, 'm'));
});
