// SPDX-License-Identifier: Apache-2.0
// The kinds of values that a setting can have, as formats of convict: each says what is allowed in
// the words that a user reads. Loaded by configuration.ts for its effect; schema.ts names them.

import convict from 'convict';
import { parseListenAddress } from './address.js';

export const listenersMax = 8;

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
