// SPDX-License-Identifier: Apache-2.0
// curl, as people use it, over the rules of docs/HTTP.md: each row is a command line and what curl has
// to say of it. What a row checks is what curl itself understood, not our reading of the bytes.

import { execFile } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkEnd, digest, large, modes, type Site, script, startSite } from './http-site.js';

const outputBytesMax = 64 << 20;

interface Said {
  code: number;
  body: Buffer;
  stderr: string;
}

/** What curl speaks, by its option. */
type Version = '--http1.1' | '--http2';
let version: Version = '--http1.1';

/** For each transfer: no proxy, and the server's authority. */
const commonOf = ({ caFile }: Site): string[] => [
  ...['-sS', version, '--noproxy', '*', '--max-time', '60', '--cacert', caFile],
];

/** Runs curl, without anybody's .curlrc. */
function curl(site: Site, ...args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    const options = { encoding: 'buffer', maxBuffer: outputBytesMax } as const;
    execFile('curl', ['-q', ...commonOf(site), ...args], options, (error, body, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
      resolve({ code, body, stderr: stderr.toString() });
    });
  });
}

/** The body goes to a file, and curl's own account of the exchange is the answer. */
async function account(site: Site, wanted: string, ...args: string[]): Promise<string> {
  const { code, body, stderr } = await curl(site, '-o', '/dev/null', '-w', wanted, ...args);
  return code === 0 ? body.toString() : `curl ${code}: ${stderr}`;
}

