// SPDX-License-Identifier: Apache-2.0
// Text of others in the API's bodies, which an operator reads with curl: nothing in them steers a
// terminal or turns the order of a line, and the JSON means what it meant.

import t from 'tap';
import { loadConfiguration } from '../../../src/config/configuration.js';
import { showAsJson, tomlValue } from '../../../src/config/show.js';
import { ask, post } from './client.js';
import { follow } from './follow.js';
import { certificate, startScene, updateState } from './scene.js';

// DEL, C1 (CSI), marks and embeddings of bidirectional text, separators of lines.
const codes = [0x7f, 0x80, 0x9b, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069];
const evil = `a${codes.map((code) => String.fromCharCode(code)).join('')}b – 日本`;
const raw = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

t.test('bodies, problems and events', async (t) => {
  const reload = { errors: [], applied: [evil], restartRequired: [] };
  const { directory, local, events } = await startScene(t, {
    service: {
      certificates: {
        list: () => ({ served: [{ ...certificate, subject: evil }], waiting: [] }),
        refusalOf: () => evil,
        renew: async () => [evil],
      } as never,
      configuration: {
        effective: () => '{}',
        check: async () => ({ errors: [], warnings: [] }),
        reload: async () => reload,
      } as never,
      update: { current: async () => ({ ...updateState, error: evil }) } as never,
    },
  });
  const bodies = [
    await ask(local, '/certificates'),
    await post(local, '/certificates/renewal'),
    await post(local, '/certificates/requests', { names: ['x'] }),
    await post(local, '/reload'),
    await ask(local, '/update'),
    await ask(local, `/certificates?${encodeURIComponent(evil)}=1`),
    await ask(local, `/${encodeURIComponent(evil)}`),
  ];
  for (const { status, text, json } of bodies) {
    t.notMatch(text, raw, `${status}`);
    const isMeant = JSON.stringify(json).includes(evil) || /%C2%9B/.test(text);
    t.ok(isMeant, 'the same text, read as JSON');
  }
  events.publish('update', { error: evil });
  const stream = await follow(t, directory, '/events');
  const text = await stream.until((found) => found.includes('日本'));
  t.notMatch(text, raw, 'an event');
  t.match(text, /\\u009b/);
});

t.test('the configuration, as JSON and as TOML', async (t) => {
  const loaded = loadConfiguration({ root: `/${evil}` }, { env: {} });
  t.notMatch(showAsJson(loaded), raw);
  t.notMatch(tomlValue([evil]), raw);
  t.equal(JSON.parse(tomlValue(evil)), evil);
});
