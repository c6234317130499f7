// SPDX-License-Identifier: Apache-2.0
// Streams that are reset while the ring opens or reads a file for them: nothing of theirs stays behind.

import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  fieldBlock,
  flag,
  frame,
  http2Figures,
  RawSession,
  requestFields,
  startHttp2,
  type,
} from './http2.js';
import { reset } from './http2-conformance.js';

const rounds = 40;
const names = Array.from({ length: 16 * rounds }, (_, index) => `file-${index}.bin`);
const content = randomBytes(100);
const files = Object.fromEntries(names.map((name) => [name, content]));

/** Descriptors of this process that are files beneath the web root. */
function openFiles(root: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(join('/proc/self/fd', fd));
      return target.startsWith(`${root}/file-`) ? [target] : [];
    } catch {
      return [];
    }
  });
}

for (const ring of ['auto', 'epoll'] as const) {
  t.test(`a reset between a file's opening and its stream's turn, ring ${ring}`, async (t) => {
    const running = await startHttp2(t, files, { ring, streamsMax: 64 });
    for (let round = 0; round < rounds; round += 1) {
      const raw = await RawSession.open(t, running);
      await raw.wait((of) => of.type === type.settings && of.flags === flag.ack);
      // More than is read in a turn (kReadsPerTurn): the resets are there when the files are opened.
      const streams = Array.from({ length: 16 }, (_, index) => 2 * index + 1);
      const filler = frame(0x2a, 0, 0, Buffer.alloc(16_000));
      const heads = streams.map((stream, index) =>
        frame(
          type.headers,
          flag.endHeaders | flag.endStream,
          stream,
          fieldBlock(requestFields(`/${names[16 * round + index]}`)),
        ),
      );
      const resets = streams.flatMap((stream) => [filler, reset(stream)]);
      raw.send(...heads, ...Array<Buffer>(round % 20).fill(filler), ...resets);
      raw.send(frame(type.ping, 0, 0, Buffer.alloc(8)));
      await raw.wait((of) => of.type === type.ping);
      raw.socket.destroy();
    }
    running.engine.stop(20_000);
    await running.events.wait('stopped');
    t.equal(http2Figures(running).streams.open, 0);
    running.engine.close();
    const left = openFiles(running.root);
    t.equal(left.length, 0, `${left.length} files of ${names.length} stay open`);
  });
}
