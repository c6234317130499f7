// SPDX-License-Identifier: Apache-2.0
// What the service manager is told, sd_notify(3): READY with STATUS by the systemd-notify package,
// and as datagrams what that cannot say, or what must not start a process each time. Nothing happens
// without a manager. A message that cannot be sent is the log's business and never stops the server.

import type { NotifySocket } from './notify.js';

export interface Supervisor {
  /** False: nobody listens, so nothing needs to be found out for it. */
  isPresent: boolean;
  /** The service serves: after its start, or after a reload. */
  ready(status: string): Promise<void>;
  /** A reload begins; `ready` ends it. */
  reloading(): Promise<void>;
  status(status: string): void;
  /** The stop begins. */
  stopping(status: string): void;
  /** The state that is under way, start or stop, may last so much longer, from now. */
  extendTimeout(ms: number): void;
}

const statusCharsMax = 1000;

// One line: a second one would be another variable.
const oneLine = (text: string): string =>
  text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, statusCharsMax);

/** systemd compares it with its own CLOCK_MONOTONIC, which is what Node's hrtime reads on Linux. */
const monotonicUsec = (): bigint => process.hrtime.bigint() / 1000n;

/** Starts `systemd-notify`, with the socket in the environment for just as long. */
async function notifyReady(address: string, status: string): Promise<void> {
  const { default: notify } = await import('systemd-notify');
  process.env.NOTIFY_SOCKET = address;
  try {
    const sent = notify({ ready: true, status }); // The child has its environment by now.
    delete process.env.NOTIFY_SOCKET;
    await sent;
  } finally {
    delete process.env.NOTIFY_SOCKET;
  }
}

export function createSupervisor(
  { address, notifySystemd }: NotifySocket,
  onFailure: (error: unknown) => void,
): Supervisor {
  return {
    isPresent: address !== undefined,
    ready: async (text) => {
      if (address === undefined) return;
      const status = oneLine(text);
      try {
        await notifyReady(address, status);
      } catch (error) {
        // The program is missing on many a board: the manager must hear of it all the same.
        onFailure(error);
        notifySystemd(`READY=1\nSTATUS=${status}`);
      }
    },
    reloading: async () => notifySystemd(`RELOADING=1\nMONOTONIC_USEC=${monotonicUsec()}`),
    status: (text) => notifySystemd(`STATUS=${oneLine(text)}`),
    stopping: (text) => notifySystemd(`STOPPING=1\nSTATUS=${oneLine(text)}`),
    extendTimeout: (ms) => notifySystemd(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms) * 1000}`),
  };
}
