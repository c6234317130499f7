// SPDX-License-Identifier: Apache-2.0
// The board tests where the kernel's own caam_jr driver works, on a model of the engine: the same
// checks, and that the records really went through a job ring. Each *.test.ts beside it names a machine.
import type { Test } from 'tap';
import { testMachine } from '../board/boards.js';
import type { Report, Run } from '../board/host/run-board.js';
import { type CaamMachine, caamMachines } from './machines.js';

const interruptsMin = 100;

/** Interrupts of all job rings: `53: 1234 0 GICv3 137 Level 30902000.jr`. */
function jobRingInterrupts(text: string): number {
  const lines = text.split('\n').filter((line) => /\b[0-9a-f]+\.jr\b/.test(line));
  const counts = lines.flatMap((line) => line.split(':')[1]?.match(/^(\s+\d+)+/)?.[0] ?? []);
  return counts
    .flatMap((columns) => columns.trim().split(/\s+/))
    .reduce((total, column) => total + Number(column), 0);
}

/** The model says what it did when QEMU ends: `imx-caam: gcm 123 jobs, 456 bytes`. */
function bytesThrough(run: Run, kind: string): number {
  const said = run.emulatorLines.join('\n');
  const match = new RegExp(`^imx-caam: ${kind} \\d+ jobs, (\\d+) bytes$`, 'm').exec(said);
  return Number(match?.[1] ?? Number.NaN);
}

function checkJobRing(test: Test, report: Report, machine: CaamMachine, run: Run): void {
  const wanted = machine.kind === 'gcm' ? /^driver +: gcm-aes-caam$/m : /^driver +: ctr-aes-caam$/m;
  test.match(report.crypto, wanted, "/proc/crypto has the engine's driver");
  if (machine.kind === 'ctr') {
    test.notMatch(report.crypto, /gcm-aes-caam/, 'and no GCM, as on a part without');
  }
  const interrupts = jobRingInterrupts(report.interrupts);
  test.ok(interrupts >= interruptsMin, `${interrupts} interrupts of job rings`);
  const sent = report.serve.stop?.stopped?.bytesSent ?? Number.POSITIVE_INFINITY;
  const through = bytesThrough(run, machine.kind);
  test.ok(through >= sent, `${through} bytes went through the engine; ${sent} were sent`);
}

export async function testCaam(name: keyof typeof caamMachines): Promise<void> {
  const machine = caamMachines[name];
  await testMachine(name, machine, {
    'records went through a job ring': (test, report, _, run) =>
      checkJobRing(test, report, machine, run),
  });
}
