// SPDX-License-Identifier: Apache-2.0
// Lines "metric server value" to a table: the median of each server, its spread, and the ratio of
// ours to the better peer. For bench/run.
import { readFileSync } from 'node:fs';

const lowerIsBetter = (metric) => metric.endsWith('KiB') && metric.startsWith('stalled');
const figures = new Map();
for (const line of readFileSync(process.argv[2], 'utf8').trim().split('\n')) {
  const [metric, server, value] = line.split(' ');
  if (!figures.has(metric)) figures.set(metric, { spliced: [], nginx: [], lighttpd: [] });
  figures.get(metric)[server].push(Number(value));
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const short = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
const cell = (values) =>
  `${short(median(values))} (${short(Math.min(...values))}–${short(Math.max(...values))})`;

console.log('| figure (median, range) | spliced | nginx | lighttpd | ratio to the better peer |');
console.log('|---|---:|---:|---:|---:|');
for (const [metric, { spliced, nginx, lighttpd }] of figures) {
  const pick = lowerIsBetter(metric) ? Math.min : Math.max;
  const better = pick(median(nginx), median(lighttpd));
  const ratio = (median(spliced) / better).toFixed(2);
  console.log(`| ${metric} | ${cell(spliced)} | ${cell(nginx)} | ${cell(lighttpd)} | ${ratio} |`);
}
