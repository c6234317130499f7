// SPDX-License-Identifier: Apache-2.0
// `spliced doctor`: looks at the machine, says what it found and what to do. Brings the rooms
// together that the probes must not know: configuration, certificates, the addon. Called by cli.ts.
//   0  nothing to worry about     3  warnings     1  problems     2  wrong usage

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfiguration } from '../config/configuration.js';
import type { Board, Settings } from '../doctor/board.js';
import { deviceTreeStrings } from '../doctor/board.js';
import { linuxBoard } from '../doctor/linux-board.js';
import { examine } from '../doctor/probes.js';
import { exitCodeOf, type Report, toJson, toText, wantsColour } from '../doctor/report.js';
import { type BoardReport, loadNative, type NativeModule } from '../engine/native.js';
import { reasonOf } from '../start-error.js';

export interface DoctorStreams {
  stdout: { write(text: string): unknown; isTTY?: boolean; columns?: number };
  stderr: { write(text: string): unknown };
}

const exitUsage = 2;
const columnsDefault = 80;

const help = `Usage: spliced doctor [OPTIONS]

Looks at this machine and says what helps or hinders kernel TLS and spliced here.

  --reproduce      also run the truncation experiment over loopback (at most 20 s):
                   a server that closes after its last write, and spliced
  --json           a report for programs; docs/DOCTOR.md describes it
  --state-dir DIR  where the device's own certificate is kept (default: ./state)
  --help           this text

Exit code: 0 nothing to worry about, 3 warnings, 1 problems, 2 wrong usage.
`;

function readSettings(stateDir: string | undefined): Board['settings'] {
  try {
    const options = stateDir === undefined ? {} : { 'state-dir': stateDir };
    const configuration = readConfiguration(options);
    const device = join(configuration.stateDir, 'certificates/current');
    const files: Pick<Settings, 'certificate' | 'privateKey'> = configuration.files ?? {
      certificate: join(device, 'certificate.pem'),
      privateKey: join(device, 'private-key.pem'),
    };
    const { connectionsMax, pendingWindowBytes } = configuration;
    const isDeviceCertificate = configuration.files === undefined;
    return { connectionsMax, pendingWindowBytes, isDeviceCertificate, ...files };
  } catch (error) {
    return { error: reasonOf(error) };
  }
}

function examineNative(): { module: NativeModule | undefined; report: Board['native'] } {
  try {
    const module = loadNative();
    return { module, report: JSON.parse(module.boardReport()) as BoardReport };
  } catch (error) {
    return { module: undefined, report: { error: reasonOf(error) } };
  }
}

async function reproduce(module: NativeModule, report: Report): Promise<void> {
  const { brokenOff, judge, runExperiment } = await import('../doctor/experiment.js');
  const { newApparatus } = await import('./doctor-apparatus.js');
  try {
    report.experiment = await runExperiment(await newApparatus(module));
    report.findings.push(...judge(report.experiment));
  } catch (error) {
    report.findings.push(brokenOff(reasonOf(error)));
  }
}

async function reproduceIfPossible(
  native: ReturnType<typeof examineNative>,
  report: Report,
): Promise<void> {
  const { impossible } = await import('../doctor/experiment.js');
  if (native.module === undefined || 'error' in native.report) {
    report.findings.push(impossible('The addon does not load.'));
  } else if (!native.report.kernelTls.attachable) {
    report.findings.push(impossible(`${native.report.kernelTls.reason}.`));
  } else {
    await reproduce(native.module, report);
  }
}

function readOptions(args: string[]) {
  return parseArgs({
    args,
    options: {
      help: { type: 'boolean' },
      json: { type: 'boolean' },
      reproduce: { type: 'boolean' },
      'state-dir': { type: 'string' },
    },
  }).values;
}

/** `args` is what follows the word "doctor". Answers the exit code; nothing is thrown for usage. */
export async function runDoctor(args: string[], io: DoctorStreams): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    io.stderr.write(`spliced: ${reasonOf(error).split('. ', 1)[0]}; see spliced doctor --help\n`);
    return exitUsage;
  }
  if (options.help) {
    io.stdout.write(help);
    return 0;
  }
  // First of all: setting up a cipher makes the kernel list its driver.
  const native = examineNative();
  const settings = readSettings(options['state-dir']);
  const board = await linuxBoard({
    native: native.report,
    settings,
    buildDateMs: SPLICED_BUILD_DATE_MS,
  });
  const [model = 'this machine'] = deviceTreeStrings(board.read('/proc/device-tree/model'));
  const kernel = board.read('/proc/sys/kernel/osrelease')?.trim() ?? '';
  const report: Report = {
    schema: 1,
    version: SPLICED_VERSION,
    machine: { model, kernel, architecture: process.arch },
    findings: examine(board),
    experiment: null,
  };
  if (options.reproduce) await reproduceIfPossible(native, report);
  if (options.json) {
    io.stdout.write(toJson(report));
  } else {
    const { isTTY = false } = io.stdout;
    // A serial console does not know its size and says 0.
    const columns = (isTTY && io.stdout.columns) || columnsDefault;
    io.stdout.write(toText(report, columns, wantsColour(isTTY, board.env)));
  }
  return exitCodeOf(report.findings);
}
