// SPDX-License-Identifier: Apache-2.0
// Headless Chromium on the real program over HTTP/2: a page with many files by one connection, and the
// windows of an application with more event streams than HTTP/1.1 has connections.

import { createServer, type ServerResponse } from 'node:http';
import { get } from 'node:https';
import { join } from 'node:path';
import { text as body } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { listen } from '../contract/proxy.js';
import { launch, Tab } from './chromium.js';
import { type Server, startCli } from './server.js';

const assets = 60;
const windows = 10;
const streamsOfWindow = 2;
/** What a browser has of HTTP/1.1's connections to one host. */
const connectionsOfHttp1 = 6;

async function serve(t: Test, toml: string, root: Record<string, string>): Promise<Server> {
  const directory = t.testdir({
    www: root,
    'spliced.toml': `protocols = ["h2", "http/1.1"]\n${toml}`,
  });
  const server = await startCli(directory, [
    ...['--root', join(directory, 'www'), '--tls-offload', 'off'],
    ...['--config', join(directory, 'spliced.toml')],
  ]);
  t.teardown(() => server.child.kill('SIGKILL'));
  return server;
}

interface Status {
  http2: { connections: number; streams: { open: number; ever: number } };
}

/** What the server says of itself; the question goes by a connection of HTTP/1.1. */
async function http2Of(port: number): Promise<Status['http2']> {
  const options = { host: '127.0.0.1', port, path: '/.spliced/status', rejectUnauthorized: false };
  const text = await new Promise<string>((resolve, reject) => {
    get({ ...options, agent: false }, (response) => void body(response).then(resolve, reject));
  });
  return (JSON.parse(text) as Status).http2;
}

t.test('a page with 60 files', async (t) => {
  const names = Array.from({ length: assets }, (_, index) => `a${index}.js`);
  const scripts = names.map((name) => `<script async src="/${name}"></script>`).join('');
  // 500 bytes to 30 KiB, each of which counts itself.
  const textOf = (index: number): string => `${'/'.repeat(500 * (index + 1))}\nran += 1;\n`;
  const { port } = await serve(t, '', {
    ...Object.fromEntries(names.map((name, index) => [name, textOf(index)])),
    'first.js': 'var ran = 0;',
    'index.html': `<!doctype html><link rel="icon" href="data:,"><script src="/first.js"></script>${scripts}`,
  });
  const tab = await Tab.open(await launch(t, t.testdirName, port));
  for (const status of [200, 304]) {
    tab.forget();
    await tab.page.goto(`https://localhost:${port}/`, { waitUntil: 'load' });
    t.equal(await tab.page.evaluate('ran'), assets, 'all of them are complete');
    const paths = ['', 'first.js', ...names].map((name) => `/${name}`);
    t.same(await tab.statuses(), Object.fromEntries(paths.map((path) => [path, status])));
    t.same(await tab.protocols(), ['h2']);
    t.equal(await tab.connections(), 1);
  }
  t.match(await http2Of(port), { streams: { open: 0, ever: 2 * (assets + 2) } });
  t.same(tab.errors, [], 'nothing on the console');
});

/** An application whose page has two event streams in each window. */
async function streamingApplication(
  t: Test,
): Promise<{ upstream: string; open: Set<ServerResponse> }> {
  const open = new Set<ServerResponse>();
  const upstream = await listen(
    t,
    createServer((request, response) => {
      if (!request.url?.startsWith('/events')) {
        response.setHeader('Content-Type', 'text/html');
        response.end(`<!doctype html><link rel="icon" href="data:,"><script>
          const heard = [];
          const sources = [0, 1].map((index) => {
            const source = new EventSource('/events/' + index);
            source.onmessage = ({ data }) => heard.push(index + data);
            return source;
          });
        </script>`);
        return;
      }
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('data: begun\n\n');
      open.add(response);
      response.on('close', () => open.delete(response));
    }),
  );
  return { upstream, open };
}

/** Until the window has heard so from each of its streams. */
async function hears(tab: Tab, text: string): Promise<void> {
  const wanted = `[0, 1].every((index) => heard.includes(index + '${text}'))`;
  while (!(await tab.page.evaluate(wanted))) await setTimeout(20);
}

t.test('ten windows with two event streams each, and what is asked beside them', async (t) => {
  const { upstream, open } = await streamingApplication(t);
  const route = `[[route]]\npath = "/"\naction = "proxy"\nupstream = "${upstream}"\n`;
  const { port } = await serve(t, route, {});
  const context = await launch(t, t.testdirName, port);
  const tabs: Tab[] = [];
  while (tabs.length < windows) {
    const tab = await Tab.open(context);
    await tab.page.goto(`https://localhost:${port}/`);
    tabs.push(tab);
  }
  const everywhere = (text: string) => Promise.all(tabs.map((tab) => hears(tab, text)));
  await everywhere('begun');
  t.equal(open.size, windows * streamsOfWindow, 'more than there are connections of HTTP/1.1');
  t.ok(open.size > connectionsOfHttp1);
  t.match(await http2Of(port), { streams: { open: windows * streamsOfWindow } });

  const eleventh = await Tab.open(context);
  await eleventh.page.goto(`https://localhost:${port}/`);
  await hears(eleventh, 'begun');
  for (const event of ['first', 'second']) {
    for (const response of open) response.write(`data: ${event}\n\n`);
    await everywhere(event);
    await hears(eleventh, event);
    const answers = await Promise.all(
      tabs.map(({ page }) => page.evaluate("fetch('/beside').then(({ status }) => status)")),
    );
    t.same(answers, Array(windows).fill(200), 'each window asks beside its streams');
  }
  for (const tab of [...tabs, eleventh]) t.same(await tab.protocols(), ['h2']);
  for (const { page } of tabs.splice(0, 5)) await page.close();
  while (open.size > 6 * streamsOfWindow) await setTimeout(20);
  for (const response of open) response.write('data: third\n\n');
  await everywhere('third');
  for (const tab of tabs) t.same(tab.errors, [], 'nothing on the console');
});