const field = (head: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)\\r$`, 'im').exec(head)?.[1];

async function whole(t: Test, site: Site): Promise<void> {
  const url = `${site.origin}/large.bin`;
  for (const how of [['--tlsv1.3'], ['--tlsv1.2', '--tls-max', '1.2'], ['--http1.0']]) {
    const { code, body } = await curl(site, ...how, url);
    t.same([code, digest(body)], [0, digest(large)], `whole, ${how.join(' ')}`);
  }
  const names = Array.from({ length: 24 }, (_, index) => join(site.directory, `copy-${index}`));
  const each = names.flatMap((name) => ['-o', name, url]);
  const parallel = await curl(site, '--parallel', '--parallel-max', '8', ...each);
  t.equal(parallel.code, 0, parallel.stderr);
  const digests = new Set(names.map((name) => digest(readFileSync(name))));
  t.same([...digests], [digest(large)], '24 downloads, 8 at a time');
}

async function ranges(t: Test, site: Site): Promise<void> {
  const url = `${site.origin}/large.bin`;
  const one = await curl(site, '-r', '100000-199999', url);
  t.ok(one.body.equals(large.subarray(100_000, 200_000)), 'one range');
  const end = await curl(site, '-r', '-70000', url);
  t.ok(end.body.equals(large.subarray(-70_000)), 'the last bytes');
  t.equal(await account(site, '%{http_code}', '-r', '3000017-', url), '416', 'beyond the end');

  const asked = [
    [10, 19],
    [2_000_000, 2_499_999],
  ] as const;
  const wanted = asked.map(([first, last]) => `${first}-${last}`).join(',');
  const { body } = await curl(site, '-i', '-r', wanted, url);
  const headEnd = body.indexOf('\r\n\r\n') + 4;
  const head = body.subarray(0, headEnd).toString();
  t.match(head, version === '--http2' ? /^HTTP\/2 206 / : /^HTTP\/1.1 206 /);
  t.equal(Number(field(head, 'content-length')), body.length - headEnd);
  const boundary = /^multipart\/byteranges; boundary=(\w+)$/.exec(
    field(head, 'content-type') ?? '',
  );
  const parts = body.toString('latin1', headEnd).split(`--${boundary?.[1]}`);
  t.equal(parts.length, 4, 'nothing, two parts, the end');
  for (const [index, [first, last]] of asked.entries()) {
    const part = parts[index + 1] ?? '';
    t.equal(field(part, 'content-range'), `bytes ${first}-${last}/${large.length}`);
    const content = part.slice(part.indexOf('\r\n\r\n') + 4, -2);
    t.equal(content, large.toString('latin1', first, last + 1), `part ${first}-${last}`);
  }
}

async function resume(t: Test, site: Site): Promise<void> {
  const url = `${site.origin}/large.bin`;
  const path = join(site.directory, 'resumed');
  // A client that goes away in the middle, as after a loss of the network.
  const left = await curl(site, '-o', path, '--max-filesize', '100', url);
  t.equal(left.code, 63, 'curl leaves when it reads the length');
  for (const bytes of [0, 1_234_567, large.length - 1]) {
    writeFileSync(path, large.subarray(0, bytes));
    const wanted = '%{http_code} %{size_download}';
    const said = await curl(site, '-C', '-', '-o', path, '-w', wanted, url);
    const status = bytes === 0 ? 200 : 206;
    t.equal(said.body.toString(), `${status} ${large.length - bytes}`, `from ${bytes}`);
    t.equal(digest(readFileSync(path)), digest(large), 'and the file is whole');
  }
  const again = await curl(site, '-C', '-', '-o', path, '-w', '%{http_code}', url);
  t.same([again.code, again.body.toString()], [0, '416'], 'curl knows that it has it all');
  t.equal(digest(readFileSync(path)), digest(large));
}

async function conditions(t: Test, site: Site): Promise<void> {
  const url = `${site.origin}/large.bin`;
  const tag = join(site.directory, 'tag');
  const wanted = '%{http_code} %{size_download}';
  const save = await account(site, wanted, '--etag-save', tag, url);
  t.equal(save, `200 ${large.length}`);
  t.equal(await account(site, wanted, '--etag-compare', tag, url), '304 0', 'its entity tag');
  const copy = join(site.directory, 'dated');
  await curl(site, '-R', '-o', copy, url);
  // curl believes in dates: it reads Last-Modified, and makes a 304 of the answer by itself.
  t.equal(await account(site, wanted, '-z', copy, url), '304 0', 'If-Modified-Since by a file');
  const since = ['-H', 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT', url];
  t.equal(await account(site, wanted, ...since), save, 'the server does not');
  t.match(await account(site, wanted, '-z', '-1 Jan 1980', url), /^412 /, 'If-Unmodified-Since');
  const entity = readFileSync(tag, 'utf8').trim();
  const part = ['-r', '0-9'];
  const ifRange = (value: string): string[] => [...part, '-H', `If-Range: ${value}`, url];
  t.equal(await account(site, wanted, ...ifRange(entity)), '206 10', 'If-Range');
  t.equal(await account(site, wanted, ...ifRange('"x"')), `200 ${large.length}`, 'another entity');
  const both = [...part, '-H', `If-None-Match: ${entity}`, url];
  t.equal(await account(site, wanted, ...both), '304 0', 'If-None-Match before Range');
}

async function variants(t: Test, site: Site): Promise<void> {
  const url = `${site.origin}/app.js`;
  const wanted = '%{http_code} %{size_download}';
  for (const [coding, suffix] of Object.entries({ br: 'br', gzip: 'gz' })) {
    const accept = ['-H', `Accept-Encoding: ${coding}`];
    const packed = readFileSync(join(site.directory, 'root', `app.js.${suffix}`));
    const { code, body } = await curl(site, '--compressed', ...accept, url);
    t.same([code, body.toString() === script], [0, true], `${coding}: curl decodes it`);
    const bytes = await account(site, wanted, ...accept, url);
    t.equal(bytes, `200 ${packed.length}`, `${coding}: as on the disk`);
    const part = await curl(site, ...accept, '-r', '5-14', url);
    t.ok(part.body.equals(packed.subarray(5, 15)), `${coding}: ranges are of the sibling's bytes`);
    const head = (await curl(site, '-I', ...accept, url)).body.toString();
    t.match(head, new RegExp(`^Content-Encoding: ${coding}\r$`, 'im'));
    t.match(head, /^Vary: Accept-Encoding\r$/im);
    const ofOther = ['-H', `If-None-Match: ${field(head, 'etag')}`, url];
    t.equal(await account(site, wanted, ...accept, ...ofOther), '304 0', `${coding}: its own tag`);
    t.equal(await account(site, wanted, ...ofOther), `200 ${script.length}`, 'is not the file’s');
  }
  t.equal((await curl(site, '--compressed', url)).body.toString(), script, 'whatever curl can');
  const none = ['-H', 'Accept-Encoding: br;q=0, gzip;q=0.0, *;q=0', url];
  t.match(await account(site, wanted, ...none), /^406 /, 'q=0 for all');
}

