// SPDX-License-Identifier: Apache-2.0
// /proc/crypto (crypto/proc.c: c_show): which driver the kernel would take for an algorithm. The
// rule is that of native/os/crypto_drivers.cpp, which does the same for the status of an engine.

import type { Board } from './board.js';

export interface CipherDriver {
  algorithm: string;
  name: string;
  module: string;
  priority: number;
  isAsync: boolean;
  isTested: boolean;
}

export function parseProcCrypto(text: string): CipherDriver[] {
  const drivers: CipherDriver[] = [];
  for (const entry of text.split(/\n\s*\n/)) {
    const lines = entry.split('\n').map((line) => line.split(':'));
    const values = new Map(
      lines.map(([key = '', ...rest]) => [key.trim(), rest.join(':').trim()] as const),
    );
    const priority = values.get('priority') ?? '';
    if (!/^-?\d+$/.test(priority) || values.get('internal') === 'yes') continue;
    if (values.get('type') === 'larval') continue; // Its template is still being built.
    drivers.push({
      algorithm: values.get('name') ?? '',
      name: values.get('driver') ?? '',
      module: values.get('module') ?? '',
      priority: Number(priority),
      isAsync: values.get('async') === 'yes',
      isTested: values.get('selftest') === 'passed',
    });
  }
  return drivers.filter(({ name }) => name !== '');
}

export function cipherDrivers(board: Board): CipherDriver[] {
  return parseProcCrypto(board.read('/proc/crypto') ?? '');
}

/** The highest priority wins, the first of equals. */
export function preferredDriver(
  drivers: readonly CipherDriver[],
  algorithm: string,
): CipherDriver | undefined {
  let best: CipherDriver | undefined;
  for (const driver of drivers) {
    if (driver.algorithm !== algorithm || !driver.isTested) continue;
    if (best === undefined || driver.priority > best.priority) best = driver;
  }
  return best;
}
