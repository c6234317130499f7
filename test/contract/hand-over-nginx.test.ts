// SPDX-License-Identifier: Apache-2.0
// The same application behind spliced and behind nginx, over the same recordings, request by request:
// status, framing, body and the fields of the answer agree, or the table says why they differ.

import { mkdtempSync, rmSync } from 'node:fs';
import { request as requestPlain } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startNginx } from '../nginx.js';
import { digest, startHanding } from './hand-over.js';
import { type Answer, ask, listen, rawApplication } from './proxy.js';

/** The path of its socket. */
async function behindNginx(t: Test, recordings: string, application: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-nginx-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, 'nginx.sock');
  const http = `server_tokens off; types { video/mp4 mp4; text/plain txt; }
    default_type application/octet-stream;
    server { listen unix:${socket};
      location / { proxy_pass http://${application}:; proxy_http_version 1.1;
        proxy_set_header Connection ""; proxy_set_header Host $host; }
      location /recordings/ { internal; alias ${recordings}/; } }`;
  await startNginx(t, directory, http, socket);
  return socket;
}

interface Case {
  name: string;
  /** What the application's head has behind its status line, and its body. */
  fields?: string[];
  status?: string;
  body?: string;
  isChunked?: boolean;
  method?: string;
  path?: string;
  /** ETAG is the file's. */
  headers?: Record<string, string>;
  send?: string;
  /** Why they may differ. */
  differs?: string;
}

const file = 'X-Accel-Redirect: /recordings/1.mp4';
const its = 'nginx always answers 200; the status is the application’s here';
const strict =
  'a path that means another is refused rather than repaired: 502, and nginx 404 or 200';

