// SPDX-License-Identifier: Apache-2.0
// Connects restart and power-off of the device with what the daemon has: the log, the events, and the
// update, which must not be cut off. Called by daemon.ts.

import { bootId } from '../base/boot-id.js';
import type { Events } from '../base/events.js';
import type { Log } from '../log/log.js';
import { Power } from '../power/power.js';
import type { UpdateServing } from './update.js';

export interface PowerServingParts {
  events: Events;
  log: Log;
  update: Pick<UpdateServing, 'powerRefusal'>;
  stop: AbortSignal;
}

export function servePower({ events, log, update, stop }: PowerServingParts): Power {
  return new Power({
    env: process.env,
    bootId: bootId(),
    log,
    stop,
    refusal: () => update.powerRefusal(),
    onChange: (document) => events.publish('device', document),
  });
}
