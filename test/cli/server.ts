// SPDX-License-Identifier: Apache-2.0
// Runs dist/cli.js as a user would: a process of its own, judged by its streams and exit code.

import { type ChildProcess, spawn } from 'node:child_process';
import { request } from 'node:https';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export type LogLine = Record<string, unknown> & { event: string };

const startTimeoutMsDefault = 20_000;

function collect(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** Runs the command line to its end. One that does not end is killed and shows in `signal`. */
export function runCli(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, ['dist/cli.js', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: startTimeoutMsDefault,
    killSignal: 'SIGKILL',
  });
  return collect(child);
}

export function logLines(stdout: string): LogLine[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}

export interface Server {
  child: ChildProcess;
  port: number;
  ready: LogLine;
  ended: Promise<Ended>;
}

/** Starts a server by the given command and waits for its `ready` line. */
export async function startServer(
  command: string[],
  env: NodeJS.ProcessEnv = {},
  startTimeoutMs = startTimeoutMsDefault,
): Promise<Server> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = collect(child);
  const ready = await new Promise<LogLine>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no ready line')), startTimeoutMs);
    if (child.stdout === null) throw new Error('no standard output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [entry] = logLines(line);
      if (entry?.event !== 'ready') return;
      clearTimeout(timer);
      resolve(entry);
    });
    void ended.then(({ code, stderr }) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${code} before it was ready: ${stderr}`));
    });
  });
  const [listener] = ready.listeners as { port: number }[];
  return { child, port: listener?.port ?? 0, ready, ended };
}

/** A server on a free loopback port with a state directory of its own. */
export function startCli(
  directory: string,
  args: string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Server> {
  const own = ['--listen', '127.0.0.1:0', '--state-dir', `${directory}/state`];
  return startServer([process.execPath, 'dist/cli.js', 'serve', ...own, ...args], env);
}

export interface Download {
  status: number;
  /** Starts to read. Resolves with the number of bytes; rejects when the body is cut short. */
  read(): Promise<number>;
}

/** Sends a GET and stops at the response head: the body waits until read() is called. */
export function beginDownload(port: number, path: string): Promise<Download> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false };
    const outgoing = request(options, (response) => {
      response.pause();
      resolve({
        status: response.statusCode ?? 0,
        read: () =>
          new Promise((finish, fail) => {
            let bytes = 0;
            response.on('data', (data: Buffer) => {
              bytes += data.length;
            });
            response.on('end', () => finish(bytes));
            response.on('error', fail);
            response.resume();
          }),
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** The subject of the certificate that new clients are shown. */
export function shownTo(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()?.subject ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
