// SPDX-License-Identifier: Apache-2.0
// A device for the page alone: serves dist/ui over HTTPS with the fields of the real route, and plays
// what is hard to have here, by docs/UPLOAD.md and docs/API.md: uploads that are cut off, bundles that are
// refused, installation, restart, boot. service.test.ts has a real one.

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { issueCertificate } from '../../src/certificates/issue.js';
import type { Configuration } from '../../src/config/configuration.js';
import { operatorRoutes, siteOf } from '../../src/serving/site.js';
import type {
  CertificateEntry,
  Finding,
  Power,
  Status,
  SystemDocument,
  Update,
} from '../../ui/documents.js';
import { bodyOf, json, problem } from './answers.js';
import { certificatesOf, historyOf, idleUpdate, logLines, statusOf, systemOf } from './figures.js';
import { FakePeople } from './people.js';

const uiDirectory = 'dist/ui';
const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  css: 'text/css',
};

/** The fields that the real route of the page has. */
function pageFields(): [string, string][] {
  const configuration = { root: uiDirectory, stateDir: '.', routes: [], uiEnabled: true };
  const site = siteOf({
    configuration: configuration as unknown as Configuration,
    own: operatorRoutes('.', uiDirectory),
    isTrusted: false,
  });
  const route = site.own.find(({ path }) => path === '/.spliced/ui');
  return (route?.fields ?? []).map((field) => {
    const colon = field.indexOf(': ');
    return [field.slice(0, colon), field.slice(colon + 2)];
  });
}

interface Part {
  id: string;
  name: string;
  length: number;
  offset: number;
  hash: Hash;
}

export interface DeviceOptions {
  token: string;
  status?: (second: number) => Status;
}

export class FakeDevice {
  readonly people = new FakePeople();
  readonly update: Update = idleUpdate();
  /** Why it is neither restarted nor powered off; none: it is. */
  powerRefusal = '';
  power: Power = { state: 'running', draining: false, error: null, bootId: '1' };
  certificates: CertificateEntry[] = certificatesOf(74);
  /** Why a chain that is installed is refused; none: it is not. */
  findings: Finding[] = [];
  /** What each request was. */
  readonly asked: string[] = [];
  /** Bytes per second that an upload gets; 0: all that there are. */
  bytesPerS = 0;
  /** The connection is cut off when so many bytes of the upload have come; once. */
  cutAt = Number.POSITIVE_INFINITY;
  /** What the device says of itself otherwise. */
  system: Partial<SystemDocument> = {};
  /** Takes requests and answers none. */
  isSilent = false;
  /** Whether the status is to be had without the token. */
  isMeasureOpen = true;
  /** `GET update` is answered later by so much, with what was true when it was asked. */
  answerUpdateAfterMs = 0;
  /** Where pieces of uploads have begun. */
  readonly resumedAt: number[] = [];
  /** Of the page: another one is another build. */
  build: string | undefined;
  second = 0;
  readonly #options: DeviceOptions;
  readonly #fields = pageFields();
  #server: Server | undefined;
  #isRestarted = false;
  #keys = { cert: '', key: '' };
  #part: Part | undefined;
  readonly #streams = new Set<ServerResponse>();
  readonly #logs = new Set<ServerResponse>();
  readonly #lines = logLines();
  port = 0;

  constructor(options: DeviceOptions) {
    this.#options = options;
  }

