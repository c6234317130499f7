// SPDX-License-Identifier: Apache-2.0
// What the comparisons have in common: samples of interleaved rounds, and how they are printed.

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

export const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** Markdown: a row each, of a name and its cells. */
export function printTable(title, columns, rows) {
  console.log(`| ${[title, ...columns].join(' | ')} |`);
  console.log(`|---|${'---:|'.repeat(columns.length)}`);
  for (const [name, cells] of rows) console.log(`| ${[name, ...cells].join(' | ')} |`);
}