const cases: Case[] = [
  { name: 'whole' },
  { name: 'HEAD', method: 'HEAD' },
  { name: 'POST', method: 'POST', send: 'x=1' },
  {
    name: 'PUT with a range',
    method: 'PUT',
    send: 'x',
    headers: { Range: 'bytes=0-9' },
    differs:
      'nginx turns every method into GET, with its range; a range is GET’s alone (RFC 9110 14.2)',
  },
  { name: 'DELETE', method: 'DELETE' },
  { name: 'first bytes', headers: { Range: 'bytes=0-99' } },
  { name: 'one byte', headers: { Range: 'bytes=5-5' } },
  { name: 'from the middle', headers: { Range: 'bytes=150000-' } },
  { name: 'last bytes', headers: { Range: 'bytes=-1000' } },
  { name: 'more than there is', headers: { Range: 'bytes=0-9999999' } },
  { name: 'two ranges', headers: { Range: 'bytes=0-9,1000-1009' } },
  { name: 'behind the end', headers: { Range: 'bytes=300000-' } },
  { name: 'no range', headers: { Range: 'lines=1-2' } },
  {
    name: 'range of a HEAD',
    method: 'HEAD',
    headers: { Range: 'bytes=0-9' },
    differs: 'a range is GET’s alone (RFC 9110 14.2)',
  },
  { name: 'unchanged', headers: { 'If-None-Match': 'ETAG' } },
  { name: 'unchanged, weakly', headers: { 'If-None-Match': 'W/ETAG' } },
  { name: 'unchanged, one of several', headers: { 'If-None-Match': '"a", ETAG' } },
  { name: 'any', headers: { 'If-None-Match': '*' } },
  { name: 'changed', headers: { 'If-None-Match': '"x"' } },
  {
    name: 'the application’s own validator',
    fields: [file, 'ETag: "its"'],
    headers: { 'If-None-Match': '"its"' },
  },
  { name: 'match', headers: { 'If-Match': 'ETAG' } },
  { name: 'no match', headers: { 'If-Match': '"x"' } },
  { name: 'a part of the same', headers: { Range: 'bytes=0-9', 'If-Range': 'ETAG' } },
  { name: 'a part of another', headers: { Range: 'bytes=0-9', 'If-Range': '"x"' } },
  {
    name: 'modified since the epoch',
    headers: { 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
  },
  {
    name: 'unmodified since the epoch',
    headers: { 'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
  },
  {
    name: 'a date to come',
    headers: { 'If-Modified-Since': 'Fri, 01 Jan 2038 00:00:00 GMT' },
  },
  { name: 'type', fields: [file, 'Content-Type: text/x-own; charset=utf-8'] },
  {
    name: 'type, of a part',
    fields: [file, 'Content-Type: text/x-own'],
    headers: { Range: 'bytes=0-9' },
  },
  { name: 'attachment', fields: [file, 'Content-Disposition: attachment; filename="a.mp4"'] },
  { name: 'cookies', fields: [file, 'Set-Cookie: a=1', 'Set-Cookie: b=2; Path=/'] },
  {
    name: 'cookies with a 304',
    fields: [file, 'Set-Cookie: a=1'],
    headers: { 'If-None-Match': 'ETAG' },
  },
  { name: 'cache rule', fields: [file, 'Cache-Control: private, max-age=60'] },
  { name: 'expiry', fields: [file, 'Expires: Thu, 01 Jan 1970 00:00:01 GMT'] },
  {
    name: 'validators give way',
    fields: [file, 'ETag: "x"', 'Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT'],
  },
  { name: 'a body is dropped', body: 'never seen' },
  { name: 'a long body is dropped', body: 'x'.repeat(200_000) },
  { name: 'a chunked body is dropped', body: 'never seen', isChunked: true },
  { name: 'a coding gives way', fields: [file, 'Content-Encoding: gzip'], body: 'never' },
  {
    name: 'a field of its own',
    fields: [file, 'X-Own: 1'],
    differs: 'nginx keeps six fields of the application’s; here every end-to-end one stays',
  },
  { name: 'language', fields: [file, 'Content-Language: de'], differs: 'as a field of its own' },
  { name: 'created', status: '201 Created', differs: its },
  { name: 'not found', status: '404 Not Found', differs: its },
  { name: 'forbidden', status: '403 Forbidden', differs: its },
  { name: 'failed', status: '500 Internal Server Error', differs: its },
  { name: 'partial', status: '206 Partial Content' },
  { name: 'not modified', status: '304 Not Modified' },
  {
    name: 'no content',
    status: '204 No Content',
    differs: 'an answer that has no body has no file: 502',
  },
  { name: 'encoded', fields: ['X-Accel-Redirect: /recordings/a%20b.txt'] },
  { name: 'a space', fields: ['X-Accel-Redirect: /recordings/a b.txt'] },
  { name: 'an umlaut', fields: ['X-Accel-Redirect: /recordings/%C3%A4.txt'] },
  { name: 'a percent sign', fields: ['X-Accel-Redirect: /recordings/100%25.txt'] },
  { name: 'a query', fields: ['X-Accel-Redirect: /recordings/1.mp4?start=1'] },
  { name: 'deeper', fields: ['X-Accel-Redirect: /recordings/deep/2.txt'] },
  { name: 'an empty file', fields: ['X-Accel-Redirect: /recordings/empty.bin'] },
  { name: 'lower case', fields: ['x-accel-redirect: /recordings/1.mp4'] },
  { name: 'missing', fields: ['X-Accel-Redirect: /recordings/none.mp4'] },
  {
    name: 'a directory',
    fields: ['X-Accel-Redirect: /recordings/deep'],
    differs: 'nginx sends a redirect to where no client can go; here 404',
  },
  {
    name: 'a directory with its slash',
    fields: ['X-Accel-Redirect: /recordings/deep/'],
    differs: 'without an index nginx answers 403, here 404',
  },
  { name: 'dots', fields: ['X-Accel-Redirect: /recordings/../recordings/1.mp4'], differs: strict },
  { name: 'above', fields: ['X-Accel-Redirect: /recordings/../../etc/passwd'], differs: strict },
  { name: 'two slashes', fields: ['X-Accel-Redirect: /recordings//1.mp4'], differs: strict },
  { name: 'relative', fields: ['X-Accel-Redirect: 1.mp4'], differs: strict },
  {
    name: 'what is open to all',
    fields: ['X-Accel-Redirect: /open'],
    differs:
      'nginx begins again with any of its paths; here a file of an internal route alone can be named',
  },
  { name: 'a client asks', path: '/recordings/1.mp4' },
  { name: 'a client asks, encoded', path: '/%72ecordings/1.mp4' },
  { name: 'a client asks, with dots', path: '/x/../recordings/1.mp4' },
  { name: 'a client asks, with two slashes', path: '/recordings//1.mp4' },
  {
    name: 'a client’s own field',
    fields: [],
    headers: { 'X-Accel-Redirect': '/recordings/1.mp4' },
  },
];

const compared = [
  'content-length',
  'content-range',
  'content-disposition',
  'set-cookie',
  'content-encoding',
  'etag',
  'x-own',
  'content-language',
];

/** What must be the same: multipart bodies have boundaries of their own. */
function describe({ status, headers, body }: Answer, etag: string): Record<string, unknown> {
  const isParts = /multipart/.test(String(headers['content-type']));
  const isError = status >= 400;
  const words: Record<string, unknown> = { status };
  if (isError) return words;
  for (const name of compared) if (headers[name] !== undefined) words[name] = headers[name];
  // Each has its own form; that of this file is compared, of others that there is one.
  if (words.etag !== undefined) words.etag = words.etag === etag ? 'ETAG' : 'another';
  if (isParts) delete words['content-length'];
  words.type = isParts ? 'parts' : String(headers['content-type']).replace('; charset=utf-8', '');
  if (status === 200) words.ranges = headers['accept-ranges'];
  words.body = isParts
    ? String(body)
        .replaceAll(/--\S+/g, '--')
        .split('\r\n')
        .filter((line) => /^[^-C]/.test(line))
    : digest(body);
  return words;
}

t.test('files that are handed over, by spliced and by nginx', { timeout: 100_000 }, async (t) => {
  let current: Case = { name: '' };
  const upstream = await listen(
    t,
    rawApplication(t, (socket) => {
      let seen = '';
      socket.on('data', (data) => {
        seen += data.toString('latin1');
        const head = seen.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(seen)?.[1] ?? 0);
        if (head < 0 || seen.length < head + 4 + length) return;
        const isHead = seen.startsWith('HEAD');
        seen = '';
        const { fields = [file], status = '200 OK', body = '', isChunked = false } = current;
        const hasBody = !isHead && !/^(204|304)/.test(status);
        const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
        const content = isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
        const lines = [`HTTP/1.1 ${status}`, ...fields, framing, '', hasBody ? content : ''];
        socket.write(lines.join('\r\n'));
      });
    }),
  );
  const running = await startHanding(t, upstream);
  const nginx = await behindNginx(t, running.directory, upstream);
  const askNginx = ({ method, path, headers, send }: Case): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const options = { socketPath: nginx, method, path, headers: { Host: 'device', ...headers } };
      const outgoing = requestPlain({ ...options, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const { statusCode: status = 0, headers: fields } = response;
          resolve({ status, headers: fields, body: Buffer.concat(chunks), isWhole: true });
        });
      });
      outgoing.on('error', reject);
      outgoing.end(send);
    });
  const withTag = ({ headers = {} }: Case, etag: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('ETAG', etag)]),
    );
  current = { name: 'the validators' };
  const ourTag = String((await ask(running, { path: '/x' })).headers.etag);
  const theirTag = String((await askNginx({ name: '', path: '/x' })).headers.etag);
  t.ok(cases.length >= 60, `${cases.length} cases`);
  let agree = 0;
  for (const wanted of cases) {
    const { method = 'GET', path = '/x', send } = wanted;
    current = wanted;
    const body = send === undefined ? {} : { send };
    const ours = describe(
      await ask(running, {
        servername: 'localhost',
        method,
        path,
        headers: { Host: 'device', ...withTag(wanted, ourTag) },
        ...body,
      }),
      ourTag,
    );
    const theirs = describe(
      await askNginx({ ...wanted, method, path, headers: withTag(wanted, theirTag) }),
      theirTag,
    );
    const isSame = JSON.stringify(ours) === JSON.stringify(theirs);
    if (isSame) agree += 1;
    if (wanted.differs === undefined) t.same(ours, theirs, wanted.name);
    else t.notOk(isSame, `${wanted.name}: ${wanted.differs}`);
  }
  t.comment(`${agree} agree, ${cases.length - agree} differ for a reason`);
});
