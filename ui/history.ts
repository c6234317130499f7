// SPDX-License-Identifier: Apache-2.0
// The last day of the device, as it has it in memory: asked for when it has something new.

import { Refusal, read } from './api.js';
import type { HistoryDocument } from './documents.js';
import { byId, h } from './dom.js';
import { rate } from './format.js';
import { Plot } from './plot.js';
import type { Session } from './session.js';
import { afterMs, whenVisible } from './wait.js';

const span = { samplesMax: 288, words: 'day', start: '24 h ago' };
const percent = (value: number): string => `${Math.round(value)} %`;
const retryMs = 60_000;

export class HistoryView {
  readonly #session: Session;
  readonly #load = new Plot(byId('load-history'), {
    names: ['Processor', 'Memory'],
    format: percent,
    topMin: 100,
    span,
  });
  readonly #rate = new Plot(byId('rate-history'), {
    names: ['Sent', 'Received'],
    format: rate,
    topMin: 10_240,
    span,
  });

  constructor(session: Session) {
    this.#session = session;
    for (const [id, names] of [
      ['load-key', ['Processor', 'Memory']],
      ['rate-key', ['Sent', 'Received']],
    ] as const) {
      const keys = names.map((name, index) => {
        const key = h('span', { class: index === 0 ? 'key' : 'key other', 'aria-hidden': 'true' });
        return h('span', {}, key, `${name} `);
      });
      byId(id).append(...keys);
    }
  }

  /** As long as the page is there. */
  async watch(): Promise<never> {
    for (;;) {
      await whenVisible();
      await afterMs(await this.#askOnce());
    }
  }

  /** The answer is how long to wait. */
  async #askOnce(): Promise<number> {
    try {
      const { samples, periodMs } = await read<HistoryDocument>('system/history');
      this.#load.replace(samples.map((one) => [one.busyPercent ?? 0, one.memoryUsedPercent]));
      this.#rate.replace(
        samples.map((one) => [one.sentBytesPerS ?? 0, one.receivedBytesPerS ?? 0]),
      );
      return periodMs;
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        await this.#session.granted();
        return 0;
      }
      return retryMs;
    }
  }
}