  /** At the same port as before, if there was one. */
  async start(): Promise<void> {
    if (this.#keys.cert === '') {
      const names = { commonName: 'localhost', dns: ['localhost'], ip: ['127.0.0.1'] };
      const { certificate, privateKey } = await issueCertificate(names, Date.now());
      this.#keys = { cert: certificate, key: privateKey };
    }
    const server = createServer(this.#keys, (incoming, outgoing) => {
      this.#answer(incoming, outgoing).catch((error) => outgoing.destroy(error));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As the service ends: every connection, at once. What was received stays. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#streams.clear();
    this.#logs.clear();
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Off for so long, with what changes across it. */
  async restart(offMs: number, change: () => void = () => {}): Promise<void> {
    await this.stop();
    await setTimeout(offMs);
    this.second = 0;
    this.#isRestarted = true;
    change();
    await this.start();
  }

  /** Changes the account of the update and tells those who listen. */
  set(change: Partial<Update>): void {
    Object.assign(this.update, change);
    this.#publish('update', this.update);
  }

  setPower(change: Partial<Power>): void {
    this.power = { ...this.power, ...change };
    this.#publish('device', this.power);
  }

  tellBuild(): void {
    this.#publish('build', { build: this.build ?? '' });
  }

  /** A line of the log. */
  tell(line: object): void {
    const text = JSON.stringify(line);
    const id = `0-${this.#lines.push(text) - 1}`;
    for (const log of this.#logs) log.write(`id: ${id}\ndata: ${text}\n\n`);
  }

  /** Streams that are open now. */
  get followed(): { events: number; log: number } {
    return { events: this.#streams.size, log: this.#logs.size };
  }

  #publish(name: string, data: unknown): void {
    for (const stream of this.#streams) {
      stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const path = (incoming.url ?? '').split('?')[0] ?? '';
    if (this.isSilent) return;
    this.asked.push(`${incoming.method} ${path.replace(/(upload\/).*/, '$1ID')}`);
    if (path.startsWith('/.spliced/ui/')) return this.#page(path.slice(13), outgoing);
    if (path.startsWith('/.spliced/upload/')) return this.#receive(path, incoming, outgoing);
    if (path.startsWith('/.spliced/api/v1/')) return this.#api(path.slice(17), incoming, outgoing);
    outgoing.writeHead(404, { 'Content-Type': 'text/plain' }).end('There is nothing.');
  }

  #page(name: string, outgoing: ServerResponse): void {
    const file = name === '' ? 'index.html' : name;
    let content = readFileSync(join(uiDirectory, file));
    if (file === 'index.html' && this.build !== undefined) {
      const text = content.toString();
      content = Buffer.from(text.replace(/(name="build" content=)"\w+"/, `$1"${this.build}"`));
    }
    for (const [field, value] of this.#fields) outgoing.setHeader(field, value);
    outgoing.setHeader('Content-Type', types[file.split('.').at(-1) ?? ''] ?? 'text/plain');
    outgoing.setHeader('Cache-Control', 'no-cache');
    outgoing.end(content);
  }

  async #api(path: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const isMeasure = /^(status|system)/.test(path) && this.isMeasureOpen;
    const { authorization } = incoming.headers;
    const isToken = authorization === `Bearer ${this.#options.token}`;
    if (authorization !== undefined && !isToken) {
      const detail = 'The token is wrong. "spliced token" on the device makes a new one.';
      return problem(outgoing, 401, detail);
    }
    if (this.people.isSentToSignIn) return void outgoing.writeHead(302, { Location: '/in' }).end();
    const who = this.people.who(isToken);
    if (path === 'session') return json(outgoing, who);
    if (!isMeasure && who.role === null) return problem(outgoing, 401, 'Sign in.');
    const { status = statusOf } = this.#options;
    switch (`${incoming.method} ${path}`) {
      case 'GET status':
        this.second += 1;
        return json(outgoing, this.#status(status(this.second)));
      case 'GET system':
        return json(outgoing, { ...systemOf(this.second), ...this.system });
      case 'GET system/history':
        return json(outgoing, { periodMs: 300_000, samples: historyOf() });
      case 'GET certificates':
        return json(outgoing, { served: this.certificates, waiting: [] });
      case 'PUT certificates/uploaded':
        return this.#install(outgoing);
      case 'GET log':
        return this.#log(incoming, outgoing);
      case 'GET update': {
        const then = structuredClone(this.update);
        await setTimeout(this.answerUpdateAfterMs);
        return json(outgoing, then);
      }
      case 'GET device':
        return json(outgoing, this.power);
      case 'POST device/restart':
        return this.#askPower('restarting', outgoing);
      case 'POST device/power-off':
        return this.#askPower('powering-off', outgoing);
      case 'GET events':
        return this.#events(outgoing);
      case 'POST update/uploads':
        return this.#ticket(await bodyOf(incoming), outgoing);
      case 'DELETE update/uploads':
        this.#part = undefined;
        this.set({ state: 'idle', upload: null, bundle: null, error: null, progress: null });
        return json(outgoing, {});
      case 'POST update/install':
        this.set({ state: 'installing', progress: { percent: 0, message: 'Checking the bundle' } });
        return json(outgoing, {}, 202);
      case 'POST update/restart':
        this.set({ state: 'restarting' });
        return json(outgoing, {}, 202);
      default:
        return this.#operate(`${incoming.method} ${path}`, outgoing);
    }
  }

  #askPower(state: Power['state'], outgoing: ServerResponse): void {
    if (this.powerRefusal !== '') {
      problem(outgoing, 409, this.powerRefusal);
      return;
    }
    this.setPower({ state, error: null });
    json(outgoing, this.power, 202);
  }

  /** What an operator does beside an update. */
  #operate(what: string, outgoing: ServerResponse): void {
    const [, name, mark] = /^POST update\/slots\/([\w.]+)\/(good|bad)$/.exec(what) ?? [];
    if (mark === 'good' || mark === 'bad') {
      const { slots } = this.update;
      this.set({ slots: slots.map((one) => (one.name === name ? { ...one, status: mark } : one)) });
      json(outgoing, { slot: name, mark, message: 'marked' });
    } else if (what === 'GET certificates/authority') {
      outgoing.writeHead(200, { 'Content-Type': 'application/pem-certificate-chain' });
      outgoing.end('-----BEGIN CERTIFICATE-----\n');
    } else if (what === 'POST certificates/requests') {
      json(outgoing, { request: '-----BEGIN CERTIFICATE REQUEST-----\n', names: [] }, 201);
    } else if (what === 'POST certificates/renewal' || what === 'POST drain') {
      json(outgoing, {}, 202);
    } else {
      const answer = this.people.answer(what);
      if (answer !== undefined) json(outgoing, answer);
      else problem(outgoing, 404, `There is no ${what}.`);
    }
  }

  #install(outgoing: ServerResponse): void {
    const { findings } = this;
    if (findings.length > 0) problem(outgoing, 422, 'It cannot be used.', { findings });
    else json(outgoing, { findings, isDefault: true });
  }

  #status(status: Status): Status {
    const uptimeMs = this.#isRestarted ? this.second * 1000 : status.uptimeMs;
    return { ...status, uptimeMs, certificates: this.certificates };
  }

