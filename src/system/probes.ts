// SPDX-License-Identifier: Apache-2.0
// Reads what the kernel and the firmware tell of the device: a few small files of /proc and /sys, which
// cost no disk. What is missing or unreadable is null or left out: boards differ. Used by system.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Storage, SystemDocument } from './document.js';

/** Of a file that is read; a sensor's or model's name is far shorter. */
const charactersMax = 8_192;
const sensorsMax = 16;
const nameCharactersMax = 80;

export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').slice(0, charactersMax);
  } catch {
    return undefined;
  }
}

/** One line that may be shown: a device tree's strings end with NUL, and firmware writes anything. */
function lineOf(path: string): string | undefined {
  const text = textOf(path)?.split(/[\0\n]/)[0] ?? '';
  const line = text.replaceAll(/\p{C}/gu, '').trim().slice(0, nameCharactersMax);
  return line === '' ? undefined : line;
}

/** Device tree, SoC bus, DMI: the first that says something. */
export function modelOf(root: string): string | null {
  const files = [
    'proc/device-tree/model',
    'sys/devices/soc0/machine',
    'sys/class/dmi/id/product_name',
  ];
  for (const file of files) {
    const line = lineOf(join(root, file));
    if (line !== undefined) return line;
  }
  return null;
}

/** os-release(5): shell assignments, quoted or not. */
export function firmwareOf(root: string): SystemDocument['firmware'] {
  const text =
    textOf(join(root, 'etc/os-release')) ?? textOf(join(root, 'usr/lib/os-release')) ?? '';
  const values = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(/^([A-Z_]+)=(.*)$/gm)) {
    const plain = value
      .trim()
      .replace(/^(["'])(.*)\1$/, '$2')
      .replaceAll(/\\(.)/g, '$1');
    const shown = plain.replaceAll(/\p{C}/gu, '').slice(0, nameCharactersMax);
    if (shown !== '') values.set(name, shown);
  }
  const first = (...names: string[]): string | null => {
    for (const name of names) if (values.has(name)) return values.get(name) ?? null;
    return null;
  };
  return {
    name: first('NAME', 'ID'),
    version: first('IMAGE_VERSION', 'VERSION_ID', 'VERSION'),
    build: first('BUILD_ID'),
  };
}

export interface Ticks {
  busy: number;
  all: number;
}

/** proc(5), the first line of stat: user nice system idle iowait irq softirq steal … */
export function ticksOf(root: string): Ticks | undefined {
  const fields = /^cpu +([\d ]+)$/m.exec(textOf(join(root, 'proc/stat')) ?? '')?.[1];
  if (fields === undefined) return undefined;
  // What guests had is within user and nice already.
  const ticks = fields.split(' ').slice(0, 8).map(Number);
  const all = ticks.reduce((total, one) => total + one, 0);
  return { all, busy: all - (ticks[3] ?? 0) - (ticks[4] ?? 0) };
}

export function memoryOf(root: string): SystemDocument['memory'] {
  const text = textOf(join(root, 'proc/meminfo')) ?? '';
  const bytesOf = (name: string): number =>
    1024 * Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0);
  return { totalBytes: bytesOf('MemTotal'), availableBytes: bytesOf('MemAvailable') };
}

/** The kernel's thermal zones, in thousandths of a degree. */
export function temperaturesOf(root: string): SystemDocument['temperatures'] {
  const directory = join(root, 'sys/class/thermal');
  let zones: string[];
  try {
    zones = readdirSync(directory).filter((name) => /^thermal_zone\d+$/.test(name));
  } catch {
    return [];
  }
  zones.sort((a, b) => Number(a.slice(12)) - Number(b.slice(12)));
  return zones.slice(0, sensorsMax).flatMap((zone) => {
    const text = lineOf(join(directory, zone, 'temp')) ?? '';
    // A sensor that is off says nothing, or an absurd number.
    const celsius = /^-?\d{1,6}$/.test(text) ? Number(text) / 1000 : Number.NaN;
    if (!(celsius > -60 && celsius < 200)) return [];
    return [{ name: lineOf(join(directory, zone, 'type')) ?? zone, celsius }];
  });
}

/** One that lies on the same file system as another one before is left out. */
export async function storageOf(
  places: readonly { name: string; path: string }[],
): Promise<Storage[]> {
  const found: Storage[] = [];
  const seen = new Set<number>();
  for (const { name, path } of places) {
    try {
      const { dev } = await stat(path);
      const { bsize, blocks, bavail } = await statfs(path);
      if (seen.has(dev) || blocks === 0) continue;
      seen.add(dev);
      found.push({ name, totalBytes: bsize * blocks, freeBytes: bsize * bavail });
    } catch {
      // Not mounted, or not ours to see.
    }
  }
  return found;
}
