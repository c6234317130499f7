// SPDX-License-Identifier: Apache-2.0
// The device itself: whose page this is (the header), and how its processor, memory, storage and
// temperature do. Asked for as seldom as it is worth, and only by a window that somebody sees; what
// the device does not let a stranger read is not shown to one.

import { Refusal, read } from './api.js';
import type { SystemDocument } from './documents.js';
import { byId, h, renderOnce, say } from './dom.js';
import { bytes, duration } from './format.js';
import type { Session } from './session.js';
import { afterMs, whenVisible } from './wait.js';

const periodMs = 5_000;
/** From here on a bar warns. */
const fullPercent = 90;
const hotCelsius = 85;

const storageWords: Record<string, string> = { system: 'Storage: system', data: 'Storage: data' };

const known = (parts: (string | null | undefined)[], between: string): string =>
  parts.filter((part) => part !== null && part !== undefined && part !== '').join(between);

function showIdentity({ hostname, model, firmware, time }: SystemDocument): void {
  const { name, version, build } = firmware;
  const software = known([name, version, build === null ? null : `build ${build}`], ' ');
  say('host', hostname === '' ? location.hostname : hostname);
  say('identity', known([model, software], ' · '));
  say('clock', new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' }));
  byId('clock').setAttribute('datetime', time);
  document.title = `${hostname || location.hostname} – spliced`;
}

interface Gauge {
  name: string;
  value: string;
  /** Of the bar; undefined: it has none. */
  percent?: number;
  isHigh?: boolean;
}

function gaugesOf({ processor, memory, storage, temperatures }: SystemDocument): Gauge[] {
  const { cores, busyPercent, load } = processor;
  const used = memory.totalBytes - memory.availableBytes;
  const share = (part: number, all: number): number => (all > 0 ? (100 * part) / all : 0);
  const gauges: Gauge[] = [
    {
      name: 'Processor',
      value: busyPercent === null ? '…' : `${Math.round(busyPercent)} % of ${cores} cores`,
      percent: busyPercent ?? 0,
    },
    { name: 'Load', value: load.map((one) => one.toFixed(2)).join(', ') },
    {
      name: 'Memory',
      value: `${bytes(used)} of ${bytes(memory.totalBytes)}`,
      percent: share(used, memory.totalBytes),
    },
  ];
  for (const { name, totalBytes, freeBytes } of storage) {
    const value = `${bytes(freeBytes)} free of ${bytes(totalBytes)}`;
    const percent = share(totalBytes - freeBytes, totalBytes);
    gauges.push({ name: storageWords[name] ?? name, value, percent });
  }
  for (const { name, celsius } of temperatures) {
    gauges.push({ name, value: `${celsius.toFixed(1)} °C`, isHigh: celsius >= hotCelsius });
  }
  return gauges;
}

function rowOf({
  name,
  value,
  percent,
  isHigh = (percent ?? 0) >= fullPercent,
}: Gauge): HTMLElement {
  const words = h('b', { class: isHigh ? 'high' : undefined }, isHigh ? `${value}, high` : value);
  if (percent === undefined) return h('li', {}, h('span', {}, name), words);
  const bar = h('span', { class: isHigh ? 'bar high' : 'bar', 'aria-hidden': 'true' });
  bar.style.inlineSize = `${percent}%`;
  return h('li', {}, h('span', {}, name), words, h('span', { class: 'bar-track' }, bar));
}

export class SystemView {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** As long as the page is there. */
  async watch(): Promise<never> {
    for (;;) {
      await whenVisible();
      await this.#askOnce();
      await afterMs(periodMs);
    }
  }

  async #askOnce(): Promise<void> {
    try {
      this.#show(await read<SystemDocument>('system'));
    } catch (error) {
      // Whoever may not read it is asked to sign in elsewhere; no answer is told by device.ts.
      if (error instanceof Refusal) await this.#session.granted();
    }
  }

  #show(system: SystemDocument): void {
    showIdentity(system);
    const gauges = gaugesOf(system);
    renderOnce(byId('gauges'), JSON.stringify(gauges), () => gauges.map(rowOf));
    say('kernel', `Linux ${system.kernel}, up for ${duration(system.uptimeMs)}`);
    byId('system-card').hidden = false;
  }
}