  #stream(outgoing: ServerResponse): void {
    outgoing.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    outgoing.write('retry: 1000\n\n');
  }

  #log({ headers, url = '' }: IncomingMessage, outgoing: ServerResponse): void {
    this.#stream(outgoing);
    const last = /^0-(\d+)$/.exec(String(headers['last-event-id']))?.[1];
    const first = last === undefined ? 0 : Number(last) + 1;
    for (const [index, line] of this.#lines.entries()) {
      if (index >= first) outgoing.write(`id: 0-${index}\ndata: ${line}\n\n`);
    }
    if (url.includes('follow=false')) {
      outgoing.end();
      return;
    }
    this.#logs.add(outgoing);
    outgoing.on('close', () => this.#logs.delete(outgoing));
  }

  #events(outgoing: ServerResponse): void {
    this.#stream(outgoing);
    this.#streams.add(outgoing);
    outgoing.on('close', () => this.#streams.delete(outgoing));
    outgoing.write(`event: update\ndata: ${JSON.stringify(this.update)}\n\n`);
    outgoing.write(`event: device\ndata: ${JSON.stringify(this.power)}\n\n`);
  }

  #ticket(body: string, outgoing: ServerResponse): void {
    const { name, length } = JSON.parse(body);
    if (name.includes('toolarge')) {
      problem(outgoing, 507, `${name} needs ${length} bytes; 1048576 are free.`);
      return;
    }
    const old = this.#part;
    const isSame = old !== undefined && old.name === name && old.length === length;
    // A new ticket for the part that is there: the old one may belong to another process.
    const part: Part = isSame
      ? { ...old, id: randomBytes(32).toString('base64url') }
      : {
          id: randomBytes(32).toString('base64url'),
          name,
          length,
          offset: 0,
          hash: createHash('sha256'),
        };
    this.#part = part;
    this.set({ state: 'receiving', upload: { name, length, offset: part.offset }, error: null });
    const upload = `/.spliced/upload/${part.id}`;
    outgoing.setHeader('Location', upload);
    json(outgoing, { upload, offset: part.offset, length }, 201);
  }

  async #receive(path: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const part = this.#part;
    if (part === undefined || path !== `/.spliced/upload/${part.id}`) {
      outgoing.writeHead(404).end();
      return;
    }
    const [, first] = /^bytes (\d+)-\d+\/\d+$/.exec(incoming.headers['content-range'] ?? '') ?? [];
    if (Number(first) !== part.offset) {
      outgoing.writeHead(409, { 'Upload-Offset': part.offset }).end();
      return;
    }
    this.resumedAt.push(part.offset);
    try {
      for await (const chunk of incoming as AsyncIterable<Buffer>) {
        part.offset += chunk.length;
        part.hash.update(chunk);
        this.set({ upload: { name: part.name, length: part.length, offset: part.offset } });
        if (part.offset >= this.cutAt) {
          this.cutAt = Number.POSITIVE_INFINITY;
          incoming.socket.destroy();
          return;
        }
        if (this.bytesPerS > 0) await setTimeout((1000 * chunk.length) / this.bytesPerS);
      }
    } catch {
      return; // Cut off: what came stays.
    }
    const isWhole = part.offset === part.length;
    if (isWhole) this.#complete(part);
    outgoing.writeHead(isWhole ? 200 : 202, { 'Upload-Offset': part.offset }).end();
  }

  #complete({ name, length, hash }: Part): void {
    const sha256 = hash.digest('hex');
    this.#part = undefined;
    const about = { compatible: 'example-gateway', version: '2026.11.0', description: null };
    this.set({ state: 'received', upload: null, bundle: { name, length, sha256, ...about } });
  }
}
