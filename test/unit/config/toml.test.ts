// SPDX-License-Identifier: Apache-2.0
// The TOML reader: every key's line, whatever stands before it, and the same values as the library
// gives for the whole text.

import { parse } from 'smol-toml';
import t from 'tap';
import { readToml } from '../../../src/config/toml.js';

const isSetting = (key: string): boolean => key.endsWith('value');

/** Text in which each key is named after its line: key "l7" stands in line 7. */
const tricky = [
  '\ufeff# a comment = "with" [brackets',
  'l2 = "# no comment" # a comment',
  "l3 = '\\'",
  'l4 = """',
  'not_a_key = 1',
  '[not.a.table]',
  'a \\""" b # not a comment',
  '""" # l4 is over',
  'l9 = """x"""""',
  "l10 = '''",
  "it's '' fine",
  "'''''",
  'l13 = [ # a list',
  '  "]", # not the end',
  '  [1, 2], ["""',
  ']"""],',
  ']',
  '"l18" = { a = 1, "b=" = "}" }',
  "l19.'x = y'.z = 1",
  '',
  '[ table . "in.ner" ] # = ] [',
  '  l22 = -1_000\r',
  '\tl23 = 0x1F',
  '[[list]]',
  'l25 = 1979-05-27T07:32:00Z',
  '[[list]]',
  'l27 = inf',
  'l28 = ["""x""""]',
  'l29 = 1',
].join('\n');

t.test('lines', async (t) => {
  const { entries, elements, problems, tables } = readToml(tricky, () => false);
  t.same(problems, []);
  t.same(
    elements.map(({ key, line }) => [key, line]),
    [
      ['list', 24],
      ['list', 26],
    ],
  );
  const all = [...entries, ...elements.flatMap((element) => element.entries)];
  const named = all.filter(({ key }) => /\bl\d+/.test(key));
  t.equal(named.length, 15, 'every key');
  for (const { key, line } of named) t.equal(`l${line}`, /\bl\d+/.exec(key)?.[0], key);
  t.same(tables, [{ key: 'table."in.ner"', line: 21 }]);
  t.ok(named.some(({ key }) => key === 'table."in.ner".l22'));
  t.ok(named.some(({ key }) => key === 'l18."b="'));
  t.ok(named.some(({ key }) => key === 'l19."x = y".z'));
});

t.test('the values are those of the whole text', async (t) => {
  const { entries } = readToml(tricky, (key) => /^(l\d+|table|list)\b/.test(key));
  const whole = parse(tricky) as Record<string, unknown>;
  for (const { key, value } of entries.filter(({ key: name }) => name in whole)) {
    if (key !== 'list') t.same(value, whole[key], key);
  }
  const inner = entries.find(({ key }) => key.endsWith('l23'));
  t.equal(inner?.value, 31);
});

t.test('a value that is a table stays one where the key is a setting', async (t) => {
  const text = 'value = { a = 1 }\nother = { a = 1, b = { value = [1] } }\nempty = {}\n';
  t.same(
    readToml(text, isSetting).entries.map(({ key, line }) => [key, line]),
    [
      ['value', 1],
      ['other.a', 2],
      ['other.b.value', 2],
      ['empty', 3],
    ],
  );
});

t.test('broken text: every statement has its own finding', async (t) => {
  const text = [
    'a = 1',
    'b = ',
    'c = "\\q"',
    '[t',
    'd = 01',
    'a = 2',
    'e = """',
    'x\\q"""',
    '[u]',
    'f = 1__0',
    '= 1',
    'g',
    'h = [1, 2',
    'never ends',
  ].join('\n');
  const { problems } = readToml(text, isSetting);
  t.same(
    problems.map(({ key, line }) => [key, line]),
    [
      ['b', 2],
      ['c', 3],
      ['', 4],
      ['d', 5],
      ['a', 6],
      ['e', 8],
      ['u.f', 10],
      ['', 11],
      ['', 12],
      ['u.h', 14],
    ],
  );
  for (const { message } of problems) t.match(message, /^(is not TOML: \S|the key is there twice)/);
});

t.test('nothing that is written throws or hangs', async (t) => {
  // A fixed sequence, so that a failure can be repeated.
  let seed = 20_261;
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const pieces = [
    'a',
    '=',
    '"',
    "'",
    '"""',
    "'''",
    '[',
    ']',
    '{',
    '}',
    '\n',
    '#',
    ',',
    '.',
    '1',
    '\\',
  ];
  let agreed = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const text = Array.from({ length: next(14) }, () => pieces[next(pieces.length)]).join('');
    const { problems } = readToml(text, isSetting);
    let isToml = true;
    try {
      parse(text);
    } catch {
      isToml = false;
    }
    // No finding of ours where the library has none, and the other way round.
    if (isToml === (problems.length === 0)) agreed += 1;
    else t.fail(`${JSON.stringify(text)}: ${JSON.stringify(problems)}`);
  }
  t.equal(agreed, 20_000);
  t.same(readToml('__proto__ = 1\nconstructor.prototype.x = 1', isSetting).problems, []);
});
