// SPDX-License-Identifier: Apache-2.0
// What listen() of the library is given, and its errors: as node:net has both, so that a program that
// looks at `error.code` goes on to be right. Called by index.ts.

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { getSystemErrorMap, inspect } from 'node:util';

export interface ListenWish {
  port: number;
  /** Undefined: every address of the device. */
  host: string | undefined;
  onListening: (() => void) | undefined;
}

const coded = <E extends Error>(error: E, code: string): E => Object.assign(error, { code });

export const alreadyListening = (): Error =>
  coded(
    new Error('Listen method has been called more than once without closing.'),
    'ERR_SERVER_ALREADY_LISTEN',
  );

export const notRunning = (): Error =>
  coded(new Error('Server is not running.'), 'ERR_SERVER_NOT_RUNNING');

/** As net.Server's listen() reads it: also "8443" of an environment variable. */
function portOf(given: unknown): number {
  if (given === undefined || given === null) return 0;
  const isText = typeof given === 'string' && given.trim() !== '';
  const port = isText || typeof given === 'number' ? Number(given) : Number.NaN;
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  const received = `Received type ${typeof given} (${inspect(given)})`;
  const message = `options.port should be >= 0 and < 65536. ${received}.`;
  throw coded(new RangeError(message), 'ERR_SOCKET_BAD_PORT');
}

/** (port, host, callback), each of which may be missing, or ({ port, host }, callback). */
export function readListen(args: readonly unknown[]): ListenWish {
  const onListening = args.find(
    (value) => typeof value === 'function',
  ) as ListenWish['onListening'];
  const [first, second] = args.filter((value) => typeof value !== 'function');
  const isObject = typeof first === 'object' && first !== null;
  const { port, host } = isObject
    ? (first as { port?: unknown; host?: unknown })
    : { port: first, host: second };
  return { port: portOf(port), host: typeof host === 'string' ? host : undefined, onListening };
}

/** The numeric addresses to try in turn. Rejects as dns.lookup() does, with ENOTFOUND. */
export async function addressesOf(host: string | undefined): Promise<string[]> {
  if (host === undefined || host === '') return ['::', '0.0.0.0'];
  return [isIP(host) === 0 ? (await lookup(host)).address : host];
}

/** Whether another of the addresses may do: this device has no IPv6. */
export const isWithoutFamily = (error: unknown): boolean =>
  ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(nameOf(error)?.[0] ?? '');

function nameOf(error: unknown): [string, string] | undefined {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code === 'ELISTEN' && errno !== undefined ? getSystemErrorMap().get(errno) : undefined;
}

/** The engine's refusal of a listener as the error of node:net; any other as it is. */
export function asListenError(error: unknown, address: string, port: number): unknown {
  const name = nameOf(error);
  if (name === undefined) return error;
  const [code, reason] = name;
  const place = port > 0 ? `${address}:${port}` : address;
  const { errno } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(`listen ${code}: ${reason} ${place}`), {
    code,
    errno,
    syscall: 'listen',
    address,
    ...(port > 0 && { port }),
  });
}
