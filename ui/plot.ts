// SPDX-License-Identifier: Apache-2.0
// A figure over the last two minutes, as a line. Its words (aria-label) say now, highest and mean;
// they are renewed rarely, so that a screen reader is not kept busy.

import { h, svg } from './dom.js';

const samplesMax = 120;
const width = 600;
const height = 120;
const padding = 6;
const labelEveryMs = 10_000;

export interface PlotOptions {
  /** What it shows: "Throughput". */
  name: string;
  format: (value: number) => string;
  /** The scale ends no lower than here. */
  topMin: number;
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** The next round figure of B, KiB, MiB and so on that is not below: a scale that stays. */
export function scaleTop(value: number): number {
  for (let unit = 1; ; unit *= 1024) {
    const step = steps.find((one) => value <= one * unit);
    if (step !== undefined) return step * unit;
  }
}

export class Plot {
  readonly #options: PlotOptions;
  readonly #drawing: SVGElement;
  readonly #line = svg('polyline', { class: 'plot-line' });
  readonly #area = svg('polygon', { class: 'plot-area' });
  readonly #top = h('span', { class: 'plot-top', 'aria-hidden': 'true' });
  #samples: number[] = [];
  #labelledAtMs = Number.NEGATIVE_INFINITY;

  constructor(parent: HTMLElement, options: PlotOptions) {
    this.#options = options;
    this.#drawing = svg('svg', {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': `${options.name}: no figures yet`,
    });
    for (const part of [0, 0.5, 1]) {
      const y = String(padding + part * (height - padding));
      this.#drawing.append(
        svg('line', { class: 'plot-grid', x1: '0', x2: String(width), y1: y, y2: y }),
      );
    }
    this.#drawing.append(this.#area, this.#line);
    const times = h('div', { class: 'plot-times', 'aria-hidden': 'true' });
    times.append(h('span', {}, '2 min ago'), h('span', {}, 'now'));
    parent.append(this.#top, this.#drawing, times);
  }

  /** A sample a second. */
  push(value: number): void {
    this.#samples.push(value);
    if (this.#samples.length > samplesMax) this.#samples.shift();
    this.#draw();
  }

  /** The device was started anew: what was before is another story. */
  clear(): void {
    this.#samples = [];
  }

  #draw(): void {
    const { name, format, topMin } = this.#options;
    const samples = this.#samples;
    const highest = Math.max(...samples);
    const top = scaleTop(Math.max(highest, topMin));
    const step = width / (samplesMax - 1);
    const start = width - (samples.length - 1) * step;
    const points = samples.map((value, index) => {
      const y = height - (value / top) * (height - padding);
      return `${(start + index * step).toFixed(1)},${y.toFixed(1)}`;
    });
    this.#line.setAttribute('points', points.join(' '));
    this.#area.setAttribute(
      'points',
      `${start.toFixed(1)},${height} ${points.join(' ')} ${width},${height}`,
    );
    this.#top.textContent = format(top);
    const nowMs = performance.now();
    if (nowMs - this.#labelledAtMs < labelEveryMs) return;
    this.#labelledAtMs = nowMs;
    const mean = samples.reduce((total, value) => total + value, 0) / samples.length;
    const last = samples.at(-1) ?? 0;
    const label = `now ${format(last)}, highest ${format(highest)}, mean ${format(mean)}`;
    this.#drawing.setAttribute('aria-label', `${name} over the last two minutes: ${label}`);
  }
}
