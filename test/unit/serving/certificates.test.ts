// SPDX-License-Identifier: Apache-2.0
// What the status document gets of a list: all of it, or as much as fits and how many more there are.

import t from 'tap';
import { statusText } from '../../../src/serving/certificates.js';

t.test('a list within its bound, and beyond', async (t) => {
  t.equal(statusText([]), '[]');
  t.same(JSON.parse(statusText([{ a: 'é' }, 'b'])), [{ a: 'é' }, 'b']);
  const long = Array.from({ length: 20 }, (_, i) => `${i}${'é'.repeat(200)}`);
  const text = statusText(long);
  t.ok(Buffer.byteLength(text) < 2_600);
  const shown = JSON.parse(text) as unknown[];
  t.same(shown.at(-1), { more: 20 - (shown.length - 1) });
  t.same(shown.slice(0, -1), long.slice(0, shown.length - 1));
  t.ok(shown.length > 4);
  t.same(JSON.parse(statusText(['x'.repeat(5_000)])), [{ more: 1 }]);
});
