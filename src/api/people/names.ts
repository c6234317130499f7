// SPDX-License-Identifier: Apache-2.0
// What a person's name, password and role may be. Used by the routes, by `spliced user`, and by the
// file. Throws StartError, whose message is for the person who typed it.

import { StartError } from '../../base/start-error.js';

/** In the order of what they may: each may what those before it may. */
export const roles = ['view', 'operate', 'administer'] as const;
export type Role = (typeof roles)[number];

export const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);

/** Whether `role` is `wanted`, or more. */
export const mayAs = (role: Role, wanted: Role): boolean =>
  roles.indexOf(role) >= roles.indexOf(wanted);

export const nameCharactersMax = 64;
const namePattern = /^[a-z0-9][a-z0-9._@+-]*$/;

/** Of NIST SP 800-63B, there is a least length and no rule of composition. */
export const passwordBounds = { charactersMin: 12, charactersMax: 256 } as const;

/** A telephone's keyboard begins with a capital, and leaves a space at the end. */
export const nameOf = (typed: string): string => typed.trim().toLowerCase();

/** The name as it is kept. */
export function judgeName(typed: string): string {
  const name = nameOf(typed);
  if (name.length <= nameCharactersMax && namePattern.test(name)) return name;
  throw new StartError(
    `a name has 1 to ${nameCharactersMax} letters a to z, digits, or . _ @ + -, and begins with a ` +
      'letter or digit',
  );
}

export function judgeRole(text: string): Role {
  if (isRole(text)) return text;
  throw new StartError(`there is no role ${JSON.stringify(text)}; there are: ${roles.join(', ')}`);
}

/** One spelling of what looks alike on two keyboards: RFC 8265 4.2 has NFC, NIST NFKC. */
export const passwordOf = (typed: string): string => typed.normalize('NFKC');

export function judgePassword(typed: string, name: string): void {
  const { charactersMin, charactersMax } = passwordBounds;
  const password = passwordOf(typed);
  const { length } = [...password];
  if (length < charactersMin || length > charactersMax) {
    throw new StartError(
      `a password has ${charactersMin} to ${charactersMax} characters; several words are good`,
    );
  }
  if (/[\r\n\0]/.test(password)) throw new StartError('a password is a single line');
  if (new Set(password).size < 4) throw new StartError('that password repeats a few characters');
  if (name.length >= 4 && password.toLowerCase().replaceAll(name, '').length < charactersMin / 2) {
    throw new StartError('that password is little more than the name');
  }
}
