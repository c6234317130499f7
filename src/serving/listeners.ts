// SPDX-License-Identifier: Apache-2.0
// What is listened on, for HTTPS and for plain HTTP: sockets of a socket unit before anything else,
// then what the service manager kept for us, then the addresses of the configuration. Part of the
// composition: daemon.ts calls it once, before anything listens.

import { closeSync } from 'node:fs';
import type { Configuration } from '../config/configuration.js';
import type { NativeModule, ServiceOptions } from '../engine/native.js';
import type { Log } from '../log/log.js';
import {
  chooseFromStore,
  dropFromStore,
  forgetListeners,
  type StoreChoice,
  storeListeners,
} from '../supervision/descriptor-store.js';
import type { NotifySystemd } from '../supervision/notify.js';
import {
  type InheritedSocket,
  rolesOf,
  type SettingSockets,
} from '../supervision/socket-activation.js';
import type { StoreKind } from '../supervision/store-name.js';

export interface ListenerParts {
  configuration: Pick<Configuration, 'listeners' | 'httpListeners'>;
  inherited: InheritedSocket[];
  native: Pick<NativeModule, 'retireListener'>;
  notifySystemd: NotifySystemd;
  log: Log;
}

export interface ListenerPlan {
  listeners: ServiceOptions['listeners'];
  /** A socket unit says where we listen; the setting has no effect. */
  isActivated: boolean;
  /** Gives the service manager what was bound anew, to keep over a restart. */
  store(bound: readonly { fd: number | undefined }[]): void;
  /** Has it keep nothing of ours: the sockets listen no more, and the next process binds its own. */
  forget(): void;
}

function planSetting(
  kind: StoreKind,
  wanted: Configuration['listeners'],
  { given, stored }: SettingSockets,
  { native, notifySystemd, log }: ListenerParts,
): ListenerPlan {
  const isActivated = given.length > 0;
  const choice: StoreChoice = isActivated
    ? { listeners: given.map(({ fd }) => ({ fd })), retired: stored }
    : chooseFromStore(kind, wanted, stored);
  dropFromStore(choice.retired, native.retireListener, notifySystemd);
  if (isActivated) {
    const sockets = given.map(({ name }) => name);
    const reason = `the setting "${kind}" has no effect`;
    log.info({ event: 'socket_activation', sockets, reason });
  } else if (stored.length > 0) {
    const nameOf = ({ name }: InheritedSocket): string => name;
    const dropped = choice.retired.map(nameOf);
    const kept = stored.map(nameOf).filter((name) => !dropped.includes(name));
    log.info({ event: 'listeners_kept', kept, dropped });
  }
  const store: ListenerPlan['store'] = (bound) => {
    if (!isActivated) storeListeners(kind, wanted, choice, bound, notifySystemd);
  };
  const forget = (): void => {
    if (!isActivated) forgetListeners(kind, wanted, notifySystemd);
  };
  return { listeners: choice.listeners, isActivated, store, forget };
}

export interface ListenerPlans {
  https: ListenerPlan;
  /** Without listeners: plain HTTP is not answered. */
  http: ListenerPlan;
}

export function planListeners(parts: ListenerParts): ListenerPlans {
  const { configuration, inherited, log } = parts;
  const roles = rolesOf(inherited);
  for (const { name, fd } of roles.unknown) {
    const advice = 'FileDescriptorName=https is served, FileDescriptorName=http redirects there';
    log.warn({ event: 'socket_unknown', name, advice });
    closeSync(fd);
  }
  const { listeners, httpListeners } = configuration;
  return {
    https: planSetting('listen', listeners, roles.listen, parts),
    http: planSetting('listen_http', httpListeners, roles.listen_http, parts),
  };
}
