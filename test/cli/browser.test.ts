// SPDX-License-Identifier: Apache-2.0
// Headless Chromium on a site as a bundler makes it, served by the real program: a load, a reload
// from the cache, a seek by ranges, an update under an open tab, and what is served out of the box. What the
// server was asked and what it answered is told by the browser's own network log (DevTools protocol).

import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { launch, Tab } from './chromium.js';
import { type Server, startCli } from './server.js';

// Far more than Chromium reads ahead of what it plays, so that a seek has to ask for a range.
const soundBytes = 32 << 20;
const soundBytesPerS = 48_000 * 2 * 2;

/** Silence of `soundBytes` as WAV, 48 kHz, 16 bits, stereo. */
function sound(): Buffer {
  const wav = Buffer.alloc(44 + soundBytes);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + soundBytes, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(48_000, 24);
  wav.writeUInt32LE(soundBytesPerS, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(soundBytes, 40);
  return wav;
}

/** The names and contents of one build: the page, its script, style and a part that it loads later. */
function buildOf(version: string): {
  files: Record<string, string>;
  script: string;
  later: string;
} {
  const named = (name: string, extension: string, text: string): string => {
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 10);
    return `assets/${name}.a1${hash}.${extension}`;
  };
  const laterText = `document.body.dataset.later = '${version}';`;
  const later = named('later', 'js', laterText);
  const scriptText = `document.body.dataset.version = '${version}';
document.querySelector('button').addEventListener('click', () => {
  import('/${later}').catch(() => { document.body.dataset.later = 'gone'; });
});`;
  const script = named('app', 'js', scriptText);
  const styleText = `h1::after { content: '${version}'; }`;
  const style = named('app', 'css', styleText);
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${version}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/${style}">
<script type="module" src="/${script}"></script>
<body><h1>Demonstration </h1><button>Later</button><audio preload="metadata" src="/sound.wav"></audio>`;
  const files = {
    [later]: laterText,
    [script]: scriptText,
    [style]: styleText,
    'index.html': page,
  };
  return { files, script, later };
}

/** As an update should: every file whole by a rename, the page last, then the old build's away. */
function install(root: string, files: Record<string, string>, old: Record<string, string> = {}) {
  mkdirSync(join(root, 'assets'), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(root, 'new'), text);
    renameSync(join(root, 'new'), join(root, name));
  }
  for (const name of Object.keys(old)) if (!(name in files)) rmSync(join(root, name));
}

async function serve(t: Test, directory: string, args: string[]): Promise<Server> {
  const server = await startCli(directory, args);
  t.teardown(() => server.child.kill('SIGKILL'));
  return server;
}

async function seek(t: Test, tab: Tab): Promise<void> {
  tab.forget();
  const seconds = Math.floor((0.75 * soundBytes) / soundBytesPerS);
  const reached = await tab.page.evaluate(`new Promise((resolve, reject) => {
    const audio = document.querySelector('audio');
    audio.addEventListener('seeked', () => resolve(audio.currentTime));
    audio.addEventListener('error', () => reject(new Error(audio.error.message)));
    audio.currentTime = ${seconds};
  })`);
  t.equal(reached, seconds, 'the sound is where it was sought');
  const range = await tab.first('/sound.wav');
  const first = Number(/^bytes=(\d+)-/.exec(range.asked.range ?? '')?.[1]);
  t.ok(first > soundBytes / 2, `by a range from byte ${first}`);
  t.equal(range.status, 206);
  const size = 44 + soundBytes;
  t.equal(range.headers['content-range'], `bytes ${first}-${size - 1}/${size}`);
}

for (const protocol of ['http/1.1', 'h2'])
  t.test(`a site in the browser over ${protocol}: load, reload, seek, update`, async (t) => {
    const directory = t.testdir({
      'spliced.toml': `protocols = ["${protocol}"]\n[[route]]\nfallback = "index.html"\n`,
    });
    const root = join(directory, 'www');
    const [old, next] = [buildOf('one'), buildOf('two')];
    install(root, old.files);
    writeFileSync(join(root, 'sound.wav'), sound());
    const { port } = await serve(t, directory, [
      ...['--root', root],
      ...['--config', join(directory, 'spliced.toml')],
    ]);
    const origin = `https://localhost:${port}`;
    const tab = await Tab.open(await launch(t, directory, port));
    const assets = ({ files }: typeof old, status: number | 'cache', except = '') =>
      Object.fromEntries(
        Object.keys(files)
          .filter((name) => name.startsWith('assets/') && name !== except)
          .map((name) => [`/${name}`, status]),
      );

    await tab.page.goto(`${origin}/`, { waitUntil: 'load' });
    t.equal(await tab.noted('version'), 'one', 'the script ran');
    t.same(await tab.protocols(), [protocol]);
    t.same(await tab.statuses(), { '/': 200, ...assets(old, 200, old.later) });
    t.match((await tab.first('/')).headers['content-security-policy'], /^default-src 'self';/);
    t.equal((await tab.first('/sound.wav')).status, 206, 'the sound is asked for by a range');

    tab.forget();
    await tab.page.reload({ waitUntil: 'load' });
    t.equal((await tab.first('/')).status, 304);
    t.same(await tab.statuses(), { '/': 304, ...assets(old, 'cache', old.later) }, 'reload');
    t.equal(await tab.noted('version'), 'one');
    await seek(t, tab);
    t.same(tab.errors, [], 'nothing on the console');

    install(root, next.files, old.files);
    tab.forget();
    await tab.page.click('button');
    await tab.page.locator('body[data-later]').waitFor();
    t.equal(await tab.noted('later'), 'gone', 'the open tab learns that its build has gone');
    t.same(await tab.statuses(), { [`/${old.later}`]: 404 });
    t.equal((await tab.first(`/${old.later}`)).headers['cache-control'], 'no-store');
    t.match(tab.errors.splice(0), [/404/], 'and says no more than that');

    tab.forget();
    await tab.page.reload({ waitUntil: 'load' });
    t.equal(await tab.noted('version'), 'two', 'a reload brings the new build');
    t.same(await tab.statuses(), { '/': 200, ...assets(next, 200, next.later) });
    await tab.page.click('button');
    await tab.page.locator('body[data-later]').waitFor();
    t.equal(await tab.noted('later'), 'two', 'all of it');

    tab.forget();
    await tab.page.goto(`${origin}/settings/network`, { waitUntil: 'load' });
    t.equal(await tab.noted('version'), 'two', 'a page that only the application knows');
    t.same(await tab.statuses(), {
      '/settings/network': 200,
      ...assets(next, 'cache', next.later),
    });
    t.same(tab.errors, [], 'nothing on the console');
  });

t.test("what is served out of the box leads to the operators' page", async (t) => {
  const directory = t.testdir();
  const { port } = await serve(t, directory, []);
  const tab = await Tab.open(await launch(t, directory, port));
  await tab.page.goto(`https://127.0.0.1:${port}/`);
  await tab.page.waitForURL('**/.spliced/ui/');
  await tab.page.locator('#verdict').waitFor();
  const page = await tab.first('/.spliced/ui/');
  t.match(page.headers['content-security-policy'], /^default-src 'none';/);
});
