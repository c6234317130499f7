// SPDX-License-Identifier: Apache-2.0
// Randomness and the clock: what a board lacks at its first boot.

import type { Board, Finding } from '../board.js';

const dayMs = 24 * 3_600_000;

/** /proc/sys/kernel/random/entropy_avail says 256 whatever happens since 5.18; getrandom knows. */
export function probeRandom(board: Board): Finding[] {
  const id = 'machine.random';
  if ('error' in board.native) return [];
  const source = board.read('/sys/class/misc/hw_random/rng_current')?.trim();
  const isHardware = source !== undefined && source !== '' && source !== 'none';
  const detail = isHardware ? `Hardware source: ${source}.` : 'There is no hardware source.';
  if (board.native.randomReady) {
    return [{ id, level: 'ok', title: 'The random generator is ready', detail }];
  }
  const title = 'The random generator is not ready: keys cannot be made yet';
  const advice =
    'Wait; if this lasts for more than seconds after each boot, give the kernel a source: the ' +
    "SoC's own (CONFIG_HW_RANDOM, on i.MX CONFIG_CRYPTO_DEV_FSL_CAAM_RNG_API), or a seed that the " +
    'boot loader passes on.';
  return [{ id, level: 'problem', title, detail, advice }];
}

function isSynchronised(board: Board): boolean {
  if (!('error' in board.native) && board.native.clockSynchronised) return true;
  return board.stat('/run/systemd/timesync/synchronized') !== undefined;
}

export function probeClock(board: Board): Finding[] {
  const id = 'machine.clock';
  const now = new Date(board.nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const rtc = board.list('/sys/class/rtc').length > 0 ? '' : ' This machine has no battery clock.';
  if (board.nowMs < board.buildDateMs) {
    const title = `The clock has not been set: it says ${now}`;
    const detail =
      'That is before spliced was built. It serves all the same; certificates are made from the ' +
      `build date on, and clients see no harm.${rtc}`;
    const advice = 'Let systemd-timesyncd or chrony set the clock, or set it by hand.';
    return [{ id, level: 'warning', title, detail, advice }];
  }
  if (board.nowMs > board.buildDateMs + 30 * 365 * dayMs) {
    const title = `The clock is decades ahead: it says ${now}`;
    const advice = 'Set it: clients refuse certificates that are made with such a date.';
    return [{ id, level: 'warning', title, detail: '', advice }];
  }
  if (isSynchronised(board)) {
    return [{ id, level: 'ok', title: `The clock is kept by a time source: ${now}`, detail: '' }];
  }
  const title = `The clock says ${now}, and nothing keeps it right`;
  const advice = 'A time source (systemd-timesyncd, chrony) keeps certificates valid for clients.';
  return [{ id, level: 'info', title, detail: rtc.trim(), advice }];
}
