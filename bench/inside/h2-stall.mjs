// SPDX-License-Identifier: Apache-2.0
// HTTP/2 clients that asked for a large file and then stand, in two ways, by frames written here: a library
// would go on reading. For memoryPerStalledClient() of measure.mjs.
import { once } from 'node:events';
import { connect } from 'node:tls';

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const dataFrame = 0;
const headersFrame = 1;
const settingsFrame = 4;
const windowUpdateFrame = 8;
const headerBytes = 9;
const windowMax = 2 ** 31 - 1;
const windowDefault = 65_535;

function frame(type, flags, stream, payload) {
  const header = Buffer.alloc(headerBytes);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

const uint32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** RFC 7541: `:method GET` and `:scheme https` by their index, the others as literals that are not kept. */
const literal = (index, text) => Buffer.from([index, text.length, ...Buffer.from(text)]);
const getOf = (path) =>
  Buffer.concat([Buffer.from([0x82, 0x87]), literal(4, path), literal(1, 'localhost')]);

/** Preface, SETTINGS with the streams' window, the connection's window, and a GET a stream. */
function opening(path, streams, window) {
  const settings = Buffer.concat([Buffer.from([0, 4]), uint32(window)]);
  const parts = [Buffer.from(preface), frame(settingsFrame, 0, 0, settings)];
  if (window > windowDefault)
    parts.push(frame(windowUpdateFrame, 0, 0, uint32(window - windowDefault)));
  for (let index = 0; index < streams; index += 1) {
    const endStreamAndHeaders = 0x1 | 0x4;
    parts.push(frame(headersFrame, endStreamAndHeaders, 1 + 2 * index, getOf(path)));
  }
  return Buffer.concat(parts);
}

/** Calls `onFrame` with each frame's type and flags; of a payload it keeps nothing. */
function reader(onFrame) {
  let header = Buffer.alloc(0);
  let skipped = 0;
  return (chunk) => {
    let rest = chunk;
    while (rest.length > 0) {
      const skip = Math.min(skipped, rest.length);
      skipped -= skip;
      rest = rest.subarray(skip);
      const missing = headerBytes - header.length;
      header = Buffer.concat([header, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      if (header.length < headerBytes) return;
      skipped = header.readUIntBE(0, 3);
      onFrame(header.readUInt8(3), header.readUInt8(4));
      header = Buffer.alloc(0);
    }
  };
}

/** Resolves when the first DATA has come. */
async function stand(port, path, streams, { window, isReading }) {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  if (socket.alpnProtocol !== 'h2') throw new Error('the server does not speak HTTP/2');
  const stands = new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('the server ended a client that stands')));
    const read = reader((type, flags) => {
      const isSettings = type === settingsFrame && (flags & 1) === 0;
      if (isSettings) socket.write(frame(settingsFrame, 1, 0, Buffer.alloc(0)));
      if (type !== dataFrame) return;
      if (!isReading) socket.pause();
      resolve(undefined);
    });
    socket.on('data', read);
  });
  socket.write(opening(path, streams, window));
  await stands;
  return socket;
}

const standing = (path, streams, way) => async (port, clients) => {
  const sockets = [];
  for (let index = 0; index < clients; index += 1)
    sockets.push(await stand(port, path, streams, way));
  return () => {
    for (const socket of sockets) socket.removeAllListeners('close').destroy();
  };
};

/** One stream, with windows as wide as can be, and a client that reads its socket no more. */
export const notReading = (path) => standing(path, 1, { window: windowMax, isReading: false });

/** Eight streams (what lighttpd takes at most), whose client reads, and opens no window. */
export const shuttingWindows = (path) =>
  standing(path, 8, { window: windowDefault, isReading: true });
