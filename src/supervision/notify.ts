// SPDX-License-Identifier: Apache-2.0
// The way to the service manager's notify socket, sd_notify(3). Takes NOTIFY_SOCKET out of the
// environment, so that no child can speak for the service. daemon.ts makes one; systemd.ts and the
// watchdog send through it.

/** As the addon's notifySystemd (engine/native.ts): throws when it cannot be sent, never blocks. */
export type SendDatagram = (address: string, message: string, fds?: number[]) => void;

/**
 * Sends `message`, lines of `VARIABLE=value`, and descriptors for the store. Does nothing without a
 * manager. Never throws: a failure goes to the log given by the daemon, and serving goes on. False
 * then, for a message that has another way.
 */
export type NotifySystemd = (message: string, fds?: number[]) => boolean;

export interface NotifySocket {
  /** What NOTIFY_SOCKET was; undefined: nobody listens. */
  address: string | undefined;
  notifySystemd: NotifySystemd;
}

/** To be called once, before the first child. `send` is asked for only when there is a manager. */
export function takeNotifySocket(
  env: NodeJS.ProcessEnv,
  send: SendDatagram,
  onFailure: (error: unknown) => void,
): NotifySocket {
  const address = env.NOTIFY_SOCKET;
  delete env.NOTIFY_SOCKET;
  if (!address) return { address: undefined, notifySystemd: () => true };
  const notifySystemd: NotifySystemd = (message, fds) => {
    try {
      send(address, message, fds);
      return true;
    } catch (error) {
      onFailure(error);
      return false;
    }
  };
  return { address, notifySystemd };
}
