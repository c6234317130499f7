// SPDX-License-Identifier: Apache-2.0
// Answers without an end to people whom an application has let pass: they end after a while, so that the
// application is asked again. Those of everybody else go on.

import t from 'tap';
import { makeToken } from '../../../src/api/token.js';
import { ask, from } from './client.js';
import { follow } from './follow.js';
import { startScene } from './scene.js';

const passed = from('192.0.2.1', { 'spliced-authorized': '1', 'spliced-role': 'view' });

t.test('the log and the events end; those of a token and of the device go on', async (t) => {
  const scene = await startScene(t, { applicationStreamMs: 100 });
  const { directory, tail, events } = scene;
  const token = from('192.0.2.1', { authorization: `Bearer ${await makeToken(directory)}` });
  tail.push('{"event":"first"}');
  events.publish('build', 'b1');
  const local = await follow(t, directory, '/log');
  const byToken = await follow(t, directory, '/log', token, 'proxy.sock');
  for (const path of ['/log', '/events']) {
    const stream = await follow(t, directory, path, passed, 'proxy.sock');
    await stream.until((text) => /first|b1/.test(text));
    await stream.closed;
    t.notOk(stream.response.complete, `${path}: cut, so that its reader comes again`);
    t.equal((await ask(scene.proxy, '/session', { headers: passed })).status, 200);
    const again = await follow(t, directory, path, passed, 'proxy.sock');
    await again.until((text) => /first|b1/.test(text));
  }
  tail.push('{"event":"last"}');
  for (const stream of [local, byToken]) await stream.until((text) => text.includes('"last"'));
  t.notOk(local.response.closed || byToken.response.closed);
});

t.test('a stream that its reader leaves ends no other', async (t) => {
  const { directory, tail } = await startScene(t, { applicationStreamMs: 100 });
  const left = await follow(t, directory, '/log', passed, 'proxy.sock');
  left.end();
  await left.closed;
  const stream = await follow(t, directory, '/log');
  const other = await follow(t, directory, '/events', passed, 'proxy.sock');
  await other.closed; // Behind the time of the one that left.
  tail.push('{"event":"last"}');
  await stream.until((text) => text.includes('"last"'));
});
