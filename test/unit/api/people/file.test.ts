// SPDX-License-Identifier: Apache-2.0
// The file of people: private, replaced at once, changed by one at a time, and nothing when damaged.

import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { add, find, remove, setPassword, setRole } from '../../../../src/api/people/changes.js';
import {
  changePeople,
  forgetPeople,
  peopleBounds,
  readPeople,
} from '../../../../src/api/people/file.js';
import { judgeName, judgePassword, mayAs } from '../../../../src/api/people/names.js';
import { type Cost, hashPassword } from '../../../../src/api/people/scrypt.js';

const cost: Cost = { n: 2 ** 14, r: 8, p: 1 };
const hash = await hashPassword('never in the file', cost);
const person = (name: string, role: 'view' | 'operate' | 'administer' = 'view') =>
  add({ name, role, hash }, cost);

t.test('for its owner alone, without a password', async (t) => {
  const directory = t.testdir();
  t.same(await readPeople(directory), { people: [], cost: undefined, isClaimed: false });
  await changePeople(directory, person('ada', 'administer'));
  const file = join(directory, 'people');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.notMatch(readFileSync(file, 'utf8'), /never in/);
  t.notOk(existsSync(`${file}.new`));
  const read = await readPeople(directory);
  t.match(read, { cost, isClaimed: true, people: [{ name: 'ada', role: 'administer' }] });
  t.same(read.people[0]?.hash, hash);
});

t.test('what may become of them', async (t) => {
  const directory = t.testdir();
  const change = (made: Parameters<typeof changePeople>[1]) => changePeople(directory, made);
  await change(person('ada', 'administer'));
  await t.rejects(change(person('ada')), /is there already/);
  await t.rejects(change(remove('bob')), /nobody by the name bob/);
  await t.rejects(change(remove('ada')), /last who may administer/);
  await t.rejects(change(setRole('ada', 'operate')), /last who may administer/);
  const stamp = find(await readPeople(directory), 'ada')?.stamp;
  await t.rejects(change(setPassword('ada', hash, 'other')), /changed by another meanwhile/);
  await change(setPassword('ada', hash, stamp));
  const later = find(await readPeople(directory), 'ada')?.stamp;
  t.not(later, stamp, 'sessions of before are over');
  await change(person('bob', 'administer'));
  await change(setRole('ada', 'view'));
  t.not(find(await readPeople(directory), 'ada')?.stamp, later);
  await change(remove('ada'));
  t.same(
    (await readPeople(directory)).people.map(({ name }) => name),
    ['bob'],
  );
  for (let i = 1; i < peopleBounds.peopleMax; i += 1) await change(person(`p${i}`));
  await t.rejects(change(person('more')), /32 people already/);
  await forgetPeople(directory);
  t.match(await readPeople(directory), { people: [], isClaimed: false });
});

t.test('all who write at once are heard', async (t) => {
  const directory = t.testdir();
  const names = Array.from({ length: 8 }, (_, i) => `p${i}`);
  await Promise.all(names.map((name) => changePeople(directory, person(name))));
  const { people } = await readPeople(directory);
  t.same(people.map(({ name }) => name).sort(), names);
});

t.test('what a killed process has left is taken over', async (t) => {
  const directory = t.testdir({ 'people.new': '{"half' });
  await changePeople(directory, person('ada'));
  t.match(await readPeople(directory), { people: [{ name: 'ada' }] });
});

t.test('a damaged file is neither nobody nor anybody', async (t) => {
  const directory = t.testdir();
  await changePeople(directory, person('ada'));
  const file = join(directory, 'people');
  const good = readFileSync(file, 'utf8');
  for (const text of [
    '',
    'null',
    '{}',
    good.slice(0, -9),
    good.replace('"view"', '"root"'),
    good.replaceAll('16384', '1048576'),
    good.replace('true', '"yes"'),
    ' '.repeat(peopleBounds.bytesMax) + good,
  ]) {
    writeFileSync(file, text);
    await t.rejects(
      readPeople(directory),
      /is damaged; .*spliced user remove --all/,
      text.slice(0, 40),
    );
    await t.rejects(changePeople(directory, person('eve')), /is damaged/);
    t.equal(readFileSync(file, 'utf8'), text, 'it is as it was');
  }
  await forgetPeople(directory);
  t.match(await readPeople(directory), { people: [] });
});

t.test('no link is followed', async (t) => {
  const directory = t.testdir({ other: '{"version":1,"isClaimed":false,"people":[]}' });
  symlinkSync(join(directory, 'other'), join(directory, 'people'));
  await t.rejects(readPeople(directory), /ELOOP/);
});

t.test('names, passwords, roles', async (t) => {
  t.equal(judgeName(' Ada.Lovelace@Example.org '), 'ada.lovelace@example.org');
  for (const name of ['', '-a', 'a b', 'a/b', 'ä', '../x', 'a'.repeat(65), '__proto__']) {
    t.throws(() => judgeName(name), /a name has/, name);
  }
  judgePassword('correct horse', 'ada');
  judgePassword('пароль из слов', 'ada');
  for (const [password, name] of [
    ['elevenchars', 'ada'],
    ['x'.repeat(257), 'ada'],
    ['aaaaaaaaaaaa', 'ada'],
    ['line one\nline two', 'ada'],
    ['administrator12', 'administrator'],
  ] as const) {
    t.throws(() => judgePassword(password, name), { name: 'StartError' }, password.slice(0, 20));
  }
  t.same(
    [mayAs('operate', 'view'), mayAs('operate', 'operate'), mayAs('operate', 'administer')],
    [true, true, false],
  );
});
