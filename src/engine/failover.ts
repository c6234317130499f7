// SPDX-License-Identifier: Apache-2.0
// Watches the engines' threads, and replaces an engine whose thread hangs in the kernel.
//
// With an asynchronous cipher a send waits uninterruptibly and holds the socket's lock
// (net/tls/tls_sw.c: tls_encrypt_async_wait; docs/ENGINE-FAULTS.md). If CAAM does not complete, the
// engine's thread hangs. Neither a signal nor shutdown() from another thread frees it, and not even the
// process can end before the cipher goes on. So another engine serves on the same listening sockets,
// and from then on every engine takes new connections in user space. The first engine keeps its
// connections; if its thread comes back, it delivers them and ends. Each place has at most one replaced
// engine at a time: while it hangs, nothing is given to the kernel's cipher, so that its successor
// cannot hang likewise.

import { reasonOf } from '../base/start-error.js';
import type { Log } from '../log/log.js';
import type { Service, ServiceEvent } from './native.js';

type ReleasedEvent = Extract<ServiceEvent, { type: 'released' }>;

export interface FailoverParts {
  service: Pick<
    Service,
    'pulse' | 'stats' | 'threadState' | 'replaceEngine' | 'freeEngine' | 'setOffload'
  >;
  tlsOffload: 'auto' | 'off';
  /** The thread stood still for so long, and in the kernel at every look, when the engine is replaced. */
  hangMs: number;
  log: Log;
  nowMs?: () => number;
}

interface Beat {
  heartbeat: number;
  /** Since when every look has found its thread waiting uninterruptibly, in the same turn. */
  inKernelSinceMs: number | undefined;
}

interface Replaced {
  index: number;
  sinceMs: number;
}

const looksPerHang = 5;

export class Failover {
  readonly #parts: FailoverParts;
  readonly #nowMs: () => number;
  readonly #beats: Beat[] = [];
  readonly #replaced = new Map<number, Replaced>(); // By the engine's id.
  #reason = '';
  #onReplaced: (reason: string) => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: FailoverParts) {
    this.#parts = parts;
    this.#nowMs = parts.nowMs ?? (() => performance.now());
  }

  start(): void {
    if (this.#parts.tlsOffload === 'off') return;
    this.#timer = setInterval(() => this.look(), this.#parts.hangMs / looksPerHang).unref();
  }

  /** Nobody is replaced any more: the service stops. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** Why an engine was replaced, to whoever asks; at once if it has happened. */
  onReplaced(listener: (reason: string) => void): void {
    this.#onReplaced = listener;
    if (this.#reason !== '') listener(this.#reason);
  }

  /**
   * The timer's work: do the threads turn, and if one does not, where does it stand? One that has nothing
   * to do waits interruptibly in its ring, so nobody is woken to be asked.
   */
  look(): void {
    const { service, hangMs } = this.#parts;
    const nowMs = this.#nowMs();
    for (const [index, { id, heartbeat, connections }] of service.pulse().engines.entries()) {
      this.#beats[index] ??= { heartbeat: -1, inKernelSinceMs: undefined };
      const beat = this.#beats[index];
      const isInKernel = heartbeat === beat.heartbeat && service.threadState(index) === 'D';
      beat.heartbeat = heartbeat;
      if (isInKernel) beat.inKernelSinceMs ??= nowMs;
      else beat.inKernelSinceMs = undefined;
      const hungMs = nowMs - (beat.inKernelSinceMs ?? nowMs);
      if (hungMs >= hangMs) this.#consider(index, id, connections, hungMs);
    }
  }

  /** Its thread came back, and every connection of it has ended. */
  released({ engine: id, drained, aborted }: ReleasedEvent): void {
    const { service, log } = this.#parts;
    service.freeEngine(id);
    const replaced = this.#replaced.get(id);
    this.#replaced.delete(id);
    const hungMs = Math.round(this.#nowMs() - (replaced?.sinceMs ?? this.#nowMs()));
    log.warn({ event: 'engine_released', engine: replaced?.index, hungMs, drained, aborted });
  }

  #consider(index: number, id: number, connections: number, hungMs: number): void {
    const { service, log } = this.#parts;
    if ([...this.#replaced.values()].some((replaced) => replaced.index === index)) return;
    const { driver } = JSON.parse(service.stats()).offload;
    if (driver?.async !== true) return;
    const reason = `${driver.name} does not complete: the engine's thread waits for it in the kernel`;
    service.setOffload('off', reason); // For all at once, and the successor begins with it.
    try {
      service.replaceEngine(index);
    } catch (error) {
      log.error({ event: 'engine_not_replaced', engine: index, reason: reasonOf(error) });
      return;
    }
    this.#reason = reason;
    this.#replaced.set(id, { index, sinceMs: this.#nowMs() - hungMs });
    this.#beats[index] = { heartbeat: -1, inKernelSinceMs: undefined };
    const hung = Math.round(hungMs);
    log.error({ event: 'engine_replaced', reason, engine: index, hungMs: hung, connections });
    this.#onReplaced(reason);
  }
}
