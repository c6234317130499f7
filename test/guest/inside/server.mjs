// SPDX-License-Identifier: Apache-2.0
// Starts a server inside the guest (the built product, or the naive one), asks the product for its
// status, stops it, and keeps its log for the report. Used by the cases.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { createInterface } from 'node:readline';

// An emulated board sets it: seconds become minutes there.
const patience = Number(process.env.SPLICED_TEST_PATIENCE ?? 1);
const readyWaitMs = 20_000 * patience;
const statusWaitMs = 10_000 * patience;
const stopWaitMs = 60_000 * patience;
const logLinesKept = 40;
const eventsKept = 500;

export class Server {
  /** Resolves when the server has printed its ready line. */
  static async start(command, args, environment = {}) {
    const server = new Server(command, args, environment);
    try {
      await server.#ready;
    } catch (error) {
      server.#child.kill('SIGKILL');
      throw error;
    }
    return server;
  }

  static product({ root, stateDir, args = [], environment = {} }) {
    const serve = ['dist/cli.js', 'serve', '--root', root, '--state-dir', stateDir];
    return Server.start(process.execPath, [...serve, '--listen', '127.0.0.1:0', ...args], {
      SPLICED_STALL_TIMEOUT_MS: '4000',
      UV_USE_IO_URING: '0',
      ...environment,
    });
  }

  static naive({ root, certificate, key }) {
    return Server.start('build/guest/naive-server', [root, certificate, key]);
  }

  port = 0;
  log = [];
  /** The log's lines, parsed, from the first on. */
  events = [];
  stoppedLine = undefined;
  #child;
  #isSignalled = false;
  #ready;
  #exited;

  constructor(command, args, environment) {
    this.#child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exited = once(this.#child, 'close');
    this.#ready = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(this.#failure('was not ready in time')), readyWaitMs);
      this.#child.on('error', reject);
      this.#child.on('exit', () => reject(this.#failure('ended before it was ready')));
      const take = (line) => {
        this.#take(line);
        if (this.port === 0) return;
        clearTimeout(late);
        resolve();
      };
      createInterface(this.#child.stdout).on('line', take);
      createInterface(this.#child.stderr).on('line', take);
    });
  }

  #failure(what) {
    return new Error(`The server ${what}. Its log:\n${this.log.join('\n')}`);
  }

  #take(line) {
    this.log.push(line);
    if (this.log.length > logLinesKept) this.log.shift();
    if (!line.startsWith('{')) return;
    const entry = JSON.parse(line);
    if (this.events.length < eventsKept) this.events.push(entry);
    if (entry.event === 'ready') this.port = entry.listeners[0].port;
    if (entry.event === 'stopped') this.stoppedLine = entry;
  }

  get pid() {
    return this.#child.pid;
  }

  /** What GET /.spliced/status says, by a connection that is closed afterwards. */
  status() {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.port, path: '/.spliced/status' };
      const tls = { agent: false, rejectUnauthorized: false, ciphers: 'TLS_AES_128_GCM_SHA256' };
      const outgoing = request({ ...options, ...tls, timeout: statusWaitMs }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => {
          if (response.statusCode !== 200) reject(new Error(`status: ${response.statusCode}`));
          else resolve(JSON.parse(text));
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('status: no answer')));
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  /** SIGTERM, once: a second one would shorten the stop. */
  signal() {
    if (!this.#isSignalled) this.#child.kill('SIGTERM');
    this.#isSignalled = true;
  }

  /** SIGTERM, then the exit code; `null` when it had to be killed. */
  async stop() {
    this.signal();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), stopWaitMs);
    const [code] = await this.#exited;
    clearTimeout(late);
    return code;
  }
}
