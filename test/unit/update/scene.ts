// SPDX-License-Identifier: Apache-2.0
// A manager with an installer that does what the test says, in a directory of its own.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { noHousekeeping } from '../../../src/files/housekeeping.js';
import type { Log } from '../../../src/log/log.js';
import type { UpdateDocument } from '../../../src/update/document.js';
import {
  type Device,
  type Follow,
  type InstallCallbacks,
  InstallError,
  type Installer,
  type OthersEvents,
} from '../../../src/update/installer.js';
import { UpdateManager } from '../../../src/update/manager.js';
import type { UpdateParts } from '../../../src/update/manager-parts.js';
import type { ReceivedBundle } from '../../../src/update/record.js';

/** Installations that the test ends. */
export class FakeInstaller implements Installer {
  readonly calls: string[] = [];
  deviceAnswer: Device = { compatible: 'gate', slots: [] };
  refusal: string | undefined;
  #under: { callbacks: InstallCallbacks; end: (error?: Error) => void } | undefined;
  #others: OthersEvents | undefined;
  isClosed = false;

  async device(): Promise<Device> {
    this.calls.push('device');
    return this.deviceAnswer;
  }

  async inspect(path: string) {
    this.calls.push(`inspect ${path}`);
    if (this.refusal !== undefined) throw new InstallError(this.refusal);
    return { compatible: 'gate', version: '2', description: null };
  }

  install(path: string, callbacks: InstallCallbacks): Promise<void> {
    this.calls.push(`install ${path}`);
    return this.#begin(callbacks);
  }

  resume(token: string, callbacks: InstallCallbacks): Promise<void> {
    this.calls.push(`resume ${token}`);
    return this.#begin(callbacks);
  }

  watchOthers(events: OthersEvents): void {
    this.#others = events;
  }

  /** Another program has begun an installation; the test ends it as it does ours. */
  async othersBegin(token: string | null = 'theirs'): Promise<void> {
    const follow: Follow = (callbacks) => {
      if (token !== null) callbacks.onToken(token);
      return this.#begin(callbacks);
    };
    this.#others?.onBegun(follow);
    await settled();
  }

  trouble(reason: string): void {
    this.#others?.onTrouble(reason);
  }

  async mark(slot: string, mark: string): Promise<string> {
    if (slot === 'nowhere') throw new InstallError('no such slot');
    return `marked ${slot} ${mark}`;
  }

  close(): void {
    this.isClosed = true;
    this.#under?.end(new Error('aborted'));
  }

  #begin(callbacks: InstallCallbacks): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      this.#under = { callbacks, end };
    });
  }

  get callbacks(): InstallCallbacks {
    if (this.#under === undefined) throw new Error('nothing is installed');
    return this.#under.callbacks;
  }

  async end(refusal?: string): Promise<void> {
    this.#under?.end(refusal === undefined ? undefined : new InstallError(refusal));
    await settled();
  }
}

/** What was begun in the background has come as far as it can. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

export interface Scene {
  manager: UpdateManager;
  installer: FakeInstaller;
  directory: string;
  documents: UpdateDocument[];
  lines: Record<string, unknown>[];
  last(): UpdateDocument;
  /** A file as an upload leaves it. */
  file(name?: string): ReceivedBundle & { isThere(): boolean };
  /** Another process in the place of this one. */
  next(parts?: Partial<UpdateParts>): Promise<Scene>;
}

export async function startScene(
  t: Test,
  parts: Partial<UpdateParts> = {},
  directory = join(t.testdir(), 'update'),
): Promise<Scene> {
  const documents: UpdateDocument[] = [];
  const lines: Record<string, unknown>[] = [];
  const note = (line: object): void => void lines.push({ ...line });
  const installer = new FakeInstaller();
  const restart = {
    kind: 'reboot' as const,
    env: {},
    endForRestart: () => {},
    stop: new AbortController().signal,
  };
  const all: UpdateParts = {
    adapter: 'rauc',
    loadInstaller: async () => installer,
    directory,
    restart,
    log: { info: note, warn: note, error: note } as unknown as Log,
    housekeeping: noHousekeeping,
    bootId: 'boot-1',
    run: 'run-1',
    build: () => null,
    onChange: (document) => documents.push(document),
    ...parts,
  };
  const manager = new UpdateManager(all);
  manager.start();
  await settled();
  const last = (): UpdateDocument => {
    const document = documents.at(-1);
    if (document === undefined) throw new Error('nothing was told');
    return document;
  };
  const file = (name = 'bundle') => {
    const path = join(directory, `${name}.part`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(path, name);
    const sha256 = Buffer.from(name).toString('hex').padEnd(64, '0');
    return { path, name, length: name.length, sha256, isThere: () => existsSync(path) };
  };
  const next = async (more: Partial<UpdateParts> = {}) => {
    await manager.close();
    return startScene(t, { ...parts, run: 'run-2', ...more }, directory);
  };
  return { manager, installer, directory, documents, lines, last, file, next };
}
