// SPDX-License-Identifier: Apache-2.0
// Figures over time, as lines. Its words (aria-label) say now, highest and mean;
// they are renewed rarely, so that a screen reader is not kept busy.

import { h, svg } from './dom.js';

const width = 600;
const height = 120;
const padding = 6;
const labelEveryMs = 10_000;

export interface PlotOptions {
  /** What it shows, a line for each: "Sent". One or two. */
  names: [string] | [string, string];
  format: (value: number) => string;
  /** The scale ends no lower than here. */
  topMin: number;
  span?: Span;
}

/** How many samples there are room for, and how long that is. */
export interface Span {
  samplesMax: number;
  words: string;
  start: string;
}

const twoMinutes: Span = { samplesMax: 120, words: 'two minutes', start: '2 min ago' };

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
  readonly #span: Span;
  readonly #lines: SVGElement[];
  readonly #area = svg('polygon', { class: 'plot-area' });
  readonly #top = h('span', { class: 'plot-top', 'aria-hidden': 'true' });
  /** For each moment, a value for each line. */
  #samples: number[][] = [];
  #labelledAtMs = Number.NEGATIVE_INFINITY;

  constructor(parent: HTMLElement, options: PlotOptions) {
    this.#options = options;
    this.#span = options.span ?? twoMinutes;
    this.#lines = options.names.map((_, index) =>
      svg('polyline', { class: index === 0 ? 'plot-line' : 'plot-line other' }),
    );
    this.#drawing = svg('svg', {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': `${options.names.join(', ')}: no figures yet`,
    });
    for (const part of [0, 0.5, 1]) {
      const y = String(padding + part * (height - padding));
      this.#drawing.append(
        svg('line', { class: 'plot-grid', x1: '0', x2: String(width), y1: y, y2: y }),
      );
    }
    this.#drawing.append(this.#area, ...this.#lines);
    const times = h('div', { class: 'plot-times', 'aria-hidden': 'true' });
    times.append(h('span', {}, this.#span.start), h('span', {}, 'now'));
    parent.append(this.#top, this.#drawing, times);
  }

  /** A sample a second. */
  push(...values: number[]): void {
    this.#samples.push(values);
    if (this.#samples.length > this.#span.samplesMax) this.#samples.shift();
    this.#draw();
  }

  /** All of it anew. */
  replace(samples: number[][]): void {
    this.#samples = samples;
    if (samples.length > 0) this.#draw();
  }

  /** The device was started anew: what was before is another story. */
  clear(): void {
    this.#samples = [];
  }

  #draw(): void {
    const { format, topMin } = this.#options;
    const samples = this.#samples;
    const top = scaleTop(Math.max(...samples.flat(), topMin));
    const step = width / (this.#span.samplesMax - 1);
    const start = width - (samples.length - 1) * step;
    for (const [line, drawn] of this.#lines.entries()) {
      const points = samples.map((values, index) => {
        const y = height - ((values[line] ?? 0) / top) * (height - padding);
        return `${(start + index * step).toFixed(1)},${y.toFixed(1)}`;
      });
      drawn.setAttribute('points', points.join(' '));
      if (line > 0) continue;
      const area = `${start.toFixed(1)},${height} ${points.join(' ')} ${width},${height}`;
      this.#area.setAttribute('points', area);
    }
    this.#top.textContent = format(top);
    this.#label();
  }

  #label(): void {
    const { names, format } = this.#options;
    const nowMs = performance.now();
    if (nowMs - this.#labelledAtMs < labelEveryMs) return;
    this.#labelledAtMs = nowMs;
    const labels = names.map((name, line) => {
      const values = this.#samples.map((one) => one[line] ?? 0);
      const mean = values.reduce((total, value) => total + value, 0) / values.length;
      const [last, highest] = [values.at(-1) ?? 0, Math.max(...values)];
      return `${name} now ${format(last)}, highest ${format(highest)}, mean ${format(mean)}`;
    });
    const label = `Over the last ${this.#span.words}: ${labels.join('; ')}`;
    this.#drawing.setAttribute('aria-label', label);
  }
}
