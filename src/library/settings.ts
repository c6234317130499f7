// SPDX-License-Identifier: Apache-2.0
// The library's options as the text of a configuration file, so that they have the names, the bounds
// and the errors of the daemon's own settings. Called by index.ts.

import type { ServerOptions } from '../../types/index.js';
import { StartError } from '../base/start-error.js';

const tables = ['tls', 'limits', 'timeouts', 'client_certificates'] as const;
const values = ['root', 'ring', 'engines', 'protocols'] as const;
const own = ['cert', 'key', 'routes', 'log'] as const;

const textOf = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map(textOf).join(', ')}]` : JSON.stringify(value);

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function* linesOf(table: Record<string, unknown>): Generator<string> {
  for (const [key, value] of Object.entries(table)) {
    if (value !== undefined) yield `${JSON.stringify(key)} = ${textOf(value)}`;
  }
}

/** Throws a StartError for an option that there is not. */
export function tomlOf(options: ServerOptions): string {
  const known: readonly string[] = [...tables, ...values, ...own];
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  if (unknown.length > 0) {
    throw new StartError(
      `createServer(): there is no option ${unknown.join(', ')}; there are ${known.join(', ')}`,
    );
  }
  const lines: string[] = [];
  for (const key of values) lines.push(...linesOf({ [key]: options[key] }));
  for (const key of tables) {
    const table = options[key];
    if (table === undefined) continue;
    if (!isTable(table)) throw new StartError(`createServer(): ${key} must be an object`);
    lines.push(`[${key}]`, ...linesOf(table as Record<string, unknown>));
  }
  for (const route of options.routes ?? []) lines.push('[[route]]', ...linesOf(route));
  return `${lines.join('\n')}\n`;
}
