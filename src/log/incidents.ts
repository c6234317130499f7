// SPDX-License-Identifier: Apache-2.0
// What the log says about requests that failed because of an application's answer or of the
// configuration: a line each, within a limit, so that a 502 can be explained. Owned by daemon.ts, and by
// the library's server.

import type { Incident } from '../engine/native.js';

/** The part of the engine that is read here. */
export interface IncidentService {
  takeIncidents(): { incidents: Incident[]; lost: number };
}

interface WarningLog {
  warn(fields: object): void;
}

/** Incidents are fetched and written so often. */
export const incidentsMs = 1_000;
/** Lines in one `incidentSummaryMs`; the others are counted. */
export const incidentLinesMax = 60;
export const incidentSummaryMs = 60_000;

export class IncidentReporter {
  readonly #service: IncidentService;
  readonly #log: WarningLog;
  readonly #timers: NodeJS.Timeout[];
  #lines = 0;
  #suppressed = 0;
  #isClosed = false;

  constructor(service: IncidentService, log: WarningLog) {
    this.#service = service;
    this.#log = log;
    this.#timers = [
      setInterval(() => this.write(), incidentsMs).unref(),
      setInterval(() => this.summarise(), incidentSummaryMs).unref(),
    ];
  }

  /** The timer's work, once an `incidentsMs`. */
  write(): void {
    const { incidents, lost } = this.#service.takeIncidents();
    const lines = incidents.slice(0, incidentLinesMax - this.#lines);
    for (const incident of lines) this.#log.warn({ ...incident });
    this.#lines += lines.length;
    this.#suppressed += lost + incidents.length - lines.length;
  }

  /** The timer's work, once an `incidentSummaryMs`. */
  summarise(): void {
    const lines = this.#suppressed;
    if (lines > 0) {
      this.#log.warn({ event: 'incidents_not_logged', intervalMs: incidentSummaryMs, lines });
    }
    this.#lines = this.#suppressed = 0;
  }

  /** Writes what is there, for the last time. Idempotent; before the engine is closed. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.write();
    this.summarise();
  }
}
