// SPDX-License-Identifier: Apache-2.0
// A firmware's backend that was an Express application behind Node's https. What changed is marked.
// node server.mjs CERT KEY [PORT]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { createServer } from 'spliced'; // before: from 'node:https'

const [certificate, privateKey, port = '8443'] = process.argv.slice(2);
if (privateKey === undefined) {
  process.stderr.write('usage: node server.mjs CERT KEY [PORT]\n');
  process.exit(2);
}
const [cert, key] = [certificate, privateKey].map((path) => readFileSync(path));
const files = fileURLToPath(new URL('public', import.meta.url));
const guarded = fileURLToPath(new URL('guarded', import.meta.url));

const app = express();
app.use(express.json());
// before: app.use('/ui', express.static(files));

let name = 'gate 7';
app.get('/api/device', (request, response) => {
  response.json({ name, you: request.ip, secure: request.secure });
});
app.put('/api/device', ({ body }, response) => {
  if (typeof body.name !== 'string') return response.status(400).json({ error: 'name is missing' });
  name = body.name;
  return response.json({ name });
});
app.get('/api/events', (_request, response) => {
  response.type('text/event-stream');
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    response.write(`data: ${count}\n\n`);
  }, 100);
  response.on('close', () => clearInterval(timer));
});

// before: response.sendFile('manual.txt', { root: guarded });
app.get('/manual', (_request, response) => response.sendEngineFile('/guarded/manual.txt'));

// before: createServer({ cert, key }, app)
const routes = [
  { path: '/ui', root: files },
  { path: '/guarded', root: guarded, internal: true },
];
const server = createServer({ cert, key, routes }, app);
server.on('error', (error) => {
  process.exitCode = 1;
  process.stderr.write(`${error.message}\n`);
});
server.listen(port, () => {
  process.stdout.write(`https://localhost:${server.address().port}/ui/\n`);
});

// Finishes what runs: a download of a large file is delivered, not cut off.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());
