// SPDX-License-Identifier: Apache-2.0
// Restart and power-off of the device, outside an update: asked for (power/request.ts), followed until the
// service manager begins to stop us, and told when it does not. Made by serving/power.ts.

import type { Log } from '../log/log.js';
import type { PowerAction, PowerDocument } from './document.js';
import { askFor, powerPatienceMs, withdraw } from './request.js';

export interface PowerParts {
  env: NodeJS.ProcessEnv;
  bootId: string;
  log: Pick<Log, 'info' | 'error'>;
  /** Aborted: the service drains. */
  stop: AbortSignal;
  /** A sentence that says why the device must go on; undefined: it need not. */
  refusal: () => Promise<string | undefined>;
  /** After each change of the document. */
  onChange: (document: PowerDocument) => void;
  patienceMs?: number;
}

const stateOf = { restart: 'restarting', 'power-off': 'powering-off' } as const;
const eventOf = { restart: 'device_restart', 'power-off': 'device_power_off' } as const;

export class Power {
  readonly #parts: PowerParts;
  readonly #onStop = (): void => this.#stopping();
  #state: PowerDocument['state'] = 'running';
  #error: string | null = null;
  #patience: NodeJS.Timeout | undefined;

  constructor(parts: PowerParts) {
    this.#parts = parts;
    parts.stop.addEventListener('abort', this.#onStop);
    parts.onChange(this.current());
  }

  current(): PowerDocument {
    const { bootId, stop } = this.#parts;
    return { state: this.#state, draining: stop.aborted, error: this.#error, bootId };
  }

  /** Begins. The answer is a sentence that says why it cannot be; undefined: it has begun. */
  async ask(action: PowerAction): Promise<string | undefined> {
    const { env, log, refusal, patienceMs = powerPatienceMs } = this.#parts;
    const reason = (await refusal()) ?? askFor(action, env);
    if (reason !== undefined) return reason;
    log.info({ event: eventOf[action] });
    this.#enter(stateOf[action], null);
    clearTimeout(this.#patience);
    if (this.#parts.stop.aborted) return undefined;
    this.#patience = setTimeout(() => this.#failed(action), patienceMs);
    this.#patience.unref();
    return undefined;
  }

  /** Idempotent. */
  close(): void {
    clearTimeout(this.#patience);
    this.#parts.stop.removeEventListener('abort', this.#onStop);
  }

  #stopping(): void {
    clearTimeout(this.#patience);
    this.#tell();
  }

  #failed(action: PowerAction): void {
    const { env, log } = this.#parts;
    const reason = withdraw(action, env);
    log.error({ event: 'device_power_failed', action, reason });
    this.#enter('running', reason);
  }

  #enter(state: PowerDocument['state'], error: string | null): void {
    this.#state = state;
    this.#error = error;
    this.#tell();
  }

  #tell(): void {
    this.#parts.onChange(this.current());
  }
}
