// SPDX-License-Identifier: Apache-2.0
// Connects the API's room with what the daemon has: the engine, the certificates, the configuration
// and its reload, the log. The API is for operators: where it cannot be had, the log says why and the
// service goes on. Called by daemon.ts once the service is ready.

import type { People } from '../api/people/people.js';
import type { ApiServer } from '../api/server.js';
import type { ApiService, ConfigurationFinding } from '../api/service.js';
import type { Events } from '../base/events.js';
import { reasonOf, StartError } from '../base/start-error.js';
import type { StatusDocument } from '../base/status-document.js';
import { readAuthorityCertificate } from '../certificates/authority.js';
import { certificatesDirOf } from '../certificates/device.js';
import type { CertificateManager } from '../certificates/manager.js';
import { PendingRequest } from '../certificates/pending-request.js';
import {
  type Configuration,
  ConfigurationError,
  type LoadedConfiguration,
  loadText,
} from '../config/configuration.js';
import { judgeName, namesMax } from '../config/formats.js';
import { labelOf, type Problem } from '../config/layers.js';
import { showAsJson } from '../config/show.js';
import type { Service } from '../engine/native.js';
import type { Housekeeper } from '../files/housekeeping.js';
import type { Log } from '../log/log.js';
import type { LogTail } from '../log/tail.js';
import type { Power } from '../power/power.js';
import { System } from '../system/system.js';
import { checkSystem, checkUpdateProgram } from './checks.js';
import { readClaimCode } from './claim-code.js';
import type { Participant, Reloader } from './reload.js';
import type { UpdateServing } from './update.js';
import type { UploadServing } from './uploads.js';

export interface ApiServingParts {
  configuration: Configuration;
  /** Of run-directory.ts: for the sockets. */
  runDir: string;
  service: Pick<Service, 'stats'>;
  manager: CertificateManager;
  log: Log;
  tail: LogTail;
  events: Events;
  update: Pick<UpdateServing, 'service'>;
  uploads: Pick<UploadServing, 'service'>;
  power: Pick<Power, 'current' | 'ask'>;
  housekeeping: Housekeeper;
}

/** What the text of a check is called in its findings; a file's name for all that reads it. */
const textName = 'configuration';

/** The place of a finding apart from its words. A line of another file stays in the words. */
function findingOf({ text, origin, key }: Problem): ConfigurationFinding {
  if (origin?.kind !== 'file') return { ...(key === undefined ? {} : { key }), message: text };
  const { line } = origin;
  const label = key === undefined ? `${origin.path}:${line}` : labelOf(key, origin);
  const message = text.replace(`${label}: `, '');
  return { line, ...(key === undefined ? {} : { key }), message };
}

async function checkText(
  toml: string,
): Promise<{ errors: ConfigurationFinding[]; warnings: string[] }> {
  let loaded: LoadedConfiguration;
  try {
    loaded = loadText(toml, textName);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { errors: error.findings.map(findingOf), warnings: [] };
  }
  const found = [...(await checkSystem(loaded)), ...checkUpdateProgram(loaded)];
  const errors = found.map(findingOf);
  return { errors, warnings: loaded.warnings };
}

function refusalOf(names: readonly string[]): string | undefined {
  if (names.length === 0 || names.length > namesMax) return `Give 1 to ${namesMax} names`;
  for (const name of names) {
    try {
      judgeName(name);
    } catch (error) {
      return reasonOf(error);
    }
  }
  return undefined;
}

export class ApiServing {
  readonly #parts: ApiServingParts;
  readonly #system: System;
  #administrators: readonly string[];
  #reloader: Reloader | undefined;
  #server: ApiServer | undefined;
  #people: People | undefined;
  #starting: Promise<void> | undefined;
  #refusal = ''; // That was said last.
  #isClosed = false;
  #isDraining = false;

  /** Does nothing yet; `start()` does. */
  constructor(parts: ApiServingParts) {
    this.#parts = parts;
    const { stateDir } = parts.configuration;
    const transferred = () => {
      const { bytes } = JSON.parse(parts.service.stats()) as Pick<StatusDocument, 'bytes'>;
      return { sentBytes: bytes.plaintextSent, receivedBytes: bytes.received };
    };
    this.#system = new System({ root: '/', stateDir, transferred });
    this.#administrators = parts.configuration.apiClientCertificates;
  }

  readonly participant: Participant = {
    prepare: ({ configuration }) => {
      const before = this.#administrators;
      const use = (administrators: readonly string[]) => {
        this.#administrators = administrators;
      };
      return {
        commit: () => use(configuration.apiClientCertificates),
        rollBack: () => use(before),
      };
    },
  };

