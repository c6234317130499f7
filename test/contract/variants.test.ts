// SPDX-License-Identifier: Apache-2.0
// What `spliced pack` makes, served by the real addon: the sibling that the client takes, as it is
// on the disk, and never one of another version (RFC 9110 12.5.3).

import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t from 'tap';
import { availableCompressors } from '../../src/pack/compressors.js';
import { packDirectory } from '../../src/pack/pack.js';
import { get, startService } from './service.js';

const script = `export const words = '${'lorem ipsum '.repeat(20_000)}';\n`;
const compressors = availableCompressors().filter(({ name }) => name !== 'zst');

for (const ring of ['auto', 'epoll'] as const) {
  t.test(`packed siblings, ring ${ring}`, async (t) => {
    const running = await startService(t, { 'app.js': script, 'page.html': script }, { ring });
    await packDirectory({ root: running.root, compressors });
    const ask = (path: string, codings: string) =>
      get(running, { path, headers: { 'Accept-Encoding': codings } });
    const br = await ask('/app.js', 'gzip, deflate, br, zstd');
    t.match(br, { status: 200, headers: { 'content-encoding': 'br', vary: 'Accept-Encoding' } });
    t.match(br.headers['content-type'], /javascript/);
    t.equal(brotliDecompressSync(br.body).toString(), script);
    const gz = await ask('/app.js', 'gzip');
    t.equal(gunzipSync(gz.body).toString(), script);
    const plain = await ask('/app.js', 'identity');
    t.equal(plain.body.toString(), script);
    t.equal(plain.headers['content-encoding'], undefined);
    t.equal(new Set([br, gz, plain].map(({ headers }) => headers.etag)).size, 3);
    const again = { 'Accept-Encoding': 'br', 'If-None-Match': String(br.headers.etag) };
    t.equal((await get(running, { path: '/app.js', headers: again })).status, 304);
    t.equal((await ask('/app.js', 'zstd, identity;q=0')).status, 406);
    t.equal((await ask('/.spliced/manifest.json', '')).status, 404, 'the manifest is not served');

    const page = join(running.root, 'page.html');
    const packed = readFileSync(`${page}.br`);
    writeFileSync(page, 'another version');
    t.equal((await ask('/page.html', 'br')).body.toString(), 'another version');
    utimesSync(`${page}.br`, Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    t.equal((await ask('/page.html', 'br')).body.toString(), 'another version', 'a newer one too');
    t.ok(readFileSync(`${page}.br`).equals(packed), 'nothing is made while serving');
  });
}
