// SPDX-License-Identifier: Apache-2.0
// Which process is the service. Its record names a process, but the service's user writes the record
// and could name any process. So the kernel is asked who listens on api.sock (SO_PEERCRED), and the
// record must name that process. Used by drain.ts and update-good.ts.

import { readFileSync, statSync } from 'node:fs';
import { reasonOf, StartError } from '../base/start-error.js';
import { type RunState, recordName, startTicksOf } from '../daemon/run-record.js';
import type { NativeModule } from '../engine/native.js';
import { socketName } from './api-client.js';
import type { ServiceDirectory } from './service-directory.js';
import type { Serving } from './serving.js';

// systemd from 257 on maps the owner of a dynamic user's directory to this one, who is "nobody".
const uidUnmapped = 65_534;

export interface ServiceProcess {
  pid: number;
  startTicks: string;
  uid: number;
}

type Native = Pick<NativeModule, 'listenerOf' | 'terminateProcess'>;

const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '');

/** Undefined: nobody listens there. Throws StartError when it is another user than the owner. */
async function listenerIn(
  directory: ServiceDirectory,
  native: Native,
): Promise<ReturnType<Native['listenerOf']> | undefined> {
  let peer: ReturnType<Native['listenerOf']>;
  try {
    peer = await directory.withSocket(socketName, (path) => native.listenerOf(path));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw new StartError(`${directory.path}/${socketName}: ${reasonOf(error)}`);
  }
  const isMapped = directory.uid === uidUnmapped && peer.uid !== 0;
  if (peer.uid === directory.uid || isMapped) return peer;
  throw new StartError(
    `${directory.path} belongs to user ${directory.uid}, and process ${peer.pid} of user ` +
      `${peer.uid} listens there: it is not trusted`,
  );
}

/** The process that listens on the API's socket. Throws StartError when there is none. */
export async function askedProcess(
  directory: ServiceDirectory,
  native: Native,
): Promise<ServiceProcess> {
  const peer = await listenerIn(directory, native);
  const startTicks = peer && startTicksOf(peer.pid);
  if (peer === undefined || startTicks === undefined) {
    throw new StartError(`${directory.path}/${socketName}: nobody listens there`);
  }
  return { pid: peer.pid, startTicks, uid: peer.uid };
}

function realUserOf(pid: number): number | undefined {
  const [, uid] = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** Our own program, told to serve. Of a process without an API, whose user is the right one. */
function isServer(pid: number): boolean {
  const [program, own] = [statSync(`/proc/${pid}/exe`), statSync(process.execPath)];
  const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
  return program.ino === own.ino && program.dev === own.dev && words.includes('serve');
}

/** Why a process without an API is not the service; undefined: it is. */
function whyNoServer({ directory, state: { pid } }: Serving): string | undefined {
  try {
    const uid = realUserOf(pid);
    if (uid !== directory.uid)
      return `it belongs to user ${uid}, and the directory to user ${directory.uid}`;
    return isServer(pid) ? undefined : 'it is another program';
  } catch (error) {
    return `it cannot be looked at: ${reasonOf(error)}`;
  }
}

/**
 * The process that the record names, when it is the service. Throws StartError with what is wrong with
 * it. The directory is not entered yet: who listens may be another user's.
 */
export async function recordedProcess(serving: Serving, native: Native): Promise<ServiceProcess> {
  const { directory, state } = serving;
  const { pid, startTicks }: RunState = state;
  const peer = await listenerIn(directory, native);
  const named = `${directory.path}/${recordName} names process ${pid}`;
  const advice = 'nothing was signalled; stop the service with systemctl stop spliced';
  if (peer !== undefined) {
    if (peer.pid === pid) return { pid, startTicks, uid: peer.uid };
    throw new StartError(
      `${named}, and process ${peer.pid} listens on its ${socketName}: ${advice}`,
    );
  }
  const fault = whyNoServer(serving);
  if (fault === undefined) return { pid, startTicks, uid: directory.uid };
  throw new StartError(`${named}, which is not the service (${fault}): ${advice}`);
}

/** SIGTERM for that very process. Throws StartError when it cannot be. */
export function terminate({ pid, startTicks, uid }: ServiceProcess, native: Native): void {
  try {
    native.terminateProcess({ pid, startTicks: Number(startTicks), uid });
  } catch (error) {
    throw new StartError(reasonOf(error));
  }
}
