// SPDX-License-Identifier: Apache-2.0
// Files that are replaced: by way of a new file, whatever has its temporary name.

import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { RunRecord } from '../../../src/daemon/run-record.js';
import { noHousekeeping } from '../../../src/files/housekeeping.js';
import { replaceFile, replaceFileSync } from '../../../src/files/replace-file.js';
import { writeRecord } from '../../../src/update/record.js';
import { beginRestart } from '../../../src/update/restart.js';
import { writeRecord as writeUpload } from '../../../src/update/upload-record.js';

const secret = 'of somebody else';

/** A directory where the name leads to a file that must not change. */
function planted(t: Test, name: string) {
  const directory = t.testdir({ victim: secret });
  const victim = join(directory, 'victim');
  symlinkSync(victim, join(directory, name));
  const check = (file: string, text: RegExp): void => {
    t.equal(readFileSync(victim, 'utf8'), secret);
    const path = join(directory, file);
    t.ok(lstatSync(path).isFile());
    t.equal(lstatSync(path).mode & 0o777, 0o600);
    t.match(readFileSync(path, 'utf8'), text);
    t.same(readdirSync(directory).sort(), [file, 'victim'].sort());
  };
  return { directory, check };
}

t.test('a planted link is removed, not followed', async (t) => {
  for (const durable of [false, true]) {
    await t.test('sync', async (t) => {
      const { directory, check } = planted(t, 'a.new');
      replaceFileSync(join(directory, 'a'), 'text', { durable });
      check('a', /^text$/);
    });
    await t.test('async', async (t) => {
      const { directory, check } = planted(t, 'a.new');
      await replaceFile(join(directory, 'a'), 'text', { durable });
      check('a', /^text$/);
    });
  }
});

t.test('every record', async (t) => {
  await t.test('of the run', async (t) => {
    const { directory, check } = planted(t, 'service.json.new');
    const lines: object[] = [];
    new RunRecord(
      directory,
      [],
      { warn: (line: object) => lines.push(line) } as never,
      noHousekeeping,
    );
    t.same(lines, []);
    check('service.json', /"pid":/);
  });
  await t.test('of the update', async (t) => {
    const { directory, check } = planted(t, 'update.json.new');
    writeRecord(directory, { state: 'idle' } as never);
    check('update.json', /idle/);
  });
  await t.test('of an upload', async (t) => {
    const { directory, check } = planted(t, 'upload.json.new');
    await writeUpload(directory, { state: 'receiving' } as never);
    check('upload.json', /receiving/);
  });
  await t.test('the wish for a restart', async (t) => {
    const directory = t.testdir({ victim: secret });
    symlinkSync(join(directory, 'victim'), join(directory, 'reboot'));
    const means = {
      kind: 'reboot' as const,
      endForRestart: () => {},
      stop: new AbortController().signal,
    };
    t.equal(beginRestart({ ...means, env: { RUNTIME_DIRECTORY: directory } }), undefined);
    t.equal(readFileSync(join(directory, 'victim'), 'utf8'), secret);
  });
});

t.test('what cannot be replaced is as it was', async (t) => {
  const directory = t.testdir();
  const path = join(directory, 'a');
  mkdirSync(path);
  writeFileSync(join(path, 'b'), '');
  t.throws(() => replaceFileSync(path, 'text'));
  t.same(readdirSync(path), ['b']);
});
