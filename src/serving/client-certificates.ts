// SPDX-License-Identifier: Apache-2.0
// Which clients are believed: reads the CA bundle and the revocation lists, has the addon check
// them, puts them into effect at a reload, and looks at the clock: dates count only while it is
// believable. Owned by daemon.ts; checks.ts reads for `config check` and before a reload.

import { statSync } from 'node:fs';
import { reasonOf, StartError } from '../base/start-error.js';
import type { ClientCertificateFiles } from '../config/configuration.js';
import {
  type ClientCertificates,
  type ClientTrustReport,
  loadNative,
  type Service,
} from '../engine/native.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import type { Log } from '../log/log.js';
import type { Participant } from './reload.js';

export const clientFileBytesMax = 1024 * 1024;
const lookMs = 60_000;

/** The settings for the engine, and what they amount to. */
export interface JudgedClients {
  settings: ClientCertificates;
  report: ClientTrustReport;
}

const isClockSet = (nowMs: number): boolean => nowMs >= SPLICED_BUILD_DATE_MS;

function readText(path: string, key: string): string {
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new Error('it is no regular file');
    if (status.size > clientFileBytesMax) {
      throw new Error(`it has more than ${clientFileBytesMax} bytes`);
    }
    if (status.size === 0) throw new Error('it is empty');
    return readOrdinaryText(path);
  } catch (error) {
    throw new StartError(`${key}: ${path} cannot be read: ${reasonOf(error)}`);
  }
}

/**
 * Reads and checks the files. Undefined when clients are not to be asked. Throws a StartError that
 * begins with the key of the setting.
 */
export function readClientCertificates(
  files: ClientCertificateFiles | undefined,
  nowMs: number = Date.now(),
): JudgedClients | undefined {
  if (files === undefined) return undefined;
  const { inspectClientCertificates } = loadNative();
  const inspect = (settings: ClientCertificates, key: string, path: string): ClientTrustReport => {
    try {
      return inspectClientCertificates(settings);
    } catch (error) {
      throw new StartError(`client_certificates.${key}: ${path}: ${reasonOf(error)}`);
    }
  };
  const ca = readText(files.ca, 'client_certificates.ca');
  const checkTimes = isClockSet(nowMs);
  const settings = { ca, crl: '', require: files.require, checkTimes };
  // The CA first and alone: what is refused after that is the list's fault.
  const report = inspect(settings, 'ca', files.ca);
  if (files.crl === undefined) return { settings, report };
  const crl = readText(files.crl, 'client_certificates.crl');
  const withLists = { ...settings, crl };
  return { settings: withLists, report: inspect(withLists, 'crl', files.crl) };
}

const isSame = (a: JudgedClients | undefined, b: JudgedClients | undefined): boolean =>
  JSON.stringify(a?.settings) === JSON.stringify(b?.settings);

/** In the log's words; an absent time is left out. */
const dateOf = (ms: number | null): string | undefined =>
  ms === null ? undefined : new Date(ms).toISOString();

/** The settings that are in effect, and what becomes of them while the service runs. */
export class ClientAccess {
  readonly #log: Log;
  readonly #now: () => number;
  #current: JudgedClients | undefined;
  #service: Pick<Service, 'replaceClientCertificates'> | undefined;
  readonly #told = new Set<string>();

  /** Throws as readClientCertificates does. */
  constructor(files: ClientCertificateFiles | undefined, log: Log, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
    this.#current = readClientCertificates(files, now());
    this.#tell();
  }

  get isAsking(): boolean {
    return this.#current !== undefined;
  }

  /** For the options of the engine. */
  get settings(): ClientCertificates | undefined {
    return this.#current?.settings;
  }

  /** From now on changes go to this engine. Returns what ends that. */
  serve(service: Pick<Service, 'replaceClientCertificates'>): () => void {
    this.#service = service;
    const timer = setInterval(() => this.look(), lookMs);
    return () => clearInterval(timer);
  }

  readonly participant: Participant = {
    prepare: ({ configuration }) => {
      const before = this.#current;
      const next = readClientCertificates(configuration.clientCertificates, this.#now());
      return { commit: () => this.#use(next), rollBack: () => this.#use(before) };
    },
  };

  /** The clock may have been set, and time passes: dates count or not, a list goes out of date. */
  look(): void {
    const current = this.#current;
    if (current === undefined) return;
    const checkTimes = isClockSet(this.#now());
    try {
      if (checkTimes !== current.settings.checkTimes) {
        this.#use({ ...current, settings: { ...current.settings, checkTimes } });
      }
      this.#warn();
    } catch (error) {
      this.#log.error({ event: 'client_certificates_not_replaced', reason: reasonOf(error) });
    }
  }

  #use(next: JudgedClients | undefined): void {
    if (isSame(next, this.#current)) return;
    this.#service?.replaceClientCertificates(next?.settings);
    this.#current = next;
    this.#told.clear();
    this.#tell();
  }

  #tell(): void {
    if (this.#current === undefined) {
      if (this.#service !== undefined)
        this.#log.info({ event: 'client_certificates', asked: false });
      return;
    }
    const { settings, report } = this.#current;
    const { authorities, revocationLists, caNotAfterMs, crlNextUpdateMs } = report;
    this.#log.info({
      event: 'client_certificates',
      asked: true,
      require: settings.require,
      authorities,
      caNotAfter: dateOf(caNotAfterMs),
      revocationLists,
      crlNextUpdate: dateOf(crlNextUpdateMs),
      datesCount: settings.checkTimes,
    });
    this.#warn();
  }

  /** Each once for the settings that it is about. */
  #warn(): void {
    if (this.#current === undefined) return;
    const { settings, report } = this.#current;
    const warn = (event: string, atMs: number | null, reason: string): void => {
      const isDue = atMs !== null && atMs < this.#now() && settings.checkTimes;
      if (!isDue || this.#told.has(event)) return;
      this.#told.add(event);
      this.#log.warn({ event, since: dateOf(atMs), reason });
    };
    warn(
      'client_certificates_crl_expired',
      report.crlNextUpdateMs,
      'a revocation list is out of date: every client certificate of its CA is refused until a ' +
        'new one is in the file and the service was reloaded',
    );
    warn(
      'client_certificates_ca_expired',
      report.caNotAfterMs,
      'a CA certificate has expired: the certificates that it signed are refused',
    );
  }
}
