// SPDX-License-Identifier: Apache-2.0
// Where spliced answers otherwise than nginx, 1.22 and 1.26 alike, and why. Names are those of
// nginx-requests.ts.

export const differences: { reason: string; names: string[] }[] = [
  {
    reason:
      'RFC 9110 9.1 and 15.5.6: a method that is not allowed is 405 wherever the target points; nginx refuses some as malformed and looks for the file first.',
    names: ['method POST /absent', 'CONNECT'],
  },
  {
    reason:
      'RFC 9112 3.2 and RFC 3986 2: what must be encoded, a fragment, another scheme or a control character is 400; an encoded slash is data and no separator.',
    names: [
      'target /a.txt%0a',
      'target /..%2fa.txt',
      'target /a.txt#x',
      'target /é',
      'target ftp://a/a.txt',
    ],
  },
  {
    reason: 'Empty segments are not merged: another path is another name.',
    names: ['target //a.txt', 'target /.//a.txt'],
  },
  {
    reason: 'A file system alone, without a route: no index, and no redirect of a directory.',
    names: ['target /directory', 'target /directory/'],
  },
  {
    reason:
      'RFC 9110 2.5 and 15.6.6: another major version is 505, a malformed one 400, and HTTP/0.9 is not spoken; nginx differs in which is which.',
    names: [
      'version HTTP/0.9',
      'version HTTP/0.9, no Host',
      'version HTTP/3',
      'version HTTP/3, no Host',
      'version HTTP/1.10',
      'version ',
      'version , no Host',
      'HTTP/0.9',
      'a preface of HTTP/2',
    ],
  },
  {
    reason:
      'RFC 9112 3.2: a Host that is not valid is 400; nginx accepts some of them, and refuses an empty label, which RFC 3986 3.2.2 allows.',
    names: ['host a:b', 'host a@b', 'host [::1', 'host a..b'],
  },
  {
    reason:
      'RFC 9112 2.2, 3 and 5: strict about lines, blanks and names in a head; nginx is lenient.',
    names: [
      'field no colon',
      'field bare LF',
      'field name is no token',
      'field escape in a value',
      'two empty lines before it',
      'two spaces',
      'a space at the end',
      'lines end in LF',
    ],
  },
  {
    reason: 'RFC 6585 5: 431; nginx answers 400.',
    names: ['field an endless value'],
  },
  {
    reason:
      'RFC 9112 6.3: where chunked is not the last coding the answer is 400; nginx answers 501.',
    names: [
      'body of GET: chunked, gzip',
      'body of POST: chunked, gzip',
      'body of GET: identity',
      'body of POST: identity',
      'body of GET: xchunked',
      'body of POST: xchunked',
    ],
  },
  {
    reason:
      'RFC 9112 7.1: a malformed body is 400 whatever the method; nginx answers 405 before it reads it.',
    names: [
      'body of POST: size with a prefix',
      'body of POST: size with a sign',
      'body of POST: no size',
      'body of POST: no hexadecimal size',
      'body of POST: a huge size',
      'body of POST: data longer than its size',
    ],
  },
  {
    reason:
      'RFC 9112 7.1 and 2.2: strict about chunk lines, for two readings are how requests are smuggled; nginx accepts a bare LF and blanks.',
    names: [
      'body of GET: a space behind the size',
      'body of POST: a space behind the size',
      'body of GET: bare LF behind the size',
      'body of POST: bare LF behind the size',
      'body of GET: bare LF behind the data',
      'body of POST: bare LF behind the data',
      'body of GET: a bare LF at the end',
      'body of POST: a bare LF at the end',
    ],
  },
  {
    reason: 'RFC 9110 14.2: a range is defined for GET alone; nginx applies it to HEAD too.',
    names: [
      'range of HEAD: bytes=0-0',
      'range of HEAD: bytes=0-',
      'range of HEAD: bytes=-1',
      'range of HEAD: bytes=1-3',
      'range of HEAD: bytes=0-99999',
      'range of HEAD: bytes=5-4',
      'range of HEAD: bytes=10-',
      'range of HEAD: bytes=99-100',
      'range of HEAD: bytes=-0',
      'range of HEAD: bytes=-99999',
      'range of HEAD: bytes=a-b',
      'range of HEAD: bytes=0',
      'range of HEAD: bytes=0-1,3-4',
      'range of HEAD: bytes=0-1,0-1',
      'range of HEAD: bytes=0-1, 99-',
      'range of HEAD: bytes= 0-1',
      'range of HEAD: BYTES=0-1',
      'range of HEAD: bytes=0-1,',
      'range of HEAD: bytes=18446744073709551616-',
      'range of HEAD: bytes=0-18446744073709551616',
    ],
  },
  {
    reason:
      'RFC 9110 14.2: a Range field that is not valid is ignored, and a last position beyond the end is the end; nginx answers 416. Equal or overlapping ranges need not be sent twice (14.2, 17.15).',
    names: [
      'range of GET: bytes=5-4',
      'range of GET: bytes=a-b',
      'range of GET: bytes=0',
      'range of GET: bytes=0-1,3-4',
      'range of GET: bytes=0-1,0-1',
      'range of GET: bytes=0-1,',
      'range of GET: bytes=0-18446744073709551616',
    ],
  },
  {
    reason:
      'RFC 9110 8.8.2.2: a date cannot tell two builds apart, so nothing is kept, or put together, for its sake (docs/HTTP.md); nginx believes an equal one.',
    names: [
      'condition If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT',
      'condition If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT',
      'condition If-Modified-Since: Sun Nov  6 08:49:37 1994',
      'condition Range: bytes=0-1, If-Range: Sun, 06 Nov 1994 08:49:37 GMT',
    ],
  },
  {
    reason:
      'RFC 9110 13.1.4: If-Unmodified-Since is ignored beside If-Match, and when it is no date; nginx evaluates it.',
    names: [
      'condition If-Unmodified-Since: x',
      'condition If-Match: *, If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
    ],
  },
  {
    reason: 'RFC 9110 10.1.1: without content there is nothing to continue; nginx sends 100 first.',
    names: ['Expect, without a body'],
  },
  {
    reason:
      'RFC 9110 9.1 and 15.6.2: a method that is not known is 501; nginx answers 405, or 400 in lower case.',
    names: [
      'method get /',
      'method get /a.txt',
      'method get /absent',
      'method FOO /',
      'method FOO /a.txt',
      'method FOO /absent',
      'method PROPFIND /',
      'method PROPFIND /a.txt',
      'method PROPFIND /absent',
    ],
  },
  {
    reason: 'RFC 9110 9.3.7: OPTIONS is answered; nginx has no asterisk-form.',
    names: ['OPTIONS *'],
  },
];