async function methods(t: Test, site: Site): Promise<void> {
  const url = `${site.origin}/large.bin`;
  const withoutDate = (text: string): string[] =>
    text.split('\r\n').filter((line) => !line.startsWith('Date: '));
  const head = (await curl(site, '-I', url)).body.toString();
  const got = (await curl(site, '-D', '-', '-o', '/dev/null', url)).body.toString();
  t.same(withoutDate(head), withoutDate(got), 'HEAD has the fields of GET');
  const options = (await curl(site, '-i', '-X', 'OPTIONS', url)).body.toString();
  t.match(options, /^HTTP\/1.1 204 .*^Allow: GET, HEAD, OPTIONS\r$/ms);
  const asterisk = ['--request-target', '*', '-X', 'OPTIONS', site.origin];
  t.equal(await account(site, '%{http_code}', ...asterisk), '204', 'OPTIONS *');
  const absolute = ['--request-target', 'https://elsewhere/digits.txt', site.origin];
  t.equal((await curl(site, ...absolute)).body.toString(), '0123456789', 'absolute-form');
  const above = ['--path-as-is', `${site.origin}/../digits.txt`];
  t.equal(await account(site, '%{http_code}', ...above), '400', 'above the root');
  const missing = await curl(site, '-w', '%{http_code}', `${site.origin}/absent`);
  t.equal(missing.body.toString(), '<p>none</p>404', 'the page of a 404');
  t.equal((await curl(site, '-f', `${site.origin}/absent`)).code, 22, 'curl -f');
}

async function bodies(t: Test, site: Site): Promise<void> {
  const form = `${site.origin}/form`;
  const small = join(site.directory, 'small');
  writeFileSync(small, large.subarray(0, 40_000));
  const twice = (...args: string[]): string[] => [
    ...['-w', '%{http_code} %{num_connects} %{size_upload}\n', '-o', '/dev/null', ...args],
    ...['--next', ...commonOf(site), '-w', '%{http_code} %{num_connects}\n'],
    ...['-o', '/dev/null', form, '-d', 'x'],
  ];
  const send = ['-X', 'POST', '--data-binary', `@${small}`];
  const chunked = [...send, '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:'];
  const said = async (...args: string[]): Promise<string> =>
    (await curl(site, ...twice(...args))).body.toString();
  t.equal(await said(...send, form), '200 1 40000\n200 0\n', 'a body, and the connection is kept');
  t.match(await said(...chunked, form), /^200 1 \d+\n200 0\n$/, 'chunked');
  t.match(await said(...chunked, `${site.origin}/`), /^405 1 \d+\n200 0\n$/, 'where none is taken');
  // The final answer comes instead of 100: the body is never sent, and the connection ends.
  const waits = ['-H', 'Expect: 100-continue', '--expect100-timeout', '50'];
  t.equal(await said(...send, ...waits, form), '200 1 0\n200 1\n', 'Expect: 100-continue');
  t.equal(await said(...send, ...waits, `${site.origin}/`), '405 1 0\n200 1\n', 'and a refusal');
  const big = join(site.directory, 'big');
  writeFileSync(big, '');
  truncateSync(big, 8 << 20);
  // curl sends Expect by itself here.
  const huge = await curl(
    site,
    '-w',
    ' %{http_code} %{size_upload}',
    '--data-binary',
    `@${big}`,
    form,
  );
  t.match(huge.body.toString(), /^taken 200 /, '8 MiB: the answer is read');
}

async function kept(t: Test, site: Site): Promise<void> {
  const urls = ['/digits.txt', '/', '/absent', '/app.js', '/large.bin'];
  const list = Array.from({ length: 40 }, (_, i) => `${site.origin}${urls[i % urls.length]}`);
  const each = list.flatMap((url) => ['-o', '/dev/null', url]);
  const run = (...more: string[]) => curl(site, '-w', '%{num_connects}\n', ...more, ...each);
  const [one, accepted] = await site.counting(() => run());
  t.equal(one.body.toString(), `1\n${'0\n'.repeat(39)}`, '40 requests over one connection');
  t.equal(accepted, 1, 'which the server counts too');
  const [, many] = await site.counting(() => run('-H', 'Connection: close'));
  t.equal(many, 40, 'unless curl says that it closes');
}

for (const offload of modes) {
  t.test(`curl, kernel TLS ${offload}`, { timeout: 110_000 }, async (t) => {
    const site = await startSite(t, offload);
    const over = async (name: Version, steps: Record<string, typeof whole>): Promise<void> => {
      version = name;
      for (const [step, run] of Object.entries(steps))
        await t.test(`${step}, ${name}`, (t) => run(t, site));
    };
    await over('--http1.1', { whole, ranges, resume, conditions, variants, methods, bodies, kept });
    await over('--http2', { whole, ranges, resume, conditions, variants });
    await checkEnd(t, site, offload);
  });
}
