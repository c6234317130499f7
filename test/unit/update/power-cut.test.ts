// SPDX-License-Identifier: Apache-2.0
// A power cut before every single call that writes, while a bundle is uploaded: the process is really
// killed there, by ../power-cut.c, and what was not synchronised is lost. The next start must find
// nothing, a part whose every byte is right, or the whole bundle, and the upload must come to its
// end from there. This file is its own child, whose receiver writes as the addon does.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { noHousekeeping } from '../../../src/files/housekeeping.js';
import type { ReceivedBundle } from '../../../src/update/record.js';
import { type Receiver, Uploads } from '../../../src/update/uploads.js';

const callsMax = 200;
const pieces = 4;
const pieceBytes = 5_000;
const bundle = Buffer.alloc(pieces * pieceBytes, 'all the bytes of it are different 0123456789');
const wish = {
  name: 'b.raucb',
  length: bundle.length,
  sha256: createHash('sha256').update(bundle).digest('hex'),
};

/** Writes the rest of the bundle by pieces, each synchronised and told. */
class WritingReceiver implements Receiver {
  readonly #fd: number;
  readonly #onNews: () => void;
  #offset: number;
  #sha256 = '';
  outcome = 0;

  constructor(path: string, offset: number, onNews: () => void) {
    this.#fd = openSync(path, 'r+');
    this.#offset = offset;
    this.#onNews = onNews;
  }

  writePiece(): boolean {
    if (this.#offset === bundle.length) return false;
    const end = Math.min(this.#offset + pieceBytes, bundle.length);
    writeSync(this.#fd, bundle.subarray(this.#offset, end), 0, end - this.#offset, this.#offset);
    fdatasyncSync(this.#fd);
    this.#offset = end;
    if (end === bundle.length) this.#sha256 = wish.sha256;
    this.#onNews();
    return true;
  }

  snapshot() {
    const common = {
      error: '',
      isBroken: false,
      isReceiving: true,
      hasPartEnded: false,
      sha256: this.#sha256,
    };
    return { ...common, offset: this.#offset, durable: this.#offset };
  }
  conclude(status: number): void {
    this.outcome = status;
  }
  sync(): void {}
  close(): boolean {
    closeSync(this.#fd);
    return true;
  }
}

/** What a start finds, and what comes when the upload goes on to its end. */
async function upload(directory: string) {
  const received: ReceivedBundle[] = [];
  let receiver: WritingReceiver | undefined;
  const uploads = new Uploads<WritingReceiver>({
    directory,
    sizeMaxBytes: 1 << 20,
    openReceiver: ({ path, offset }, onNews) => {
      receiver = new WritingReceiver(path, offset, onNews);
      return receiver;
    },
    reserveFile: async () => false,
    setReceivers: () => {},
    log: pino({ enabled: false }),
    housekeeping: noHousekeeping,
    refusal: () => undefined,
    onChange: () => {},
    onReceived: async (found) => void received.push(found),
  });
  await uploads.start();
  const offset = uploads.state()?.offset ?? 0;
  const part = join(directory, 'upload.part');
  const there = offset > 0 ? readFileSync(part) : Buffer.alloc(0);
  const isRight = there.equals(bundle.subarray(0, offset));
  if (received.length === 0) {
    await uploads.begin(wish);
    while (receiver?.writePiece()) await uploads.settled();
    await uploads.settled();
  }
  await uploads.close();
  return { offset, isRight, received, outcome: receiver?.outcome };
}

function runCut(shim: string, directory: string, at: number, lose: string): 'finished' | 'cut' {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), directory], {
    encoding: 'utf8',
    env: {
      ...process.env,
      LD_PRELOAD: shim,
      CUT_DIR: join(directory, '..'),
      CUT_AT: String(at),
      CUT_LOSE: lose,
      CUT_LOG: '',
    },
  });
  if (child.signal === 'SIGKILL') return 'cut';
  if (child.status === 0) return 'finished';
  throw new Error(`cut ${at}, losing ${lose}: ${child.status} ${child.stderr}`);
}

async function testAll(): Promise<void> {
  const { default: t } = await import('tap');
  const top = t.testdir();
  const shim = join(top, 'power-cut.so');
  const source = join(process.cwd(), 'test/unit/power-cut.c');
  const compiled = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl']);
  if (compiled.status !== 0) throw new Error(String(compiled.stderr));

  for (const lose of ['nothing', 'data', 'all'] as const) {
    t.test(`an upload, losing ${lose}`, async (t) => {
      const offsets = new Set<number>();
      let at = 1;
      let wholes = 0;
      for (; at <= callsMax; at += 1) {
        const directory = join(top, `${lose}-${at}`, 'update');
        mkdirSync(join(directory, '..'), { recursive: true });
        if (runCut(shim, directory, at, lose) === 'finished') break;
        const { offset, isRight, received, outcome } = await upload(directory);
        t.ok(isRight, `cut ${at}: the part has ${offset} bytes`);
        offsets.add(offset);
        if (outcome === undefined) wholes += 1;
        else t.equal(outcome, 200, `cut ${at}: it came to its end`);
        t.equal(received.length, 1, `cut ${at}`);
        const [found] = received;
        t.ok(readFileSync(found?.path ?? '').equals(bundle), `cut ${at}: the bundle is right`);
        t.notOk(existsSync(join(directory, 'upload.json')), `cut ${at}: nothing half done is left`);
        t.notOk(existsSync(join(directory, 'upload.part')));
      }
      t.ok(at > 20 && at < callsMax, `${at - 1} calls`);
      t.ok(offsets.has(0) && offsets.has(pieceBytes), 'parts were gone on with');
      t.ok(wholes > 0, 'and whole ones found');
    });
  }

  t.test('a record that cannot be, and a part that is too short', async (t) => {
    for (const [name, record] of [
      ['torn', '{"state":"rec'],
      [
        'strange',
        '{"state":"complete","name":"a","length":1,"offset":1,"sha256":"","file":"../x"}',
      ],
      [
        'short',
        `{"state":"receiving","name":"b.raucb","length":20000,"sha256":"","offset":9000,"file":""}`,
      ],
    ] as const) {
      const directory = join(top, name);
      mkdirSync(directory, { recursive: true });
      cpSync(fileURLToPath(import.meta.url), join(directory, 'keep'));
      const fd = openSync(join(directory, 'upload.json'), 'w');
      writeSync(fd, record);
      closeSync(fd);
      closeSync(openSync(join(directory, 'upload.part'), 'w'));
      const { offset, received } = await upload(directory);
      t.same([offset, received.length], [0, 1], name);
      t.ok(existsSync(join(directory, 'keep')), 'other files are left alone');
    }
  });
}

const [, , directory = ''] = process.argv;
if (directory !== '' && process.env.CUT_DIR) await upload(directory);
else await testAll();
