// SPDX-License-Identifier: Apache-2.0
// The log as server-sent events: where a stream begins, how it goes on, and what a slow or a dead
// reader costs.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { LogStreams, linesPerWrite } from '../../../src/api/log-stream.js';
import { streamBounds } from '../../../src/api/server-sent.js';
import { LogTail, tailBounds } from '../../../src/log/tail.js';
import { ask } from './client.js';
import { follow } from './follow.js';
import { startScene } from './scene.js';

interface Event {
  id?: string;
  event?: string;
  data?: string;
}

/** The events of a stream's text. */
function eventsOf(text: string): Event[] {
  const events = text.split('\n\n').map((block) => {
    const fields = block.split('\n').map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
    return Object.fromEntries(fields) as Event;
  });
  return events.filter(({ data }) => data !== undefined);
}

const dataOf = (text: string): (string | undefined)[] => eventsOf(text).map(({ data }) => data);

t.test('the last lines, and no more', async (t) => {
  const { local, tail } = await startScene(t);
  for (let i = 0; i < 5; i += 1) tail.push(`{"n":${i}}`);
  const read = async (query: string) => ask(local, `/log?follow=false${query}`);
  const all = await read('');
  t.equal(all.headers['content-type'], 'text/event-stream');
  t.same(dataOf(all.text), ['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
  t.same(dataOf((await read('&lines=2')).text), ['{"n":3}', '{"n":4}']);
  t.same(dataOf((await read('&lines=0')).text), []);
  for (const query of ['&lines=-1', '&lines=1001', '&lines=x', '&follow=maybe', '&line=1']) {
    t.equal((await read(query)).status, 400, query);
  }
  const head = await ask(local, '/log', { method: 'HEAD' });
  t.same([head.status, head.headers['content-type']], [200, 'text/event-stream']);
});

t.test('it goes on, and again where it was interrupted', async (t) => {
  const { directory, local, tail } = await startScene(t);
  tail.push('{"n":0}');
  const stream = await follow(t, directory, '/log');
  await stream.until((text) => text.includes('{"n":0}'));
  tail.push('{"n":1}');
  tail.push('{"n":2}');
  const text = await stream.until((text) => text.includes('{"n":2}'));
  t.same(dataOf(text), ['{"n":0}', '{"n":1}', '{"n":2}']);
  const id = eventsOf(text)[1]?.id ?? '';
  stream.end();
  tail.push('{"n":3}');
  const again = (lastEventId: string) =>
    ask(local, '/log?follow=false', { headers: { 'last-event-id': lastEventId } });
  t.same(dataOf((await again(id)).text), ['{"n":2}', '{"n":3}']);
  const all = ['{"n":0}', '{"n":1}', '{"n":2}', '{"n":3}'];
  for (const strange of [`00000000-${id.split('-')[1]}`, 'x', '', '-1', `${id}0000`]) {
    const expected = strange === `${id}0000` ? [] : all;
    t.same(dataOf((await again(strange)).text), expected, `id "${strange}"`);
  }
});

t.test('who comes back too late is told how much is missing', async (t) => {
  const { local, tail } = await startScene(t);
  tail.push('{"n":0}');
  const first = eventsOf((await ask(local, '/log?follow=false')).text)[0]?.id ?? '';
  for (let i = 1; i <= tailBounds.linesMax + 10; i += 1) tail.push(`{"n":${i}}`);
  const headers = { 'last-event-id': first };
  const events = eventsOf((await ask(local, '/log?follow=false', { headers })).text);
  t.same(events[0], { event: 'lost', data: '{"lines":10}' });
  t.equal(events[1]?.data, '{"n":11}');
  t.equal(events.length, tailBounds.linesMax + 1);
});

t.test('at most so many readers; one that goes makes room', async (t) => {
  const { directory, local, server } = await startScene(t);
  const streams = [];
  for (let i = 0; i < streamBounds.followersMax; i += 1) {
    streams.push(await follow(t, directory, '/log'));
  }
  const refused = await ask(local, '/log');
  t.match(refused, { status: 503, headers: { 'retry-after': '30' } });
  t.equal((await ask(local, '/status')).status, 200, 'all else is answered');
  streams[0]?.end();
  let status = 503;
  while (status === 503) ({ status } = await ask(local, '/log?follow=false'));
  t.equal(status, 200);
  const ended = streams.slice(1).map(({ response }) => once(response, 'end'));
  await server.close();
  await Promise.all(ended);
});

/** Streams on a server of their own, with short times. */
async function startStreams(t: Test, clock: { heartbeatMs: number; stallMs: number }) {
  const tail = new LogTail();
  const streams = new LogStreams(tail, clock);
  const responses: ServerResponse[] = [];
  const server = createServer((_, response) => {
    responses.push(response);
    streams.serve(response, { lines: 0, isFollowing: true, lastEventId: undefined });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const outgoing = request({ port, host: '127.0.0.1', agent: false });
  outgoing.on('error', () => {});
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  const [serving] = responses;
  if (serving === undefined) throw new Error('no response');
  return { tail, response, serving };
}

t.test('a heartbeat when nothing happens', async (t) => {
  const { response } = await startStreams(t, { heartbeatMs: 5, stallMs: 1e6 });
  let text = '';
  while (text.split('\n').filter((line) => line === ': ').length < 3) {
    const [data] = await once(response, 'data');
    text += data;
  }
  t.match(text, /^retry: 3000\n\n: \n\n/);
});

t.test('a reader that takes nothing holds no more than a write, and is cut off', async (t) => {
  const { tail, response, serving } = await startStreams(t, { heartbeatMs: 1, stallMs: 100 });
  response.pause();
  const closed = once(serving, 'close');
  const line = 'x'.repeat(20_000);
  let heldMax = 0;
  let isOpen = true;
  void closed.then(() => {
    isOpen = false;
  });
  while (isOpen) {
    for (let i = 0; i < 50; i += 1) tail.push(line);
    heldMax = Math.max(heldMax, serving.writableLength);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(serving.destroyed);
  t.ok(heldMax > 0, 'it was slow indeed');
  t.ok(heldMax < 2 * linesPerWrite * line.length, `held ${heldMax} bytes`);
});
