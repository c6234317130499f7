// SPDX-License-Identifier: Apache-2.0
// native/http/media_types.inc is what `npm run media-types` makes of the mime-db that is installed,
// and what the database does not decide is an error, not a guess.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { readDatabase, renderMediaTypes, tablePath } from '../../scripts/media-types.mjs';

const { database, version } = readDatabase();

t.test('the table is current', async (t) => {
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  t.equal(version, devDependencies['mime-db'], 'the version that package.json names');
  t.equal(
    readFileSync(tablePath, 'utf8'),
    renderMediaTypes(database, version),
    `${tablePath} is not stale: otherwise "npm run media-types" writes it anew`,
  );
});

t.test('a database that says something else stops the script', async (t) => {
  const changed = (type: string, entry: object): object => ({ ...database, [type]: entry });
  const twice = changed('image/new', { source: 'iana', extensions: ['png'] });
  t.throws(() => renderMediaTypes(twice, version), /\.png .*image\/png, image\/new; decide which/);
  const none = changed('image/png', { source: 'apache', extensions: ['png'] });
  t.throws(() => renderMediaTypes(none, version), /\.png in mime-db: none; decide which/);
  const caughtUp = changed('application/zstd', { source: 'iana', extensions: ['zst'] });
  t.throws(() => renderMediaTypes(caughtUp, version), /\.zst is application\/zstd in mime-db too/);
});
