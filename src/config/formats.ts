// SPDX-License-Identifier: Apache-2.0
// The kinds of values that a setting can have, as formats of convict: each says what is allowed in
// the words that a user reads. Loaded by configuration.ts for its effect; schema.ts names them.

import convict from 'convict';
import { parseListenAddress } from './address.js';

export const listenersMax = 8;
export const requiredPrefixesMax = 64;

interface Bounded {
  min: number;
  max: number;
}

convict.addFormat({
  name: 'whole number',
  coerce: (value: unknown) =>
    typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
  validate: (value: unknown, schema: convict.SchemaObj<unknown>) => {
    const { min, max } = schema as unknown as Bounded;
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw new Error(`must be a whole number from ${min} to ${max}`);
    }
  },
});

convict.addFormat({
  name: 'listen addresses',
  coerce: (value: unknown) => (typeof value === 'string' ? value.split(',') : value),
  validate: (value: unknown) => {
    if (!Array.isArray(value) || value.length < 1 || value.length > listenersMax) {
      throw new Error(`needs 1 to ${listenersMax} addresses`);
    }
    for (const text of value) parseListenAddress(String(text));
  },
});

/** Why no request's path can begin with this; undefined when one can. As native/http has it. */
function prefixRefusal(prefix: string): string | undefined {
  if (!prefix.startsWith('/')) return 'must begin with "/"';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[%?#\x00-\x1f\x7f]/.test(prefix)) return 'is a path as files are named, without % ? #';
  const isPlain = prefix === '/' || !/\/(\.{0,2})(\/|$)/.test(prefix.replace(/\/$/, ''));
  return isPlain ? undefined : 'must have no empty, "." or ".." part';
}

convict.addFormat({
  name: 'path prefixes',
  coerce: (value: unknown) =>
    typeof value === 'string' ? value.split(',').filter((part) => part !== '') : value,
  validate: (value: unknown) => {
    if (!Array.isArray(value) || value.length > requiredPrefixesMax) {
      throw new Error(`needs at most ${requiredPrefixesMax} paths`);
    }
    for (const prefix of value.map(String)) {
      const refusal = prefixRefusal(prefix);
      if (refusal !== undefined) throw new Error(`${JSON.stringify(prefix)} ${refusal}`);
    }
  },
});

convict.addFormat({
  name: 'path',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || value === '' || value.includes('\0')) {
      throw new Error('must be a path');
    }
  },
});

convict.addFormat({
  name: 'path or nothing',
  validate: (value: unknown) => {
    if (typeof value !== 'string' || value.includes('\0')) throw new Error('must be a path');
  },
});
