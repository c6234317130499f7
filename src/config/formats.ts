// SPDX-License-Identifier: Apache-2.0
// The kinds of values that a setting can have, as formats of convict: each says what is allowed in
// the words that a user reads. Loaded by configuration.ts for its effect; schema.ts names them.

import { isIP } from 'node:net';
import convict from 'convict';
import { parseListenAddress } from './address.js';

export const listenersMax = 8;
export const morePairsMax = 16;
export const groupsMax = 16;
export const namesMax = 100; // Of one certificate.
export const administratorsMax = 64;

// RFC 1123 2.1; a label of a wildcard is for the authority to judge.
const dnsName = /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*$/i;
export const requiredPrefixesMax = 64;

interface Bounded {
  min: number;
  max: number;
}

const inBounds = (value: number, min: number, max: number): boolean => value >= min && value <= max;

convict.addFormat({
  name: 'whole number',
  coerce: (value: unknown) =>
    typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
  validate: (value: unknown, schema: convict.SchemaObj<unknown>) => {
    const { min, max } = schema as unknown as Bounded;
    if (!Number.isInteger(value) || !inBounds(value as number, min, max)) {
      throw new Error(`must be a whole number from ${min} to ${max}`);
    }
  },
});

convict.addFormat({
  name: 'engine count',
  coerce: (value: unknown) =>
    typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value,
  validate: (value: unknown, schema: convict.SchemaObj<unknown>) => {
    const { min, max } = schema as unknown as Bounded;
    if (value === 'auto' || (Number.isInteger(value) && inBounds(value as number, min, max)))
      return;
    throw new Error(`must be "auto" or a whole number from ${min} to ${max}`);
  },
});

const socketNameBytesMax = 80;

