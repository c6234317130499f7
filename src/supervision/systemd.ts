// SPDX-License-Identifier: Apache-2.0
// What systemd is told. Does nothing unless the process was started with NOTIFY_SOCKET. A message
// that cannot be sent is reported to the caller's log and never stops the server.

import notify from 'systemd-notify';

export interface Supervisor {
  ready(status: string): Promise<void>;
  /** A reload begins; `ready` ends it. */
  reloading(): Promise<void>;
  status(status: string): Promise<void>;
}

export function createSupervisor(
  env: NodeJS.ProcessEnv,
  onFailure: (error: unknown) => void,
): Supervisor {
  const send = async (options: { ready?: boolean; status: string }): Promise<void> => {
    if (!env.NOTIFY_SOCKET) return;
    try {
      await notify(options);
    } catch (error) {
      onFailure(error);
    }
  };
  return {
    ready: (status) => send({ ready: true, status }),
    // With Type=notify systemd waits for no answer to a reload.
    reloading: async () => {},
    status: (status) => send({ status }),
  };
}
