// SPDX-License-Identifier: Apache-2.0
// What the log says about connections. At level debug each has one line when it ends; at info none.
// Clients that were refused for their certificate have a line each, within a limit. Lines that a flood
// from the network could repeat without end are limited in number for each second; refusals beyond
// that are only counted, once in each interval. Owned by daemon.ts.

import type { Log } from './log.js';

/** The part of the engine that is read here. */
export interface LoggedService {
  stats(): string;
  logConnections(on: boolean): void;
  takeConnections(): { records: object[]; lost: number };
  takeRefusals(): { refused: object[]; lost: number };
}

export interface ConnectionLogParts {
  service: LoggedService;
  log: Log;
  /** Whether clients are asked for certificates; a reload may change it. */
  asksClients(): boolean;
}

interface Counts {
  failures: Record<string, number>;
  floods: Record<string, number>;
  shed: number;
  shedBy: Record<string, number>;
  evicted: number;
  overdue: Record<string, number>;
}

/** Connections' lines are fetched and written so often. */
export const batchMs = 1_000;
/** Lines about connections in one batch; the others are counted. 100 lines are about 20 KB. */
export const linesPerBatchMax = 100;
/** Lines about refused clients in one `summaryMs`; the others are counted. */
export const refusalLinesMax = 60;
/** Refusals are told once in this time, and what was suppressed. */
export const summaryMs = 60_000;

// Handshakes that failed for their certificate have an event of their own.
const isClientCertificate = (reason: string): boolean => reason.startsWith('client_certificate');

/** Those counts that are larger than before, by how much. */
function increases(
  now: Record<string, number>,
  before: Record<string, number>,
): Record<string, number> {
  const more = Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)]);
  return Object.fromEntries(more.filter(([, count]) => Number(count) > 0));
}

export class ConnectionReporter {
  readonly #service: LoggedService;
  readonly #log: Log;
  readonly #asksClients: () => boolean;
  readonly #refusalTimer: NodeJS.Timeout;
  #refusalLines = 0;
  #refusalsSuppressed = 0;
  #counts: Counts;
  #batchTimer: NodeJS.Timeout | undefined;
  readonly #summaryTimer: NodeJS.Timeout;
  #suppressed = 0;
  #isClosed = false;

  constructor({ service, log, asksClients }: ConnectionLogParts) {
    this.#service = service;
    this.#log = log;
    this.#asksClients = asksClients;
    this.#counts = this.#read();
    this.#summaryTimer = setInterval(() => this.summarise(), summaryMs).unref();
    this.#refusalTimer = setInterval(() => this.writeRefusals(), batchMs).unref();
    this.levelChanged();
  }

  /** To be called when the log's level may be another one: below debug the engine keeps nothing. */
  levelChanged(): void {
    const isOn = this.#log.isLevelEnabled('debug');
    if (isOn === (this.#batchTimer !== undefined)) return;
    this.#service.logConnections(isOn);
    if (isOn) {
      this.#batchTimer = setInterval(() => this.writeBatch(), batchMs).unref();
    } else {
      clearInterval(this.#batchTimer);
      this.#batchTimer = undefined;
      this.#service.takeConnections(); // Nobody will ask for them any more.
    }
  }

  /** The timer's work, once a `batchMs`. */
  writeBatch(): void {
    const { records, lost } = this.#service.takeConnections();
    for (const record of records.slice(0, linesPerBatchMax)) {
      this.#log.debug({ event: 'connection', ...record });
    }
    this.#suppressed += lost + Math.max(0, records.length - linesPerBatchMax);
  }

  /** The timer's work, once a `batchMs`. */
  writeRefusals(): void {
    if (!this.#asksClients()) return;
    const { refused, lost } = this.#service.takeRefusals();
    const lines = refused.slice(0, refusalLinesMax - this.#refusalLines);
    for (const client of lines) {
      this.#log.warn({ event: 'client_certificate_refused', ...client });
    }
    this.#refusalLines += lines.length;
    this.#refusalsSuppressed += lost + refused.length - lines.length;
  }

  /** The timer's work, once a `summaryMs`: what has come since the last time, if anything has. */
  summarise(): void {
    const before = this.#counts;
    this.#counts = this.#read();
    const failures = Object.entries(increases(this.#counts.failures, before.failures));
    const refused = failures.filter(([reason]) => isClientCertificate(reason));
    const failed = failures.filter(([reason]) => !isClientCertificate(reason));
    const shed = this.#counts.shed - before.shed;
    const evicted = this.#counts.evicted - before.evicted;
    const { head = 0, request = 0, stall = 0 } = this.#counts.overdue;
    const slow = increases({ head, request, stall }, before.overdue);
    const reasons = increases(this.#counts.shedBy, before.shedBy);
    this.#tell('client_certificates_refused', { reasons: Object.fromEntries(refused) });
    const notLogged = this.#refusalsSuppressed;
    this.#tell('client_refusals_not_logged', notLogged > 0 ? { lines: notLogged } : {});
    this.#refusalLines = this.#refusalsSuppressed = 0;
    this.#tell('handshakes_failed', { reasons: Object.fromEntries(failed) });
    this.#tell('load_shed', shed > 0 ? { connections: shed, reasons } : {});
    this.#tell('connections_evicted', evicted > 0 ? { connections: evicted } : {});
    this.#tell('slow_clients_ended', { reasons: slow });
    const floods = increases(this.#counts.floods, before.floods);
    this.#tell('flooding_clients_ended', { reasons: floods });
    this.#tell('connections_not_logged', this.#suppressed > 0 ? { lines: this.#suppressed } : {});
    this.#suppressed = 0;
  }

  /** Writes what is there, for the last time. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#summaryTimer);
    clearInterval(this.#batchTimer);
    clearInterval(this.#refusalTimer);
    if (this.#batchTimer !== undefined) this.writeBatch();
    this.writeRefusals();
    this.summarise();
  }

  #read(): Counts {
    const { tls, connections, overdue } = JSON.parse(this.#service.stats());
    const { shed, shedBy, evicted } = connections;
    return { failures: tls.failures, floods: tls.floods, shed, shedBy, evicted, overdue };
  }

  #tell(event: string, fields: Record<string, unknown>): void {
    const { reasons } = fields;
    const isEmpty = Object.keys(reasons ?? fields).length === 0;
    if (!isEmpty) this.#log.warn({ event, intervalMs: summaryMs, ...fields });
  }
}
