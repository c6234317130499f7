// SPDX-License-Identifier: Apache-2.0
// Lines to readers that hang, that are slow, and that are gone: never waited for, never cut, counted.

import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LineOutput, outputBounds } from '../../../src/log/output.js';

/** Both ends of a FIFO; the writer's is blocking, as a shell's pipe is. */
function pipe(t: Test) {
  const path = join(t.testdir(), 'fifo');
  t.equal(spawnSync('mkfifo', [path]).status, 0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, 'w') };
}

/** Everything that is there. */
function drain(reader: number): string {
  const chunk = Buffer.alloc(1 << 20);
  let text = '';
  for (;;) {
    try {
      const bytes = readSync(reader, chunk);
      if (bytes === 0) return text;
      text += chunk.toString('latin1', 0, bytes);
    } catch {
      return text; // EAGAIN
    }
  }
}

t.test('a reader that hangs, and then reads', async (t) => {
  const { reader, writer } = pipe(t);
  const output = new LineOutput(writer);
  const seen: string[] = [];
  const recovered: number[] = [];
  output.listen({
    onDropped: (_, reason) => seen.push(reason),
    onRecovered: (lines) => recovered.push(lines),
  });
  const lines = 3_000;
  for (let i = 0; i < lines; i += 1)
    output.write(`${String(i).padStart(7, '0')} ${'x'.repeat(91)}\n`);
  t.ok(output.dropped > 0 && output.dropped < lines, `${output.dropped} dropped`);
  t.equal(seen.length, output.dropped);
  t.equal(seen[0], 'its reader does not read');
  let text = '';
  while (recovered.length === 0) {
    text += drain(reader);
    await output.drained(50);
  }
  text += drain(reader);
  const got = text.trimEnd().split('\n');
  t.ok(
    got.every((line) => /^\d{7} x{91}$/.test(line)),
    'no line is cut',
  );
  t.equal(got.length + output.dropped, lines);
  t.same(recovered, [output.dropped]);
  t.same([...got].sort(), got, 'in their order');
  output.write('after\n');
  t.equal(drain(reader), 'after\n');
});

t.test('the queue has a bound', async (t) => {
  const { reader, writer } = pipe(t);
  const output = new LineOutput(writer);
  const line = `${'y'.repeat(1023)}\n`;
  for (let i = 0; i < 1_000; i += 1) output.write(line);
  const held = 1_000 - output.dropped;
  // A pipe's 64 KiB, and the queue.
  t.ok(held * line.length <= 65_536 + outputBounds.bytesMax + line.length, `${held} lines`);
  closeSync(reader);
});

t.test('a reader that is gone', async (t) => {
  const { reader, writer } = pipe(t);
  const output = new LineOutput(writer);
  const seen: [number, string][] = [];
  output.listen({ onDropped: (...what) => seen.push(what), onRecovered: () => {} });
  closeSync(reader);
  output.write('one\n');
  output.write('two\n');
  t.same(seen, [
    [1, 'EPIPE'],
    [2, 'EPIPE'],
  ]);
});

t.test('a file, and a descriptor that is closed', async (t) => {
  const path = join(t.testdir(), 'file');
  const fd = openSync(path, 'a');
  const output = new LineOutput(fd);
  output.write('one\n');
  output.write('two\n');
  await output.drained(10);
  t.equal(readFileSync(path, 'utf8'), 'one\ntwo\n');
  closeSync(fd);
  const closed = new LineOutput(999_999);
  closed.write('x\n');
  t.equal(closed.dropped, 1);
});
