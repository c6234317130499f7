// SPDX-License-Identifier: Apache-2.0
// Who sends a request, and whether that one may. On api.sock the kernel decides: only root and the
// service's own user can connect. On proxy.sock the requests of everybody else arrive by the proxy
// route. There a bearer token decides, or the cookie of somebody who has signed in, or what the proxy
// says of the client (docs/API.md has the contract).
// Called by app.ts for each request.

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { reasonOf } from '../base/start-error.js';
import { applicationUserOf, isApplicationSilent } from './application.js';
import { sessionKeyOf } from './cookie.js';
import type { Need } from './needs.js';
import type { Person } from './people/file.js';
import { mayAs, type Role } from './people/names.js';
import type { People } from './people/people.js';
import type { Session } from './people/sessions.js';
import { Problem } from './problem.js';
import { GuessThrottle } from './throttle.js';
import { roleOfToken } from './token.js';

/** The socket through which a request came. */
export type Door = 'local' | 'proxy';

export interface Asker {
  /**
   * For the log: "local", "loopback", "token", "token ROLE", "certificate SUBJECT", "person NAME", "application NAME" or
   * "nobody".
   */
  who: string;
  /** How that is known. */
  by: 'device' | 'token' | 'certificate' | 'person' | 'application' | undefined;
  /** Of a person, or as the application says. */
  name?: string | undefined;
  /** Of the client; undefined on the local socket. */
  address: string | undefined;
  /** Undefined: of somebody who has shown no credential. */
  role: Role | undefined;
  /** Of a cookie, which a browser sends by itself. */
  person?: { person: Person; session: Session };
}

export interface AccessParts {
  stateDir: string;
  people: Pick<People, 'who'>;
  /** Subjects (RFC 4514) and fingerprints of client certificates; may change. */
  administrators: () => readonly string[];
  /** A line for the log. */
  warn: (line: { event: string; [field: string]: unknown }) => void;
  throttle?: GuessThrottle;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const isLoopback = (address: string): boolean =>
  loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

const fingerprintOf = (text: string): string => text.replaceAll(':', '').toLowerCase();

function tooMany(waitS: number): Problem {
  const detail = `There were too many wrong tokens. Try again in ${waitS} seconds.`;
  return new Problem(429, 'Too many wrong tokens', detail, {
    headers: { 'Retry-After': String(waitS) },
  });
}

/** Our proxy sets each of these at most once, and removes those of the client. */
function fromProxy({ headersDistinct }: IncomingMessage, name: string): string | undefined {
  const values = headersDistinct[name] ?? [];
  if (values.length <= 1) return values[0];
  throw new Problem(400, 'Bad proxy', `The proxy sent ${name} more than once.`);
}

function clientOf(incoming: IncomingMessage): string {
  const address = fromProxy(incoming, 'x-forwarded-for') ?? '';
  const isFit = isIP(address) !== 0 && fromProxy(incoming, 'x-forwarded-proto') === 'https';
  if (isFit) return address;
  const wanted = "X-Forwarded-For with the client's address alone, and X-Forwarded-Proto: https";
  throw new Problem(400, 'Bad proxy', `This socket is for the proxy route, which sends ${wanted}.`);
}

function credentialsNeeded(): Problem {
  const detail =
    'Sign in, or send "Authorization: Bearer TOKEN" with the token that "spliced token" shows on the ' +
    'device, or use a client certificate that api.client_certificates names.';
  return new Problem(401, 'Credentials needed', detail, {
    headers: { 'WWW-Authenticate': 'Bearer realm="spliced"' },
  });
}

/** Passes: whoever has a session of the application need not sign in again. */
function applicationSilent(): Problem {
  const detail =
    'The application that says who you are (api.authorize) does not answer; the log says why. Sign in here ' +
    'by name, or by the token that "spliced token" shows on the device.';
  return new Problem(502, 'The application is silent', detail);
}

function roleNeeded(wanted: Role, role: Role): Problem {
  const detail = `This needs the role "${wanted}", and yours is "${role}".`;
  return new Problem(403, 'Role needed', detail, { members: { role, wanted } });
}

function admitDevice(door: Door, asker: Asker): Asker {
  if (door === 'local') return asker;
  throw new Problem(403, 'On the device alone', 'This is for root on the device.');
}

function admitPerson(asker: Asker): Asker {
  if (asker.person !== undefined) return asker;
  const detail = 'This is for people who have signed in by name; a program has no session.';
  throw new Problem(403, 'For people', detail);
}

export class Access {
  readonly #parts: AccessParts;
  readonly #throttle: GuessThrottle;

