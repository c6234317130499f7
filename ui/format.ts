// SPDX-License-Identifier: Apache-2.0
// Figures in words.

const numbers = new Intl.NumberFormat('en');

export const number = (value: number): string => numbers.format(value);

export const count = (value: number, one: string, many = `${one}s`): string =>
  `${number(value)} ${value === 1 ? one : many}`;

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || size >= 100 ? 0 : size < 10 ? 2 : 1;
  return `${size.toFixed(digits)} ${units[unit]}`;
}

export const rate = (bytesPerS: number): string => `${bytes(bytesPerS)}/s`;

export function duration(ms: number): string {
  const seconds = Math.max(Math.floor(ms / 1000), 0);
  if (seconds < 60) return count(seconds, 'second');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : count(Math.floor(hours / 24), 'day');
}

export const words = (name: string): string => name.replaceAll('_', ' ');

/** "3 timeout, 1 peer closed" from an object of counters, or `none`. */
export function nonZero(
  counters: Readonly<Record<string, number>>,
  none: string,
  named: Readonly<Record<string, string>> = {},
): string {
  const parts = Object.entries(counters)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${number(value)} ${named[name] ?? words(name)}`);
  return parts.length > 0 ? parts.join(', ') : none;
}

export const sum = (counters: Readonly<Record<string, number>>): number =>
  Object.values(counters).reduce((total, value) => total + value, 0);

export const day = (iso: string): string =>
  new Date(iso).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** "CN=device,O=Example" is "device" to a person. */
export const commonName = (subject: string): string =>
  /(?:^|[,+\n]\s*)CN=((?:\\.|[^,+\n\\])+)/.exec(subject)?.[1]?.replaceAll(/\\(.)/g, '$1') ??
  (subject || 'no name');
