// SPDX-License-Identifier: Apache-2.0
// The raw requests that spliced and nginx are asked side by side (nginx.test.ts). Each has a name
// that never changes: the table of expected differences (nginx-differences.ts) speaks of them by it.

export interface RawRequest {
  name: string;
  bytes: string;
}

const requests: RawRequest[] = [];
const add = (name: string, bytes: string): number => requests.push({ name, bytes });
const end = 'Connection: close\r\n\r\n';

const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'get',
  'FOO',
];
for (const method of methods) {
  for (const target of ['/', '/a.txt', '/absent']) {
    add(`method ${method} ${target}`, `${method} ${target} HTTP/1.1\r\nHost: a\r\n${end}`);
  }
}

const targets = [
  '/a.txt?x=1',
  '/a.txt?',
  '/%61.txt',
  '/a%2Etxt',
  '/a.txt%00',
  '/a.txt%0a',
  '/a%zz',
  '/a%2',
  '/%',
  '/./a.txt',
  '/../a.txt',
  '/x/../a.txt',
  '/%2e%2e/a.txt',
  '/..%2fa.txt',
  '/x/%2e%2e/a.txt',
  '//a.txt',
  '/.//a.txt',
  '/a.txt/',
  '/a.txt/x',
  '/directory',
  '/directory/',
  '/directory/b.txt',
  '/directory/../a.txt',
  'a.txt',
  '',
  '*',
  '?x',
  '#',
  '/a.txt#x',
  '/a b.txt',
  '/a%20b.txt',
  '/a+b.txt',
  '/\u00e9',
  '/%C3%A9',
  '/a\\b',
  '/a|b',
  '/"',
  '/<',
  '/{}',
  '/~',
  '/a;b',
  '/.hidden',
  'http://a/a.txt',
  'https://a/a.txt',
  'http://b/a.txt',
  'HTTP://a/a.txt',
  'http://a',
  'http://',
  'ftp://a/a.txt',
  'a:443',
  `/${'a'.repeat(300)}`,
  `/${'a/'.repeat(200)}b`,
  `/${'%61'.repeat(10)}`,
  '/A.TXT',
  '/empty',
  '/large.bin',
];
for (const target of targets) {
  add(`target ${target.slice(0, 40)}`, `GET ${target} HTTP/1.1\r\nHost: a\r\n${end}`);
}

const versions = [
  'HTTP/1.0',
  'HTTP/1.1',
  'HTTP/1.2',
  'HTTP/0.9',
  'HTTP/2.0',
  'HTTP/3',
  'HTTP/1.10',
  'http/1.1',
  'HTTP/1',
  'HTTP/',
  'HTTP/x.y',
  'ICAP/1.0',
  '',
];
for (const version of versions) {
  add(`version ${version}`, `GET /a.txt ${version}\r\nHost: a\r\n${end}`);
  add(`version ${version}, no Host`, `GET /a.txt ${version}\r\n${end}`);
}

const hosts = [
  '',
  'a:80',
  'a:',
  'a:b',
  'a b',
  'a/b',
  'a@b',
  '[::1]',
  '[::1]:80',
  '[::1',
  'a,b',
  'a..b',
  '.a',
  'a.',
  '-',
  '_',
  'a%20b',
  '127.0.0.1',
];
for (const host of hosts) add(`host ${host}`, `GET /a.txt HTTP/1.1\r\nHost: ${host}\r\n${end}`);
add('host twice', `GET /a.txt HTTP/1.1\r\nHost: a\r\nHost: a\r\n${end}`);
add('host differs from the target', `GET http://a/a.txt HTTP/1.1\r\nHost: b\r\n${end}`);