  constructor(parts: AccessParts) {
    this.#parts = parts;
    this.#throttle = parts.throttle ?? new GuessThrottle();
  }

  /**
   * Throws Problem: 400 for a bad proxy, 401 without a credential (502 where an application has that, and
   * does not answer), 403 where the role is too little, 429 after too many wrong tokens.
   */
  async admit(door: Door, need: Need, incoming: IncomingMessage): Promise<Asker> {
    const asker =
      door === 'local'
        ? ({ who: 'local', by: 'device', address: undefined, role: 'administer' } as const)
        : await this.#client(incoming);
    if (need === 'anybody') return asker;
    if (need === 'device') return admitDevice(door, asker);
    const { role, address = '' } = asker;
    if (role === undefined && isApplicationSilent(incoming)) throw applicationSilent();
    if (role === undefined && need === 'measure' && isLoopback(address)) {
      return { ...asker, who: 'loopback', by: 'device' };
    }
    if (role === undefined) throw credentialsNeeded();
    if (need === 'person') return admitPerson(asker);
    const wanted = need === 'measure' ? 'view' : need;
    if (!mayAs(role, wanted)) throw roleNeeded(wanted, role);
    return asker;
  }

  /**
   * A person comes before the certificate of the browser: it may say less, and the log says who. Whoever
   * has passed the application may have any Authorization: it was for that one.
   */
  async #client(incoming: IncomingMessage): Promise<Asker> {
    const address = clientOf(incoming);
    const { authorization } = incoming.headers;
    const key = authorization === undefined ? sessionKeyOf(incoming) : undefined;
    const person = key === undefined ? undefined : await this.#parts.people.who(key);
    if (person !== undefined) {
      const { name, role } = person.person;
      return { who: `person ${name}`, by: 'person', name, address, role, person };
    }
    const subject = fromProxy(incoming, 'x-client-certificate-subject') ?? '';
    const fingerprint = fromProxy(incoming, 'x-client-certificate-fingerprint') ?? '';
    if (this.#isAdministrator(subject, fingerprint)) {
      return { who: `certificate ${subject}`, by: 'certificate', address, role: 'administer' };
    }
    const user = applicationUserOf(incoming);
    if (user !== undefined) {
      const who = user.name === undefined ? 'application' : `application ${user.name}`;
      return { who, by: 'application', address, ...user };
    }
    if (authorization === undefined)
      return { who: 'nobody', by: undefined, address, role: undefined };
    const role = await this.#roleOfBearer(authorization, address);
    const who = role === 'administer' ? 'token' : `token ${role}`;
    return { who, by: 'token', address, role };
  }

  #isAdministrator(subject: string, fingerprint: string): boolean {
    if (subject === '' && fingerprint === '') return false;
    return this.#parts.administrators().some((entry) =>
      // A fingerprint has no "=", and a subject has one.
      entry.includes('=') ? entry === subject : fingerprintOf(entry) === fingerprintOf(fingerprint),
    );
  }

  async #roleOfBearer(authorization: string, address: string): Promise<Role> {
    const waitS = this.#throttle.waitS(address);
    if (waitS > 0) throw tooMany(waitS);
    const [, token] = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization) ?? [];
    const role = token === undefined ? undefined : await this.#roleOfToken(token);
    if (role !== undefined) return role;
    const { warn } = this.#parts;
    const waitInAllS = this.#throttle.waitInAllS();
    const { isAddressFull, isAllFull } = this.#throttle.failed(address);
    if (waitInAllS > 0) throw tooMany(waitInAllS);
    warn({ event: 'api_token_refused', address });
    if (isAddressFull) warn({ event: 'api_throttled', address });
    if (isAllFull) warn({ event: 'api_throttled', address: 'all' });
    const detail =
      token === undefined
        ? 'The Authorization field must be "Bearer TOKEN".'
        : 'The token is wrong. "spliced token" on the device makes a new one.';
    throw new Problem(401, 'Wrong token', detail, {
      headers: { 'WWW-Authenticate': 'Bearer realm="spliced", error="invalid_token"' },
    });
  }

  async #roleOfToken(token: string): Promise<Role | undefined> {
    try {
      return await roleOfToken(this.#parts.stateDir, token);
    } catch (error) {
      throw new Problem(500, 'Token file', `The token cannot be checked: ${reasonOf(error)}.`);
    }
  }
}
