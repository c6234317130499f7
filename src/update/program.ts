// SPDX-License-Identifier: Apache-2.0
// Runs a program for an adapter: by its arguments, never through a shell; lines, the tail of its
// errors and its time are bounded. Used by the adapters.

import { spawn } from 'node:child_process';
import { InstallError } from './installer.js';

export const programBounds = {
  lineCharactersMax: 4096,
  errorCharactersMax: 2048,
  /** Of all output, where a program's whole answer is wanted. */
  outputCharactersMax: 1024 * 1024,
  /** For a question to a service; D-Bus itself waits 25 s. */
  answerTimeoutMs: 30_000,
  installTimeoutMs: 4 * 3_600_000,
  /** For output behind the program's end: what it has started may hold the streams for ever. */
  trailingOutputMs: 2_000,
} as const;

export interface ProgramOptions {
  /** Gets each line of standard output without its end; a carriage return ends one as well. */
  onLine?: (line: string) => void;
  /** A longer line is cut there. */
  lineCharactersMax?: number;
  /** Absent: it may run for ever. */
  timeoutMs?: number | undefined;
  /** Ends the program. */
  signal?: AbortSignal | undefined;
}

export interface ProgramEnd {
  /** null: a signal has ended it. */
  code: number | null;
  signal: string | null;
  isTimedOut: boolean;
  /** The last of its standard error. */
  errors: string;
}

/** Cuts a stream into lines, each of at most `lineCharactersMax`. */
export function linesOf(
  onLine: (line: string) => void,
  lineCharactersMax: number = programBounds.lineCharactersMax,
): {
  take(text: string): void;
  end(): void;
} {
  let rest = '';
  const emit = (line: string): void => {
    if (line !== '') onLine(line.slice(0, lineCharactersMax));
  };
  return {
    take(text) {
      const lines = (rest + text).split(/[\r\n]+/);
      // Of a line without an end only its beginning is kept.
      rest = (lines.pop() ?? '').slice(0, lineCharactersMax);
      for (const line of lines) emit(line);
    },
    end: () => emit(rest),
  };
}

function whyNotStarted(program: string, error: NodeJS.ErrnoException): InstallError {
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such program',
    EACCES: 'it may not be executed',
  };
  return new InstallError(`${program}: ${reasons[error.code ?? ''] ?? error.message}`);
}

/** Rejects with InstallError when it cannot be started. */
export function runProgram(
  [program = '', ...args]: readonly string[],
  { onLine = () => {}, lineCharactersMax, timeoutMs, signal }: ProgramOptions,
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let isTimedOut = false;
    let errors = '';
    const lines = linesOf(onLine, lineCharactersMax);
    const stop = (): void => void child.kill('SIGTERM');
    const timeOut = (): void => {
      isTimedOut = true;
      child.kill('SIGKILL');
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(timeOut, timeoutMs);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop);
    child.stdout.setEncoding('utf8').on('data', lines.take);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-programBounds.errorCharactersMax);
    });
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    };
    child.on('error', (error) => {
      finish();
      reject(whyNotStarted(program, error));
    });
    child.on('exit', () => {
      const close = (): void => {
        child.stdout.destroy();
        child.stderr.destroy();
      };
      const trailing = setTimeout(close, programBounds.trailingOutputMs);
      child.on('close', () => clearTimeout(trailing));
    });
    child.on('close', (code, endedBy) => {
      finish();
      lines.end();
      resolve({ code, signal: endedBy, isTimedOut, errors: errors.trim() });
    });
  });
}

/** How it ended, for a program that has said nothing of its own. */
export function endInWords({ code, signal, isTimedOut }: ProgramEnd, timeoutMs: number): string {
  if (isTimedOut) return `it did not end within ${Math.round(timeoutMs / 1000)} s`;
  return code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
}