const fields: [name: string, fields: string][] = [
  ['space before the colon', 'X : y\r\n'],
  ['no colon', 'X\r\n'],
  ['empty name', ': y\r\n'],
  ['empty value', 'X:\r\n'],
  ['folded', 'X: y\r\n z\r\n'],
  ['bare LF', 'X: y\n'],
  ['bare CR', 'X: a\rb\r\n'],
  ['NUL in a value', 'X: a\0b\r\n'],
  ['NUL in a name', 'X\0: a\r\n'],
  ['tab in a value', 'X: a\tb\r\n'],
  ['obs-text', 'X: \u00e9\r\n'],
  ['name is no token', 'X(: a\r\n'],
  ['underscore', 'X_Y: a\r\n'],
  ['a long value', `X: ${'a'.repeat(3000)}\r\n`],
  ['an endless value', `X: ${'a'.repeat(40_000)}\r\n`],
  ['many fields', 'X: a\r\n'.repeat(50)],
  ['escape in a value', 'X: \u001b\r\n'],
];
for (const [name, text] of fields) {
  add(`field ${name}`, `GET /a.txt HTTP/1.1\r\nHost: a\r\n${text}${end}`);
}

const smuggled = `GET /b HTTP/1.1\r\nHost: a\r\n${end}`;
const chunked = 'Transfer-Encoding: chunked\r\n';
const framings: [name: string, fields: string, body: string][] = [
  ['a length', 'Content-Length: 3\r\n', 'abc'],
  ['zero', 'Content-Length: 0\r\n', ''],
  ['two equal lengths', 'Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'],
  ['two lengths', 'Content-Length: 3\r\nContent-Length: 4\r\n', 'abc'],
  ['a list of lengths', 'Content-Length: 3, 3\r\n', 'abc'],
  ['a sign', 'Content-Length: +3\r\n', 'abc'],
  ['negative', 'Content-Length: -3\r\n', 'abc'],
  ['hexadecimal', 'Content-Length: 0x3\r\n', 'abc'],
  ['no number', 'Content-Length: a\r\n', 'abc'],
  ['2^64', 'Content-Length: 18446744073709551616\r\n', 'abc'],
  ['empty length', 'Content-Length:\r\n', ''],
  ['chunked', chunked, '3\r\nabc\r\n0\r\n\r\n'],
  ['empty chunked', chunked, '0\r\n\r\n'],
  ['trailers', chunked, '3\r\nabc\r\n0\r\nX: y\r\n\r\n'],
  ['extensions', chunked, '3;a=b\r\nabc\r\n0;c\r\n\r\n'],
  ['both', `Content-Length: 5\r\n${chunked}`, '0\r\n\r\n'],
  ['chunked twice', chunked + chunked, '0\r\n\r\n'],
  ['gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'],
  ['chunked, gzip', 'Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'],
  ['identity', 'Transfer-Encoding: identity\r\n', ''],
  ['xchunked', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
  ['upper case', 'TRANSFER-ENCODING: CHUNKED\r\n', '0\r\n\r\n'],
  ['size with a prefix', chunked, '0x3\r\nabc\r\n0\r\n\r\n'],
  ['size with a sign', chunked, '+3\r\nabc\r\n0\r\n\r\n'],
  ['no size', chunked, '\r\nabc\r\n0\r\n\r\n'],
  ['no hexadecimal size', chunked, 'g\r\n'],
  ['a space behind the size', chunked, '3 \r\nabc\r\n0\r\n\r\n'],
  ['a huge size', chunked, '10000000000000000\r\nabc'],
  ['bare LF behind the size', chunked, '3\nabc\r\n0\r\n\r\n'],
  ['bare LF behind the data', chunked, '3\r\nabc\n0\r\n\r\n'],
  ['data longer than its size', chunked, '3\r\nabcd\r\n0\r\n\r\n'],
  ['a bare LF at the end', chunked, '0\r\n\n'],
];
for (const [name, text, body] of framings) {
  for (const method of ['GET', 'POST']) {
    const head = `${method} /a.txt HTTP/1.1\r\nHost: a\r\n${text}\r\n`;
    add(`body of ${method}: ${name}`, head + body + smuggled);
  }
}
add('body in HTTP/1.0, chunked', `GET /a.txt HTTP/1.0\r\nHost: a\r\n${chunked}\r\n0\r\n\r\n`);

const kept = [
  '',
  'close',
  'keep-alive',
  'Close',
  'close, keep-alive',
  'x',
  'upgrade',
  'keep-alive, x',
];
for (const version of ['1.0', '1.1']) {
  for (const option of kept) {
    const field = option === '' ? '' : `Connection: ${option}\r\n`;
    const first = `GET /a.txt HTTP/${version}\r\nHost: a\r\n${field}\r\n`;
    add(`connection ${version} ${option}`, first + smuggled);
  }
}

const ranges = [
  'bytes=0-0',
  'bytes=0-',
  'bytes=-1',
  'bytes=1-3',
  'bytes=0-99999',
  'bytes=5-4',
  'bytes=10-',
  'bytes=99-100',
  'bytes=-0',
  'bytes=-99999',
  'bytes=',
  'bytes=a-b',
  'bytes=0',
  'bytes 0-1',
  'lines=0-1',
  'bytes=0-1,3-4',
  'bytes=0-1,0-1',
  'bytes=0-1, 99-',
  'bytes= 0-1',
  'BYTES=0-1',
  'bytes=0-1,',
  'bytes=18446744073709551616-',
  'bytes=0-18446744073709551616',
  '',
];
for (const range of ranges) {
  for (const method of ['GET', 'HEAD']) {
    const head = `${method} /a.txt HTTP/1.1\r\nHost: a\r\nRange: ${range}\r\n${end}`;
    add(`range of ${method}: ${range}`, head);
  }
}

const past = 'Thu, 01 Jan 1970 00:00:00 GMT';
const exact = 'Sun, 06 Nov 1994 08:49:37 GMT'; // The time stamp that the test gives every file.
const later = 'Sun, 06 Nov 1994 08:49:38 GMT';
const conditions = [
  `If-Modified-Since: ${past}`,
  `If-Modified-Since: ${exact}`,
  `If-Modified-Since: ${later}`,
  'If-Modified-Since: x',
  'If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT',
  'If-Modified-Since: Sun Nov  6 08:49:37 1994',
  `If-Unmodified-Since: ${past}`,
  `If-Unmodified-Since: ${exact}`,
  `If-Unmodified-Since: ${later}`,
  'If-Unmodified-Since: x',
  'If-None-Match: *',
  'If-None-Match: "x"',
  'If-None-Match: W/"x"',
  'If-None-Match: x',
  `If-None-Match: "x"\r\nIf-Modified-Since: ${exact}`,
  'If-Match: *',
  'If-Match: "x"',
  'If-Match: W/"x"',
  `If-Match: *\r\nIf-Unmodified-Since: ${past}`,
  'Range: bytes=0-1\r\nIf-Range: "x"',
  `Range: bytes=0-1\r\nIf-Range: ${exact}`,
  `Range: bytes=0-1\r\nIf-Range: ${past}`,
  `Range: bytes=99-\r\nIf-Range: "x"`,
];
for (const condition of conditions) {
  add(
    `condition ${condition.replaceAll('\r\n', ', ')}`,
    `GET /a.txt HTTP/1.1\r\nHost: a\r\n${condition}\r\n${end}`,
  );
}

add('an empty line before the request', `\r\nGET /a.txt HTTP/1.1\r\nHost: a\r\n${end}`);
add('two empty lines before it', `\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: a\r\n${end}`);
add('two spaces', `GET  /a.txt HTTP/1.1\r\nHost: a\r\n${end}`);
add('a space at the end', `GET /a.txt HTTP/1.1 \r\nHost: a\r\n${end}`);
add('a tab', `GET\t/a.txt HTTP/1.1\r\nHost: a\r\n${end}`);
add('a space before the method', ` GET /a.txt HTTP/1.1\r\nHost: a\r\n${end}`);
add('lines end in LF', 'GET /a.txt HTTP/1.1\nHost: a\nConnection: close\n\n');
add('HTTP/0.9', 'GET /a.txt\r\n');
add('no method', `/a.txt HTTP/1.1\r\nHost: a\r\n${end}`);
add('TLS inside TLS', '\u0016\u0003\u0001\u0000\u0005hello\r\n\r\n');
add('a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
add('Expect, without a body', `GET /a.txt HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n${end}`);
add('Expect something else', `GET /a.txt HTTP/1.1\r\nHost: a\r\nExpect: x\r\n${end}`);
add('OPTIONS *', `OPTIONS * HTTP/1.1\r\nHost: a\r\n${end}`);
add('CONNECT', `CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n${end}`);
add('three pipelined', smuggled.replace(end, '\r\n').repeat(2) + smuggled);

export const rawRequests: readonly RawRequest[] = requests;
