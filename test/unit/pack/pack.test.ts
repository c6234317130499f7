// SPDX-License-Identifier: Apache-2.0
// `spliced pack`: siblings with the right content and time, kept while they are current, replaced
// and removed when they are not; a manifest that is the same for the same content.

import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { summary } from '../../../src/commands/pack.js';
import { availableCompressors } from '../../../src/pack/compressors.js';
import { type PackReport, packDirectory } from '../../../src/pack/pack.js';

const compressors = availableCompressors().filter(({ name }) => name !== 'zst');
const script = `export const words = '${'lorem ipsum '.repeat(500)}';\n`;
const noise = randomBytes(5000);

function site(t: Test): string {
  const root = t.testdir({
    'index.html': `<p>${'hello '.repeat(300)}</p>`,
    'small.txt': 'too small',
    'photo.png': 'a'.repeat(5000),
    assets: { 'app.js': script },
  });
  writeFileSync(join(root, 'noise.bin'), noise);
  // Digits down to the nanosecond, as a build leaves them.
  spawnSync('touch', ['-d', '2024-05-06 07:08:09.123456789', join(root, 'assets/app.js')]);
  return root;
}

const pack = (root: string): Promise<PackReport> => packDirectory({ root, compressors });
const mtimeUs = (path: string): bigint => statSync(path, { bigint: true }).mtimeNs / 1000n;
const read = (root: string, path: string): Buffer => readFileSync(join(root, path));

t.test('siblings hold the original, and have its time', async (t) => {
  const root = site(t);
  const report = await pack(root);
  t.match(report, { files: 5, made: 4, kept: 0, removed: 0, tooLarge: [] });
  t.equal(brotliDecompressSync(read(root, 'assets/app.js.br')).toString(), script);
  t.equal(gunzipSync(read(root, 'assets/app.js.gz')).toString(), script);
  for (const name of ['assets/app.js', 'index.html']) {
    for (const end of ['br', 'gz']) {
      t.equal(mtimeUs(join(root, `${name}.${end}`)), mtimeUs(join(root, name)), `${name}.${end}`);
    }
  }
  t.same(readdirSync(root).sort(), [
    '.spliced',
    'assets',
    'index.html',
    'index.html.br',
    'index.html.gz',
    'noise.bin',
    'photo.png',
    'small.txt',
  ]);
});

t.test('what is current is kept, what is not is made again', async (t) => {
  const root = site(t);
  const first = await pack(root);
  const made = statSync(join(root, 'assets/app.js.br')).ino;
  const manifest = read(root, '.spliced/manifest.json').toString();
  t.match(await pack(root), { made: 0, kept: 4, removed: 0, build: first.build });
  t.equal(statSync(join(root, 'assets/app.js.br')).ino, made);
  t.equal(read(root, '.spliced/manifest.json').toString(), manifest, 'the same, byte for byte');

  writeFileSync(join(root, 'assets/app.js'), script.replace('lorem', 'other'));
  const changed = await pack(root);
  t.match(changed, { made: 2, kept: 2 });
  t.not(changed.build, first.build, 'another content is another build');
  t.match(brotliDecompressSync(read(root, 'assets/app.js.br')).toString(), /other/);

  utimesSync(join(root, 'index.html'), 1_000_000_000, 1_000_000_000);
  t.match(await pack(root), { made: 2, kept: 2, build: changed.build }, 'its time alone');
  writeFileSync(join(root, 'index.html.br'), 'damaged');
  utimesSync(join(root, 'index.html.br'), 1_000_000_000, 1_000_000_000);
  t.match(await pack(root), { made: 1, kept: 3 }, 'a damaged sibling');
});

t.test('siblings go with their originals, and only ours do', async (t) => {
  const root = site(t);
  writeFileSync(join(root, 'own.tar.gz'), noise);
  await pack(root);
  rmSync(join(root, 'index.html'));
  writeFileSync(join(root, 'assets/app.js'), 'now too small');
  t.match(await pack(root), { made: 0, kept: 0, removed: 4, files: 5 });
  for (const gone of ['index.html.br', 'index.html.gz', 'assets/app.js.br']) {
    t.notOk(existsSync(join(root, gone)), gone);
  }
  t.ok(existsSync(join(root, 'own.tar.gz')));
  t.match(await pack(root), { made: 0, removed: 0 });
});

t.test('what an interrupted run left is cleared away', async (t) => {
  const root = site(t);
  mkdirSync(join(root, '.spliced'));
  writeFileSync(join(root, '.spliced/manifest.json'), '{ half');
  writeFileSync(join(root, 'assets/app.js.br.spliced-unfinished'), 'half');
  writeFileSync(join(root, 'assets/app.js.gz'), 'nobody knows of what');
  t.match(await pack(root), { made: 4, kept: 0 });
  t.equal(gunzipSync(read(root, 'assets/app.js.gz')).toString(), script);
  t.same(readdirSync(join(root, 'assets')).sort(), ['app.js', 'app.js.br', 'app.js.gz']);
});

