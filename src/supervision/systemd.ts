// SPDX-License-Identifier: Apache-2.0
// What the service manager is told, sd_notify(3): STATUS, and READY after a reload, by the
// systemd-notify package (status-carrier.ts); as datagrams what that cannot say, and the READY of the
// start, which a process of its own would delay (docs/PERFORMANCE.md). Nothing happens without a
// manager. A message that cannot be sent is the log's business and never stops the server.

import { visible } from '../base/visible.js';
import type { NotifySocket } from './notify.js';
import { type Notify, StatusCarrier } from './status-carrier.js';

export interface Supervisor {
  /** False: nobody listens, so nothing needs to be found out for it. */
  isPresent: boolean;
  /** The service serves: the first time after its start, then after each reload. */
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
export const oneLine = (text: string): string =>
  visible(text.replaceAll(/\s+/g, ' ')).slice(0, statusCharsMax);

/** systemd compares it with its own CLOCK_MONOTONIC, which is what Node's hrtime reads on Linux. */
const monotonicUsec = (): bigint => process.hrtime.bigint() / 1000n;

export function createSupervisor(
  socket: NotifySocket,
  onFailure: (error: unknown) => void,
  load?: () => Promise<Notify>,
): Supervisor {
  const { address, notifySystemd } = socket;
  const isPresent = address !== undefined;
  const carrier = new StatusCarrier(socket, onFailure, load);
  let isStarted = false;
  let isStopping = false;
  return {
    isPresent,
    ready: async (text) => {
      if (!isPresent) return;
      const status = oneLine(text);
      if (isStarted) return carrier.ready(status);
      isStarted = true;
      // A manager whose queue is full at boot: the program waits until there is room.
      if (!notifySystemd(`READY=1\nSTATUS=${status}`)) await carrier.ready(status);
    },
    reloading: async () => {
      notifySystemd(`RELOADING=1\nMONOTONIC_USEC=${monotonicUsec()}`);
    },
    status: (text) => {
      if (isPresent && !isStopping) carrier.say(oneLine(text));
    },
    stopping: (text) => {
      isStopping = true;
      const status = `STATUS=${oneLine(text)}`;
      notifySystemd(`STOPPING=1\n${status}`);
      // Words that are under way would be the last ones that are shown.
      if (carrier.isSending) void carrier.settle().then(() => notifySystemd(status));
    },
    extendTimeout: (ms) => notifySystemd(`EXTEND_TIMEOUT_USEC=${Math.ceil(ms) * 1000}`),
  };
}
