// SPDX-License-Identifier: Apache-2.0
// A password from whoever runs a command: a line of standard input, or asked for twice at a terminal,
// which does not show it. Never an argument, which every process of the device could read. Used by
// user.ts.

import { constants, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { StartError } from '../base/start-error.js';

const lineBytesMax = 4096;

const tooLong = (): StartError => new StartError(`a password has less than ${lineBytesMax} bytes`);

/** The first line; what follows is not read. */
async function firstLine(): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of process.stdin) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if ((part as Buffer).includes('\n')) break;
    if (length > lineBytesMax) throw tooLong();
  }
  const [line = ''] = Buffer.concat(parts).toString('utf8').split(/\r?\n/, 1);
  if (line === '') throw new StartError('there is no password on standard input');
  return line;
}

const keys = { interrupt: '\x03', end: '\x04', erase: ['\x7f', '\b'], eraseAll: '\x15' };

/** What is typed until Enter, unseen. Throws StartError at Ctrl-C and Ctrl-D. */
function typed(terminal: ReadStream, question: string): Promise<string> {
  process.stderr.write(question);
  let text = '';
  return new Promise((resolve, reject) => {
    const done = (end: () => void): void => {
      terminal.removeListener('data', take).pause();
      process.stderr.write('\n');
      end();
    };
    const take = (data: string | Buffer): void => {
      for (const key of String(data)) {
        if (key === '\r' || key === '\n') {
          done(() => resolve(text));
          return;
        }
        if (key === keys.interrupt || key === keys.end) {
          done(() => reject(new StartError('given up; nothing was changed')));
          return;
        }
        if (key === keys.eraseAll) text = '';
        else if (keys.erase.includes(key)) text = [...text].slice(0, -1).join('');
        else if (text.length < lineBytesMax) text += key;
      }
    };
    terminal.setEncoding('utf8').on('data', take).resume();
  });
}

async function twice(terminal: ReadStream, name: string, judge: (text: string) => void) {
  terminal.setRawMode(true);
  try {
    const password = await typed(terminal, `New password of ${name}: `);
    judge(password);
    if ((await typed(terminal, 'The same again: ')) === password) return password;
    throw new StartError('the two are not the same; nothing was changed');
  } finally {
    terminal.setRawMode(false);
    terminal.destroy();
  }
}

/**
 * To be called before root becomes another user, who may not open the terminal; it is read later.
 * Throws StartError, also what `judge` throws.
 */
export function passwordSource(): (name: string, judge: (text: string) => void) => Promise<string> {
  if (process.stdin.isTTY !== true) {
    return async (_name, judge) => {
      const line = await firstLine();
      judge(line);
      return line;
    };
  }
  const terminal = new ReadStream(
    openSync('/proc/self/fd/0', constants.O_RDONLY | constants.O_NOCTTY),
  );
  return (name, judge) => twice(terminal, name, judge);
}
