// SPDX-License-Identifier: Apache-2.0
// `spliced user`: the people of a service, whether it runs or not; passwords from standard input and
// at a terminal; and root in the directory of a service that was taken over.

import { spawn } from 'node:child_process';
import { existsSync, lchownSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { find } from '../../src/api/people/changes.js';
import { readPeople } from '../../src/api/people/file.js';
import { isPassword } from '../../src/api/people/scrypt.js';
import { isRoot, takeOver, userId } from './taken-over.js';

const password = 'four words are good';

interface Said {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(
  command: string[],
  input: string,
  onText?: (text: string, send: (keys: string) => void) => void,
) {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => {
    stdout += data;
    onText?.(stdout, (keys) => child.stdin.write(keys));
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  if (onText === undefined) child.stdin.end(input);
  return new Promise<Said>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const user = (stateDir: string, words: string[], input = '') =>
  run([process.execPath, 'dist/cli.js', 'user', ...words, '--state-dir', stateDir], input);

/** Of a service that has ended. */
function stateOf(t: Test): string {
  const state = { pid: 2 ** 30, startTicks: '1', listeners: [] };
  return join(t.testdir({ state: { 'service.json': JSON.stringify(state) } }), 'state');
}

t.test('added, listed, changed, removed', async (t) => {
  const stateDir = stateOf(t);
  const added = await user(stateDir, ['add', 'Ada', '--role', 'administer'], `${password}\n`);
  t.match(added, { code: 0, stdout: '', stderr: 'ada may sign in, with the role administer.\n' });
  const text = readFileSync(join(stateDir, 'people'), 'utf8');
  t.notMatch(text, /four words/);
  t.equal(statSync(join(stateDir, 'people')).mode & 0o777, 0o600);
  const before = find(await readPeople(stateDir), 'ada');
  t.equal(await isPassword(password, before?.hash, before?.hash.cost as never), true);
  t.match(await user(stateDir, ['add', 'bob', '--role', 'view'], password), { code: 0 });
  t.match((await user(stateDir, ['list'])).stdout, 'administer   ada\nview         bob\n');
  t.same(JSON.parse((await user(stateDir, ['list', '--json'])).stdout)[1], {
    name: 'bob',
    role: 'view',
  });
  t.match(await user(stateDir, ['role', 'bob', 'operate']), {
    code: 0,
    stderr: /the role operate/,
  });
  t.match(await user(stateDir, ['password', 'ada'], 'five words are better yet'), { code: 0 });
  const after = find(await readPeople(stateDir), 'ada');
  t.equal(await isPassword(password, after?.hash, after?.hash.cost as never), false);
  t.not(after?.stamp, before?.stamp);
  t.match(await user(stateDir, ['remove', 'ada']), { code: 2, stderr: /last who may administer/ });
  t.match(await user(stateDir, ['remove', 'bob']), { code: 0 });
  t.match(await user(stateDir, ['remove', '--all']), { code: 0, stderr: /can be claimed/ });
  t.match(await user(stateDir, ['list']), {
    code: 0,
    stdout: '',
    stderr: 'Nobody may sign in by name.\n',
  });
});

t.test('wrong usage changes nothing, and shows no password', async (t) => {
  const stateDir = stateOf(t);
  const cases: [string[], RegExp, string?][] = [
    [[], /say what; there are: list, add, role, password, remove/],
    [['adopt', 'x'], /there is no user adopt/],
    [['add'], /user add needs a name/],
    [['add', 'ada'], /give --role: view, operate, administer/],
    [['add', 'ada', '--role', 'root'], /there is no role "root"/],
    [['add', 'ada', 'secret words here', '--role', 'view'], /a password is no argument/],
    [['password', 'ada', 'secret words here'], /a password is no argument/],
    [['add', '../x', '--role', 'view'], /a name has 1 to 64/],
    [['add', 'ada', '--role', 'view'], /no password on standard input/],
    [['add', 'ada', '--role', 'view'], /a password has 12 to 256 characters/, 'short'],
    [['role', 'ada', 'view'], /nobody by the name ada/],
    [['password', 'ada'], /nobody by the name ada/, password],
    [['list', '--role', 'view'], /--role belongs to user add/],
    [['add', '--all'], /--all belongs to user remove/],
    [['role', 'ada', 'view', '--json'], /--json belongs to user list/],
  ];
  for (const [words, reason, input = ''] of cases) {
    const said = await user(stateDir, words, input);
    t.match(said, { code: 2, stdout: '', stderr: reason }, words.join(' '));
    t.notMatch(said.stderr, /secret|short/);
  }
  t.notOk(existsSync(join(stateDir, 'people')));
});

t.test('at a terminal it is asked for twice, and not shown', async (t) => {
  const stateDir = stateOf(t);
  const words = ['user', 'add', 'ada', '--role', 'view', '--state-dir', stateDir];
  const command = ['python3', 'test/cli/terminal.py', process.execPath, 'dist/cli.js', ...words];
  const typing = (second: string) => {
    let asked = 0;
    return run(command, '', (text, send) => {
      if (asked === 0 && /New password of ada: $/.test(text)) send(`fourX\x7f words are good\r`);
      else if (asked === 1 && /The same again: $/.test(text)) send(`${second}\r`);
      else return;
      asked += 1;
    });
  };
  const other = await typing('another one altogether');
  t.match(other, { code: 2, stdout: /the two are not the same/ });
  t.notOk(existsSync(join(stateDir, 'people')));
  const same = await typing(password);
  t.match(same, { code: 0, stdout: /ada may sign in/ });
  t.notMatch(same.stdout + other.stdout, /words|another/);
  const ada = find(await readPeople(stateDir), 'ada');
  t.equal(await isPassword(password, ada?.hash, ada?.hash.cost as never), true);
});

t.test('root in a directory of another', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const scene = takeOver(t);
  await scene.start();
  const add = () => user(scene.stateDir, ['add', 'ada', '--role', 'view'], password);
  t.match(await add(), { code: 0 });
  const found = statSync(join(scene.stateDir, 'people'));
  t.same([found.uid, found.mode & 0o777], [userId, 0o600]);
  await user(scene.stateDir, ['remove', 'ada']);
  for (const name of ['people.new', 'people']) {
    const taken = takeOver(t);
    await taken.start();
    symlinkSync(taken.victim, join(taken.stateDir, name));
    lchownSync(join(taken.stateDir, name), userId, userId);
    await user(taken.stateDir, ['add', 'ada', '--role', 'view'], password);
    taken.assertIntact();
  }
  const stuck = takeOver(t);
  await stuck.start();
  mkdirSync(join(stuck.stateDir, 'people.new'));
  t.match(await user(stuck.stateDir, ['add', 'ada', '--role', 'view'], password), { code: 2 });
});
