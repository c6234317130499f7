// SPDX-License-Identifier: Apache-2.0
// How long a page takes: a document, then its assets, all asked for as soon as it is there. Over HTTP/2 by one
// connection, over HTTP/1.1 by six, as browsers do. Prints milliseconds from the first SYN to the last byte.
//   node bench/inside/page.mjs HOST PORT h2|http/1.1 ASSETS        {"cold": 312.5, "warm": 201.2}
// cold: nothing is known of the server. warm: its session tickets and every file's entity tag are, so it is all
// 304; the connections are new. A first page, measured by nobody, warms this program.
import { connect as connectHttp2, constants } from 'node:http2';
import { Agent, get } from 'node:https';

const [host, port, protocol, assets] = process.argv.slice(2);
const paths = Array.from({ length: Number(assets) }, (_, index) => `/assets/${index}.js`);
const documentPath = '/page.html';
const connectionsMax = 6;
const tls = { host, port: Number(port), servername: 'localhost', rejectUnauthorized: false };

/** Of a path, what an answer with status, entity tag and length said; refuses one that is not as `tag` wants. */
function check(path, tags, { status, etag, bytes }) {
  const known = tags.get(path);
  const isRight = known === undefined ? status === 200 && bytes > 0 : status === 304 && bytes === 0;
  if (!isRight || !etag) throw new Error(`${path}: status ${status}, ${bytes} bytes, tag ${etag}`);
  tags.set(path, etag);
}

class Http1 {
  #agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  #sockets = new Set();

  async open() {}

  get(path, etag) {
    const headers = { host: 'localhost', ...(etag && { 'if-none-match': etag }) };
    return new Promise((resolve, reject) => {
      const request = get({ ...tls, path, headers, agent: this.#agent }, (response) => {
        this.#sockets.add(response.socket);
        let bytes = 0;
        response.on('data', (chunk) => {
          bytes += chunk.length;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode, etag: response.headers.etag, bytes }),
        );
      });
      request.on('error', reject);
    });
  }

  /** How many connections there were, and how many of them resumed a session; the agent keeps the tickets. */
  close() {
    const sockets = [...this.#sockets];
    this.#sockets.clear();
    const resumed = sockets.filter((socket) => socket.isSessionReused()).length;
    for (const socket of sockets) socket.destroy();
    return { connections: sockets.length, resumed };
  }
}

class Http2 {
  #ticket;
  #session;

  open() {
    return new Promise((resolve, reject) => {
      const options = { ...tls, ...(this.#ticket && { session: this.#ticket }) };
      this.#session = connectHttp2(`https://localhost:${port}`, options, () => resolve());
      this.#session.socket.on('session', (ticket) => {
        this.#ticket = ticket;
      });
      this.#session.on('error', reject);
    });
  }

  get(path, etag) {
    const fields = { [constants.HTTP2_HEADER_PATH]: path };
    if (etag) fields[constants.HTTP2_HEADER_IF_NONE_MATCH] = etag;
    return new Promise((resolve, reject) => {
      const stream = this.#session.request(fields);
      let head = {};
      let bytes = 0;
      stream.on('response', (headers) => {
        head = headers;
      });
      stream.on('data', (chunk) => {
        bytes += chunk.length;
      });
      stream.on('end', () => resolve({ status: head[':status'], etag: head.etag, bytes }));
      stream.on('error', reject);
    });
  }

  close() {
    const resumed = this.#session.socket.isSessionReused() ? 1 : 0;
    this.#session.destroy();
    return { connections: 1, resumed };
  }
}

/** One page; `tags` has what is known of its files and learns the rest. */
async function page(client, tags) {
  const ask = async (path) => check(path, tags, await client.get(path, tags.get(path)));
  const begin = performance.now();
  await client.open();
  await ask(documentPath);
  await Promise.all(paths.map(ask));
  const ms = performance.now() - begin;
  return { ms, ...client.close() };
}

async function coldAndWarm() {
  const client = protocol === 'h2' ? new Http2() : new Http1();
  const tags = new Map();
  const cold = await page(client, tags);
  const warm = await page(client, tags);
  const expected = protocol === 'h2' ? 1 : connectionsMax;
  for (const { connections } of [cold, warm])
    if (connections !== expected) throw new Error(`${connections} connections`);
  if (warm.resumed !== expected) throw new Error(`${warm.resumed} sessions were resumed`);
  return { cold: cold.ms, warm: warm.ms };
}

await coldAndWarm();
console.log(JSON.stringify(await coldAndWarm()));
