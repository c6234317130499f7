// SPDX-License-Identifier: Apache-2.0
// Requests that change something, as browsers send them from our page and from another site's.

import t from 'tap';
import { ask, from, json } from './client.js';
import { startScene } from './scene.js';

t.test('only our own page, or no page', async (t) => {
  const administrators = ['CN=admin'];
  const { proxy, local, calls } = await startScene(t, { administrators });
  const credentials = from('192.0.2.1', { 'x-client-certificate-subject': 'CN=admin' });
  const statusOf = async (method: string, headers: Record<string, string>) => {
    const path = method === 'POST' ? '/drain' : '/certificates/uploaded';
    const body = method === 'POST' ? '{}' : undefined;
    const all = { ...credentials, ...json, ...headers };
    return (await ask(proxy, path, { method, headers: all, body })).status;
  };
  const good: Record<string, string>[] = [
    {},
    { 'sec-fetch-site': 'same-origin', origin: 'https://device.example' },
    { 'sec-fetch-site': 'none' },
    { origin: 'https://device.example' },
    { origin: 'https://device.example:8443', host: 'device.example:8443' },
    { origin: 'https://device.example', host: 'device.example:443' },
    { origin: 'https://[fd00::1]', host: '[FD00::1]' },
  ];
  for (const headers of good)
    t.equal(await statusOf('POST', headers), 202, JSON.stringify(headers));
  const done = calls.length;
  const bad: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': '' },
    { 'sec-fetch-site': 'cross-site', origin: 'https://device.example' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://device.example' },
    { origin: 'http://device.example:443', host: 'device.example:443' },
    { origin: 'http://device.example:80', host: 'device.example:80' },
    { origin: 'wss://device.example' },
    { origin: 'https://device.example, https://device.example' },
    { origin: 'https://device.example:444' },
    { origin: 'https://device.example.evil.example' },
    { origin: 'https://device.example', host: 'device.example:8443' },
  ];
  for (const headers of bad) {
    t.equal(await statusOf('POST', headers), 403, JSON.stringify(headers));
    t.equal(await statusOf('DELETE', headers), 403, JSON.stringify(headers));
  }
  t.equal(calls.length, done, 'nothing was done');
  const options = { method: 'POST', headers: { ...json, ...bad[0] }, body: '{}' };
  t.equal((await ask(local, '/drain', options)).status, 403, 'whatever leads to the local socket');
  const forwarded = { ...json, origin: 'http://localhost:8080', host: 'localhost:8080' };
  const own = { method: 'POST', headers: forwarded, body: '{}' };
  t.equal(
    (await ask(local, '/drain', own)).status,
    202,
    'the local socket may be forwarded as http',
  );
  const reading = { headers: { ...credentials, 'sec-fetch-site': 'cross-site' } };
  t.equal((await ask(proxy, '/status', reading)).status, 200, 'reading is for CORS to judge');
});
