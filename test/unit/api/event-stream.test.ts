// SPDX-License-Identifier: Apache-2.0
// The events of the page: everything at the start, each change once, the newest for who is slow.

import { once } from 'node:events';
import t from 'tap';
import { streamBounds } from '../../../src/api/server-sent.js';
import { Events } from '../../../src/base/events.js';
import { ask } from './client.js';
import { follow } from './follow.js';
import { startScene } from './scene.js';

t.test('what there is, then each change', async (t) => {
  const { directory, events, server } = await startScene(t);
  events.publish('update', { state: 'idle' });
  events.publish('build', { build: 'a' });
  const stream = await follow(t, directory, '/events');
  t.equal(stream.response.headers['content-type'], 'text/event-stream');
  await stream.until((text) => text.includes('"a"'));
  events.publish('build', { build: 'a' });
  events.publish('build', { build: 'b' });
  const text = await stream.until((text) => text.includes('"b"'));
  t.equal(
    text,
    'retry: 3000\n\n' +
      'event: update\ndata: {"state":"idle"}\n\n' +
      'event: build\ndata: {"build":"a"}\n\n' +
      'event: build\ndata: {"build":"b"}\n\n',
    'the same value again is no event',
  );
  const ended = once(stream.response, 'end');
  await server.close();
  await ended;
});

t.test('at most so many readers, and the log has places of its own', async (t) => {
  const { directory, local } = await startScene(t);
  const streams = [];
  for (let i = 0; i < streamBounds.followersMax; i += 1)
    streams.push(await follow(t, directory, '/events'));
  const refused = await ask(local, '/events');
  t.match(refused, { status: 503, headers: { 'retry-after': '30' } });
  t.equal((await ask(local, '/log?follow=false')).status, 200);
});

t.test('a reader that was away gets the newest value alone', async (t) => {
  const events = new Events();
  const changes: number[] = [];
  const unsubscribe = events.subscribe(() => changes.push(events.since(0).change));
  for (let i = 0; i < 3; i += 1) events.publish('update', { i });
  events.publish('build', null);
  const { values, change } = events.since(1);
  t.same(values, [
    { name: 'update', data: '{"i":2}' },
    { name: 'build', data: 'null' },
  ]);
  t.same(events.since(change), { values: [], change });
  unsubscribe();
  events.publish('build', 1);
  t.same(changes, [1, 2, 3, 4]);
});