t.test('progress counts up to the number of files', async (t) => {
  const root = site(t);
  const seen: string[] = [];
  const onProgress = (done: number, total: number): void => {
    seen.push(`${done <= total ? 'of' : 'beyond'} ${total}`);
  };
  await packDirectory({ root, compressors, onProgress });
  t.same(seen, Array(5).fill('of 5'));
});

const skip = spawnSync('zstd', ['--version']).status === 0 ? false : 'no zstd to compare with';
t.test('zstd, where there is one', { skip }, async (t) => {
  const zstd = availableCompressors().find(({ name }) => name === 'zst');
  t.ok(zstd, 'the program is found');
  const packed = await zstd?.compress(Buffer.from(script));
  const unpacked = spawnSync('zstd', ['-d', '-c'], { input: packed });
  t.equal(unpacked.stdout.toString(), script);
});

t.test('the summary says what is left out', async (t) => {
  const root = site(t);
  const report = await pack(root);
  t.match(summary(report, true), /^5 files, build [0-9a-f]{16}: 4 siblings made, 0 kept/);
  t.notMatch(summary(report, true), /left out/);
  t.match(summary({ ...report, tooLarge: ['a.img'] }, false), /too large.*a\.img\nzst is left out/);
});

t.test('the command', async (t) => {
  const root = site(t);
  const run = (...args: string[]) =>
    spawnSync(process.execPath, ['dist/cli.js', 'pack', ...args], { encoding: 'utf8' });
  const packed = run(root);
  t.equal(packed.status, 0);
  t.match(packed.stdout, /5 files/);
  t.equal(packed.stderr, '', 'no bar where nobody looks');
  t.match(run(), { status: 2, stderr: /give the directory: spliced pack DIR/ });
  t.match(run(join(root, 'none')), { status: 2, stderr: /none: cannot be packed: / });
  t.match(run(join(root, 'index.html')), { status: 2, stderr: /is no directory/ });
  t.match(run(root, root), { status: 2, stderr: /unexpected argument/ });
});

t.test('what others have put into the directory is not followed', async (t) => {
  const directory = t.testdir({
    victim: 'of somebody else',
    outside: { 'page.html.br': 'there' },
    site: { 'a.js': script, '.spliced': {} },
  });
  const [root, victim] = [join(directory, 'site'), join(directory, 'victim')];
  const outside = join(directory, 'outside');
  symlinkSync(victim, join(root, 'a.js.br.spliced-unfinished'));
  symlinkSync(victim, join(root, 'a.js.gz'));
  symlinkSync(victim, join(root, '.spliced', 'manifest.json.spliced-unfinished'));
  // A manifest that names what is not beneath the directory.
  const digest = createHash('sha256').update('there').digest('hex');
  const file = { bytes: 1, sha256: '', siblings: { br: { bytes: 1, sha256: digest } } };
  const files = { '../outside/page.html': file, '../../outside/page.html': file };
  const manifest = { version: 1, build: '', files };
  writeFileSync(join(root, '.spliced', 'manifest.json'), JSON.stringify(manifest));
  t.match(await pack(root), { files: 1, made: 2, removed: 0 });
  t.equal(readFileSync(victim, 'utf8'), 'of somebody else');
  t.same(readdirSync(outside), ['page.html.br']);
  t.same(readdirSync(root).sort(), ['.spliced', 'a.js', 'a.js.br', 'a.js.gz']);
  t.ok(lstatSync(join(root, 'a.js.gz')).isFile());
  t.same(readdirSync(join(root, '.spliced')), ['manifest.json']);
  rmSync(join(root, '.spliced'), { recursive: true });
  symlinkSync(outside, join(root, '.spliced'));
  await t.rejects(pack(root), { message: /ELOOP|ENOTDIR/ });
  t.same(readdirSync(outside), ['page.html.br'], 'nor is its own directory');
});

t.test('a directory that becomes a link meanwhile', async (t) => {
  const directory = t.testdir({ outside: { 'a.js': script }, site: { sub: { 'a.js': script } } });
  const [root, outside] = [join(directory, 'site'), join(directory, 'outside')];
  const onProgress = (): void => {
    if (!existsSync(join(root, 'sub', 'a.js'))) return;
    rmSync(join(root, 'sub'), { recursive: true });
    symlinkSync(outside, join(root, 'sub'));
  };
  await t.rejects(packDirectory({ root, compressors, onProgress }), {
    message: /site\/sub|ENOTDIR/,
  });
  t.same(readdirSync(outside), ['a.js'], 'nothing was written beyond the root');
});