  /**
   * In the background, again until it succeeds; never throws. Call it when the service is ready: it
   * reads more code.
   */
  start(reloader: Reloader): void {
    this.#reloader = reloader;
    void this.#parts.housekeeping.keep('opening the API', () => {
      this.#starting = this.#start();
      return this.#starting;
    });
  }

  /** Ends every connection. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#starting?.catch(() => {});
    this.#system.close();
    await this.#server?.close();
  }

  async #start(): Promise<void> {
    const { log, tail, events, configuration, runDir } = this.#parts;
    const { stateDir } = configuration;
    if (this.#isClosed) return;
    try {
      const { Access, ApiServer, People, codeFault } = await import('../api/main.js');
      if (this.#isClosed) return;
      const makersCode = readClaimCode(configuration.apiClaimCodeFile, codeFault, log);
      const people = this.#people ?? new People({ stateDir, log, makersCode });
      if (this.#people === undefined) await people.start();
      this.#people = people;
      if (this.#isClosed) return;
      const access = new Access({
        stateDir,
        people,
        administrators: () => this.#administrators,
        warn: (line) => log.warn(line),
      });
      const service = this.#service();
      const server = new ApiServer({ runDir, service, access, people, log, tail, events });
      await server.start();
      this.#server = server;
      this.#system.start();
    } catch (error) {
      if (this.#isClosed) return; // The service stopped meanwhile, and nobody waits for it.
      const reason = error instanceof StartError ? error.message : reasonOf(error);
      if (reason !== this.#refusal) log.error({ event: 'api_unavailable', reason });
      this.#refusal = reason;
      throw error;
    }
  }

  #service(): ApiService {
    const { service, update, uploads, power } = this.#parts;
    return {
      status: () => service.stats(),
      system: this.#system,
      uploads: {
        ...uploads.service,
        begin: (wish) => uploads.service.begin(wish).catch((error) => this.#refuseUpload(error)),
      },
      certificates: this.#certificates(),
      configuration: {
        effective: () => showAsJson(this.#running().running),
        check: checkText,
        reload: async () => {
          const outcome = await this.#running().request();
          if (outcome === undefined) return undefined;
          const { errors, applied, restartRequired } = outcome;
          return { errors: errors.map(findingOf), applied, restartRequired };
        },
      },
      drain: () => {
        // A second signal would end it at once: serve.ts.
        if (!this.#isDraining) process.kill(process.pid, 'SIGTERM');
        this.#isDraining = true;
      },
      update: this.#update(update.service),
      device: power,
    };
  }

  #certificates(): ApiService['certificates'] {
    const { manager, configuration } = this.#parts;
    const { stateDir } = configuration;
    const pending = new PendingRequest(stateDir);
    return {
      list: () => ({ served: manager.status(), waiting: manager.waiting() }),
      install: async (chain, given) => {
        const kept = given === undefined ? pending.keyFor(chain) : undefined;
        const privateKey = given ?? kept;
        if (privateKey === undefined) return undefined;
        const installation = await manager.install({ chain, privateKey });
        if (kept !== undefined && installation.isInstalled) await pending.remove();
        return installation;
      },
      uninstall: async () => {
        const isThere = manager.status().some(({ source }) => source === 'uploaded');
        if (isThere) await manager.uninstall();
        return isThere;
      },
      refusalOf,
      request: (names) => pending.make(names),
      pending: () => pending.read(),
      giveUp: () => pending.remove(),
      renew: () => manager.renew(),
      authority: () => readAuthorityCertificate(certificatesDirOf(stateDir)),
    };
  }

  /** With what a reload has read and not put into effect, in each of its refusals. */
  #update(service: ApiService['update']): ApiService['update'] {
    return {
      current: service.current,
      install: async (file) => this.#withWaiting(await service.install(file)),
      restart: async () => this.#withWaiting(await service.restart()),
      mark: async (slot, mark) => {
        const { isMarked, message } = await service.mark(slot, mark);
        return { isMarked, message: (isMarked ? '' : this.#withWaiting(message)) || message };
      },
    };
  }

  #refuseUpload(error: unknown): never {
    const isRefusal = error instanceof Error && 'kind' in error; // api/service.ts
    if (isRefusal) error.message = this.#withWaiting(error.message) ?? '';
    throw error;
  }

  #withWaiting(refusal: string | undefined): string | undefined {
    const keys = this.#running().waiting.filter((key) => key.startsWith('update.'));
    if (refusal === undefined || keys.length === 0) return refusal;
    const advice = 'systemctl restart spliced';
    const isOne = keys.length === 1;
    const waits = isOne
      ? `The new value of ${keys[0]} waits`
      : `New values of ${keys.join(', ')} wait`;
    return `${refusal} ${waits} for a restart of the service: ${advice}`;
  }

  #running(): Reloader {
    if (this.#reloader === undefined) throw new Error('start() was not called');
    return this.#reloader;
  }
}
