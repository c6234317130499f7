// SPDX-License-Identifier: Apache-2.0
// Who has passed the application that is asked before the API (`api.authorize`, docs/AUTHORIZE.md). The
// engine adds what its answer says, and removes whatever a client says under these names, with or without
// such an application: what is here cannot be a client's. Used by access.ts.

import type { IncomingMessage } from 'node:http';
import { isRole, nameCharactersMax, type Role } from './people/names.js';

export interface ApplicationUser {
  role: Role;
  /** As the application calls him; undefined: it does not say. */
  name: string | undefined;
}

/** Text that can be shown: an application may have any names. */
const isFit = (name: string): boolean =>
  name.length <= nameCharactersMax && /^[^\p{C}\p{Z}]+( [^\p{C}\p{Z}]+)*$/u.test(name);

/** It was asked about this request, and nothing that counts was answered: nobody has passed. */
export const isApplicationSilent = ({ headersDistinct }: IncomingMessage): boolean =>
  headersDistinct['spliced-unanswered'] !== undefined;

/** Undefined: nobody was asked. The least role where the application says none that there is. */
export function applicationUserOf({
  headersDistinct,
}: IncomingMessage): ApplicationUser | undefined {
  if (headersDistinct['spliced-authorized'] === undefined) return undefined;
  const one = (name: string): string => {
    const values = headersDistinct[name] ?? [];
    return values.length === 1 ? (values[0] ?? '') : '';
  };
  const [role, name] = [one('spliced-role'), one('spliced-user')];
  return { role: isRole(role) ? role : 'view', name: isFit(name) ? name : undefined };
}
