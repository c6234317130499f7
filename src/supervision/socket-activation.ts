// SPDX-License-Identifier: Apache-2.0
// Sockets that the service manager hands over at the start, sd_listen_fds(3): those of a socket unit
// and those of the descriptor store. Says what each is by its name. Takes LISTEN_* out of the
// environment. Called once by daemon.ts, before anything else opens descriptors.

import { isStoreName } from './store-name.js';

export interface InheritedSocket {
  /** FileDescriptorName= of the socket unit, or the name in the store. */
  name: string;
  fd: number;
}

const firstFd = 3; // SD_LISTEN_FDS_START
const socketsMax = 64;

/** Empty unless the sockets are meant for this very process. */
export function takeInheritedSockets(env: NodeJS.ProcessEnv, pid: number): InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) {
    delete env[name];
  }
  const count = Number(LISTEN_FDS ?? 0);
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1) return [];
  const names = LISTEN_FDNAMES?.split(':') ?? [];
  return Array.from({ length: Math.min(count, socketsMax) }, (_, index) => ({
    name: names[index] || 'unknown',
    fd: firstFd + index,
  }));
}

/** Of one setting, `listen` or `listen_http`. */
export interface SettingSockets {
  /** Of a socket unit: to be used instead of the addresses of the configuration. */
  given: InheritedSocket[];
  /** Our own of an earlier life. */
  stored: InheritedSocket[];
}

export interface SocketRoles {
  listen: SettingSockets;
  listen_http: SettingSockets;
  /** Of a name that means nothing to us: to be closed, and told. */
  unknown: InheritedSocket[];
}

// A unit without FileDescriptorName= passes its own name; tools pass none at all.
const isHttps = (name: string): boolean =>
  /^https(-|$)/.test(name) || name.endsWith('.socket') || name === 'unknown';

const isHttp = (name: string): boolean => /^http(-|$)/.test(name);

export function rolesOf(sockets: readonly InheritedSocket[]): SocketRoles {
  const roles: SocketRoles = {
    listen: { given: [], stored: [] },
    listen_http: { given: [], stored: [] },
    unknown: [],
  };
  for (const socket of sockets) {
    if (isStoreName('listen', socket.name)) roles.listen.stored.push(socket);
    else if (isStoreName('listen_http', socket.name)) roles.listen_http.stored.push(socket);
    else if (isHttps(socket.name)) roles.listen.given.push(socket);
    else if (isHttp(socket.name)) roles.listen_http.given.push(socket);
    else roles.unknown.push(socket);
  }
  return roles;
}
