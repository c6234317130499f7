// SPDX-License-Identifier: Apache-2.0
// Prometheus' text format, version 0.0.4: families with HELP and TYPE, and their samples. Used by
// metrics.ts.

export type Labels = Record<string, string>;
export type Sample = readonly [labels: Labels, value: number];

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

function labelsOf(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

export class Exposition {
  readonly #lines: string[] = [];

  /** Only grows; the name ends in `_total`. */
  counter(name: string, help: string, samples: readonly Sample[] | number): void {
    this.#family(name, 'counter', help, samples);
  }

  gauge(name: string, help: string, samples: readonly Sample[] | number): void {
    this.#family(name, 'gauge', help, samples);
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  /** Without a sample there is no family. */
  #family(
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    samples: readonly Sample[] | number,
  ): void {
    const all: readonly Sample[] = typeof samples === 'number' ? [[{}, samples]] : samples;
    if (all.length === 0) return;
    this.#lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of all) this.#lines.push(`${name}${labelsOf(labels)} ${value}`);
  }
}