/** As native/os/upstream_socket.cpp reads it. */
export function isUpstream(text: string): boolean {
  if (text.startsWith('unix:/')) {
    const name = text.slice(text.lastIndexOf('/'));
    return Buffer.byteLength(name) <= socketNameBytesMax && !text.includes('\0');
  }
  const [, v6, v4, port] = /^tcp:(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const isAddress = v6 === undefined ? isIP(v4 ?? '') === 4 : isIP(v6) === 6 && !v6.includes('%');
  return isAddress && Number(port) >= 1 && Number(port) <= 65_535;
}

/** An array, or in the environment a text that separates its values. */
const split =
  (separator: string) =>
  (value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    return value === '' ? [] : value.split(separator);
  };

/** Each value is judged by `judge`, which throws. */
function addArray(name: string, { separator = ',', min = 0, max, what, judge }: ArrayFormat): void {
  convict.addFormat({
    name,
    coerce: split(separator),
    validate: (value: unknown) => {
      if (!Array.isArray(value) || value.length < min || value.length > max) {
        throw new Error(`needs ${min} to ${max} ${what}`);
      }
      for (const text of value) judge(String(text));
    },
  });
}

interface ArrayFormat {
  separator?: string;
  min?: number;
  max: number;
  what: string;
  judge: (text: string) => void;
}

const addresses = { max: listenersMax, what: 'addresses', judge: parseListenAddress };
addArray('listen addresses', { ...addresses, min: 1 });
addArray('listen addresses or none', addresses);

addArray('certificate pairs', {
  separator: ';',
  max: morePairsMax,
  what: 'pairs',
  judge: (text) => {
    const isPair = /^[^,]+,[^,]+$/.test(text) && !text.includes('\0');
    if (!isPair) throw new Error(`"${text}" is not CHAIN_FILE,KEY_FILE`);
  },
});

addArray('group names', {
  min: 1,
  max: groupsMax,
  what: 'names of groups',
  judge: (text) => {
    if (!/^[a-z0-9][\w-]{0,63}$/i.test(text)) throw new Error(`"${text}" is no name of a group`);
  },
});

addArray('protocols', {
  min: 1,
  max: 2,
  what: 'protocols',
  judge: (text) => {
    if (text !== 'h2' && text !== 'http/1.1')
      throw new Error(`"${text}" is neither "h2" nor "http/1.1"`);
  },
});

// Such a last label makes a name an address for browsers, or nothing (URL standard, 3.5).
const endsInNumber = /(^|\.)(\d+|0x[\da-f]*)\.?$/i;

/** Throws when no certificate can be for this name. */
export function judgeName(text: string): void {
  if (isIP(text) === 0 && (!dnsName.test(text) || endsInNumber.test(text))) {
    throw new Error(`"${text}" is neither a DNS name nor an address`);
  }
}

addArray('names', { max: namesMax, what: 'names', judge: judgeName });

addArray('subjects or fingerprints', {
  separator: ';',
  max: administratorsMax,
  what: 'subjects or fingerprints',
  judge: (text) => {
    const isSubject = /^[A-Za-z][\w.-]*=[\x20-\x7e]{1,510}$/.test(text);
    if (isSubject || /^([0-9a-f]{2}:?){31}[0-9a-f]{2}$/i.test(text)) return;
    throw new Error(`"${text}" is neither a subject such as CN=admin nor 32 bytes in hexadecimal`);
  },
});

export const programWordsMax = 64;

convict.addFormat({
  name: 'program',
  coerce: split(';'),
  validate: (value: unknown) => {
    if (!Array.isArray(value) || value.length > programWordsMax) {
      throw new Error(`needs a program and its arguments, at most ${programWordsMax}`);
    }
    const isFit = value.every((word) => typeof word === 'string' && /^[^\0]{0,4096}$/.test(word));
    const [program] = value as string[];
    if (!isFit || (program !== undefined && !program.startsWith('/'))) {
      throw new Error('must begin with the absolute path of a program');
    }
  },
});

/** A text that is empty for none, else judged by `pattern`. */
function addText(name: string, pattern: RegExp, refusal: string): void {
  convict.addFormat({
    name,
    validate: (value: unknown) => {
      const isFit = typeof value === 'string' && (value === '' || pattern.test(value));
      if (!isFit) throw new Error(refusal);
    },
  });
}

addText('path or nothing', /^[^\0]+$/, 'must be a path');
addText('file or nothing', /^[^\0]+$/, 'must be a path or credential:NAME');
addText(
  'key in a token or nothing',
  /^(pkcs11|handle):[^\0]+$/,
  'must be the PKCS #11 URI of a key in a token, or the handle of one in a TPM',
);
addText('text or nothing', /^[^\p{Cc}]{1,255}$/u, 'must be one line of at most 255 characters');
addText('https URL or nothing', /^https:\/\/[^\s/]+(\/[^\s]*)?$/, 'must be a URL with https://');
addText(
  'e-mail address or nothing',
  /^[^\s@<>:,]+@[^\s@<>:,]+$/,
  'must be an e-mail address, such as admin@example.org',
);

convict.addFormat({
  name: 'true or false',
  coerce: (value: unknown) => (value === 'true' ? true : value === 'false' ? false : value),
  validate: (value: unknown) => {
    if (typeof value !== 'boolean') throw new Error('must be true or false');
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

addText('field value', /^[\x20-\x7e]{1,128}$/, 'must be 1 to 128 visible ASCII characters');
addText(
  'location or nothing',
  /^(\/|https?:\/\/)[\x21-\x7e]{0,2000}$/,
  'must be a URL or a path with "/"',
);

convict.addFormat({
  name: 'route path',
  validate: (value: unknown) => {
    const refusal = prefixRefusal(String(value));
    if (refusal !== undefined) throw new Error(refusal);
    if (/^\/\.spliced(\/|$)/.test(String(value))) {
      throw new Error('must not be below /.spliced, where the service itself answers');
    }
  },
});

convict.addFormat({
  name: 'upstream or nothing',
  validate: (value: unknown) => {
    if (value === '' || isUpstream(String(value))) return;
    throw new Error(
      'must be unix:/PATH, tcp:ADDRESS:PORT or tcp:[ADDRESS]:PORT, with a ' + 'numeric address',
    );
  },
});

convict.addFormat({
  name: 'file name or nothing',
  validate: (value: unknown) => {
    const text = String(value);
    const refusal = text === '' ? undefined : prefixRefusal(`/${text}`);
    if (refusal !== undefined || text.endsWith('/'))
      throw new Error('must name a file, without "/" in front');
  },
});

convict.addFormat({
  name: 'body',
  validate: (value: unknown) => {
    if (Buffer.byteLength(String(value)) > 8192) throw new Error('must have at most 8192 bytes');
  },
});

addText(
  'request path or nothing',
  /^\/[\x21-\x22\x24-\x7e]{0,1023}$/,
  'must be a path that begins with "/", as in a URL, without "#"',
);

addArray('field names', {
  max: 16,
  what: 'names of header fields',
  judge: (text) => {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(text)) throw new Error(`"${text}" is no name of a field`);
    // Ours alone, or what frames a request and belongs to one connection.
    if (
      /^(x-forwarded-.*|forwarded|x-client-certificate-.*|x-request-id|x-real-ip|host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy.*|x-accel-.*|x-sendfile.*)$/i.test(
        text,
      )
    ) {
      throw new Error(`${text} is the server's own`);
    }
  },
});

convict.addFormat({
  name: 'rate',
  validate: (value: unknown, schema: convict.SchemaObj<unknown>) => {
    const { min, max } = schema as unknown as Bounded;
    if (value === 0 || (Number.isInteger(value) && inBounds(value as number, min, max))) return;
    throw new Error(`must be 0 or a whole number from ${min} to ${max}`);
  },
});

addArray('methods', {
  max: 7,
  what: 'methods',
  judge: (text) => {
    if (!/^(GET|HEAD|POST|PUT|PATCH|DELETE)$/.test(text))
      throw new Error(`"${text}" is no method here`);
  },
});

/** Those that the server itself decides on; as native/http/routes.cpp has them. */
const ownFields =
  /^(accept-ranges|allow|cache-control|connection|content-encoding|content-length|content-range|content-type|date|etag|keep-alive|last-modified|location|trailer|transfer-encoding|upgrade|vary|x-content-type-options)$/i;

addArray('header fields', {
  max: 32,
  what: 'fields',
  judge: (text) => {
    const [, name] = /^([\w!#$%&'*+.^`|~-]+):[\x20-\x7e]*$/.exec(text) ?? [];
    if (name === undefined) throw new Error(`"${text}" is not "Name: value"`);
    if (ownFields.test(name)) throw new Error(`${name} is the server's own`);
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
