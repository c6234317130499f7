// SPDX-License-Identifier: Apache-2.0
// A firmware's backend that was a Fastify application with its `https` option. What changed is marked.
// node server.mjs CERT KEY [PORT]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Fastify from 'fastify';
import { createServer } from 'spliced';

const [certificate, privateKey, port = '8443'] = process.argv.slice(2);
if (privateKey === undefined) {
  process.stderr.write('usage: node server.mjs CERT KEY [PORT]\n');
  process.exit(2);
}
const [cert, key] = [certificate, privateKey].map((path) => readFileSync(path));
const files = fileURLToPath(new URL('public', import.meta.url));
const guarded = fileURLToPath(new URL('guarded', import.meta.url));

const app = Fastify(); // before: Fastify({ https: { cert, key } }), and @fastify/static for `files`

let name = 'gate 7';
app.get('/api/device', (request) => ({
  name,
  you: request.ip,
  secure: request.protocol === 'https',
}));
const body = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } };
app.put('/api/device', { schema: { body } }, (request) => {
  name = request.body.name;
  return { name };
});

// before: reply.sendFile('manual.txt', guarded);
app.get('/manual', (_request, reply) => reply.hijack().raw.sendEngineFile('/guarded/manual.txt'));

// before: await app.listen({ port });
await app.ready();
const routes = [
  { path: '/ui', root: files },
  { path: '/guarded', root: guarded, internal: true },
];
const server = createServer({ cert, key, routes }, app.routing);
server.on('error', (error) => {
  process.exitCode = 1;
  process.stderr.write(`${error.message}\n`);
});
server.listen(port, () => {
  process.stdout.write(`https://localhost:${server.address().port}/ui/\n`);
});

// Finishes what runs: a download of a large file is delivered, not cut off.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close();
    await app.close();
  });
}
