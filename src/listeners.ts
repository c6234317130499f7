// SPDX-License-Identifier: Apache-2.0
// What the engine listens on: sockets of a socket unit before anything else, then what the service
// manager kept for us, then the addresses of the configuration. Part of the composition: daemon.ts
// calls it once, before the engine is made.

import { closeSync } from 'node:fs';
import type { Configuration } from './config/configuration.js';
import type { BoundListener, EngineOptions, NativeModule } from './engine/native.js';
import type { Log } from './log.js';
import {
  chooseFromStore,
  dropFromStore,
  type StoreChoice,
  storeListeners,
} from './supervision/descriptor-store.js';
import type { NotifySystemd } from './supervision/notify.js';
import { type InheritedSocket, rolesOf } from './supervision/socket-activation.js';

export interface ListenerParts {
  configuration: Pick<Configuration, 'listeners'>;
  inherited: InheritedSocket[];
  native: Pick<NativeModule, 'retireListener'>;
  notifySystemd: NotifySystemd;
  log: Log;
}

export interface ListenerPlan {
  listeners: EngineOptions['listeners'];
  /** A socket unit says where we listen; `listen` has no effect. */
  isActivated: boolean;
  /** Gives the service manager what was bound anew, to keep over a restart. */
  store(bound: BoundListener[]): void;
}

export function planListeners({
  configuration: { listeners: wanted },
  inherited,
  native,
  notifySystemd,
  log,
}: ListenerParts): ListenerPlan {
  const { https, stored, unknown } = rolesOf(inherited);
  for (const { name, fd } of unknown) {
    log.warn({ event: 'socket_unknown', name, advice: 'FileDescriptorName=https is served' });
    closeSync(fd);
  }
  const isActivated = https.length > 0;
  const choice: StoreChoice = isActivated
    ? { listeners: https.map(({ fd }) => ({ fd })), retired: stored }
    : chooseFromStore(wanted, stored);
  dropFromStore(choice.retired, native.retireListener, notifySystemd);
  if (isActivated) {
    const sockets = https.map(({ name }) => name);
    log.info({ event: 'socket_activation', sockets, reason: 'the setting "listen" has no effect' });
  } else if (stored.length > 0) {
    const nameOf = ({ name }: InheritedSocket): string => name;
    const dropped = choice.retired.map(nameOf);
    const kept = stored.map(nameOf).filter((name) => !dropped.includes(name));
    log.info({ event: 'listeners_kept', kept, dropped });
  }
  const store = (bound: BoundListener[]): void => {
    if (!isActivated) storeListeners(wanted, choice, bound, notifySystemd);
  };
  return { listeners: choice.listeners, isActivated, store };
}
