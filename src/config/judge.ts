// SPDX-License-Identifier: Apache-2.0
// Judges the values of a table of settings, one assignment after the other, by convict and its
// formats. Called by configuration.ts, for the settings and for each route.

import './formats.js';
import convict from 'convict';
import { reasonOf } from '../base/start-error.js';
import { type Assignment, type Layers, labelOf, type Origin } from './layers.js';
import { settingsOf } from './schema.js';
import type { Setting, SettingTable } from './setting.js';

/** A setting with the value that counts, and where that came from. */
export interface Effective {
  key: string;
  value: unknown;
  origin: Origin;
  setting: Setting;
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  return typeof value === 'object' ? 'table' : typeof value;
}

function oneOf(words: readonly unknown[]): string {
  return `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`;
}

/** convict's reason with the value as the user wrote it, unless that is a secret. */
function refusalText(error: unknown, { key, value }: Assignment, setting: Setting): string {
  const { format, sensitive } = setting;
  if (Array.isArray(format) && !sensitive) {
    return `must be ${oneOf(format)}; it is ${JSON.stringify(value)}`;
  }
  const text = reasonOf(error)
    .replace(`${key}: `, '')
    .replace(/: value was .*$/, '');
  // A refused address is in its own message already.
  const isShown = !sensitive && !Array.isArray(setting.default);
  return isShown
    ? `${text}; it is ${typeof value === 'number' ? value : JSON.stringify(value)}`
    : text;
}

/** TOML has types, and a number in quotes is a slip; the other layers have text alone. */
function wrongType({ key, value, origin }: Assignment, setting: Setting): string | undefined {
  if (origin.kind !== 'file') return undefined;
  const wanted = typeName(setting.default);
  // A word, or a number within bounds: its format tells them apart.
  if (wanted === 'string' && setting.min !== undefined && typeof value === 'number')
    return undefined;
  const isText = Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (typeName(value) === wanted && (wanted !== 'array' || isText)) return undefined;
  const example = {
    array: `an array of strings, such as ${JSON.stringify(setting.example ?? setting.default)}`,
    boolean: 'true or false, without quotes',
    number: `a whole number from ${setting.min} to ${setting.max}, without quotes`,
    string: Array.isArray(setting.format) ? oneOf(setting.format) : 'a string in quotes',
  }[wanted as 'array' | 'boolean' | 'number' | 'string'];
  const found = wanted === typeName(value) ? 'an array of something else' : `a ${typeName(value)}`;
  return `${labelOf(key, origin)}: must be ${example}; it is ${found.replace('a array', 'an array')}`;
}

/**
 * Sets one value after the other and lets convict judge each alone, so that an error belongs to the
 * layer that brought it; a refused value leaves the one before it. Adds to the layers' problems.
 */
export function judge(
  table: SettingTable,
  layers: Pick<Layers, 'assignments' | 'problems'>,
  prefix = '',
): Map<string, Effective> {
  const known = settingsOf(table);
  // The literal types of `as const` say more than convict's own types can take in.
  const config = convict(table as unknown as convict.Schema<Record<string, unknown>>, {
    env: {},
    args: [],
  });
  const settings = new Map<string, Effective>();
  for (const [key, setting] of known) {
    settings.set(key, { key, value: config.get(key), origin: { kind: 'default' }, setting });
  }
  const { problems } = layers;
  for (const assignment of layers.assignments) {
    const { key, value, origin } = assignment;
    const before = settings.get(key);
    if (before === undefined) throw new Error(`no layer may assign the unknown key ${key}`);
    const refusal = wrongType({ ...assignment, key: `${prefix}${key}` }, before.setting);
    if (refusal !== undefined) {
      problems.push({ text: refusal, origin, key });
      continue;
    }
    config.set(key, value);
    try {
      config.validate({ allowed: 'strict' });
      settings.set(key, { ...before, value: config.get(key), origin });
    } catch (error) {
      const text = refusalText(error, assignment, before.setting);
      problems.push({ text: `${labelOf(`${prefix}${key}`, origin)}: ${text}`, origin, key });
      config.set(key, before.value);
    }
  }
  return settings;
}
