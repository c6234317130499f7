// SPDX-License-Identifier: Apache-2.0
// Powers a board on, keeps its serial console as a log, and takes the report out of it: inside/init
// prints that between two markers, compressed. QEMU is ended then: not every machine switches itself off.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { gunzipSync } from 'node:zlib';
import type { Case } from '../../guest/host/run-guests.js';
import type { Image } from './image.js';
import type { Machine } from './machines.js';

const reportBytesMax = 16 << 20;

export interface Finding {
  id: string;
  level: string;
  title: string;
  detail: string;
}

/** What inside/main.mjs writes. A step that broke has an `error` instead. */
export interface Report {
  release: string;
  architecture: string;
  node: string;
  naive: Case;
  serve: { error?: string; matrix?: Case; stop?: Case };
  token: Case & { stored?: string[] };
  doctor: { error?: string; findings?: Finding[] };
  crypto: string;
  interrupts: string;
}

export interface Run {
  report?: Report;
  /** How the board ended: the marker's words, or why there was none. */
  end: string;
  durationMs: number;
  /** `SECONDS STEP` since power-on, as the board's own clock has them. */
  steps: string[];
  /** What QEMU itself said. */
  emulatorLines: string[];
  consolePath: string;
}

function decode(lines: string[]): Report | undefined {
  if (lines.length === 0) return undefined;
  const packed = Buffer.from(lines.join(''), 'base64');
  return JSON.parse(gunzipSync(packed, { maxOutputLength: reportBytesMax }).toString());
}

/** Resolves when the board has reported, has died, or its time is over; it is off then. */
export async function runBoard(machine: Machine, image: Image, consolePath: string): Promise<Run> {
  const startedMs = Date.now();
  const parts = ['-kernel', image.kernel, '-initrd', image.initramfs];
  if (image.deviceTree) parts.push('-dtb', image.deviceTree);
  const append = `console=${machine.console},115200 loglevel=5 panic=-1`;
  const quiet = ['-nographic', '-nodefaults', '-no-reboot', '-monitor', 'none'];
  const child = spawn(image.emulator, [...quiet, ...machine.qemu, ...parts, '-append', append], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const consoleLog = createWriteStream(consolePath);
  const steps: string[] = [];
  const emulatorLines: string[] = [];
  const packed: string[] = [];
  let isReporting = false;
  let end = '';
  const limit = setTimeout(() => {
    end = `no report within ${machine.limitS} s`;
    child.kill();
  }, machine.limitS * 1000);
  const take = (raw: string) => {
    const line = raw.replaceAll('\r', '');
    const [, kind, rest = ''] = /^@board (step|report|end) ?(.*)$/.exec(line) ?? [];
    if (kind !== undefined) isReporting = kind === 'report';
    if (isReporting && kind === undefined) packed.push(line);
    else consoleLog.write(`${line}\n`);
    if (kind === 'step') steps.push(rest);
    if (kind === 'end') {
      end = rest;
      child.kill();
    }
  };
  createInterface(child.stdout).on('line', take);
  createInterface(child.stderr).on('line', (line) => {
    emulatorLines.push(line);
    consoleLog.write(`${line}\n`);
  });
  await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearTimeout(limit);
  await new Promise((resolve) => consoleLog.end(resolve));
  const durationMs = Date.now() - startedMs;
  const run = { end: end || 'QEMU ended', durationMs, steps, emulatorLines, consolePath };
  const report = end.startsWith('exit code') ? decode(packed) : undefined;
  return report === undefined ? run : { ...run, report };
}
