// SPDX-License-Identifier: Apache-2.0
// `spliced doctor`: looks at the machine, says what it found and what to do. Brings the rooms
// together that the probes must not know: configuration, certificates, the addon. Called by cli.ts.
//   0  nothing to worry about     3  warnings     1  problems     2  wrong usage (cli.ts)

import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { reasonOf, StartError } from '../base/start-error.js';
import { type StatusDocument, troubleText } from '../base/status-document.js';
import { otherKeys, servedFiles } from '../certificates/served-files.js';
import type { Board, NativeReport } from '../doctor/board.js';
import { deviceTreeStrings } from '../doctor/board.js';
import { linuxBoard } from '../doctor/linux-board.js';
import { examine } from '../doctor/probes.js';
import { cipherDrivers, preferredDriver } from '../doctor/proc-crypto.js';
import { exitCodeOf, type Report, toJson, toText, wantsColour } from '../doctor/report.js';
import { loadNative, type NativeModule } from '../engine/native.js';
import { isKeyReference, matchTokenKey, shownKey, tokenSigner } from '../tls/token-key.js';
import { chooseService } from './service-choice.js';
import { configurationHelp, configurationOptions, readCommandLine } from './usage.js';

export interface DoctorStreams {
  stdout: { write(text: string): unknown; isTTY?: boolean; columns?: number };
}

const columnsDefault = 80;

const help = (): string => `Usage: spliced doctor [OPTIONS]

Looks at this machine and says what helps or hinders kernel TLS and spliced here.

  --reproduce              also run the truncation experiment over loopback (at most 20 s):
                           a server that closes after its last write, and spliced
  --benchmark              also compare kernel TLS with user-space TLS over loopback (about 15 s):
                           throughput and processor time, for small and large records
  --cipher-check           also hold the kernel's cipher against software, over many connections at
                           once: what a driver makes of records of all sizes, in pieces
  --seconds N              of that check (20; at most 86400)
  --json                   a report for programs; docs/DOCTOR.md describes it
${configurationHelp()}
  --help                   this text

Exit code: 0 nothing to worry about, 3 warnings, 1 problems, 2 wrong usage.
`;

function readSettings(options: Parameters<typeof chooseService>[0]): Board['settings'] {
  try {
    const { configuration } = chooseService(options).load();
    const { connectionsMax, pendingWindowBytes, stateDir } = configuration;
    const keys = { served: servedFiles(configuration), otherKeys: otherKeys(configuration) };
    return { connectionsMax, pendingWindowBytes, stateDir, ...keys };
  } catch (error) {
    return { error: reasonOf(error) };
  }
}

function examineNative(): { module: NativeModule | undefined; report: Board['native'] } {
  try {
    const module = loadNative();
    return { module, report: JSON.parse(module.boardReport()) as NativeReport };
  } catch (error) {
    return { module: undefined, report: { error: reasonOf(error) } };
  }
}

/** What the running service says of itself; undefined: nobody answers. */
async function askService(
  settings: Board['settings'],
): Promise<Pick<Board, 'undone' | 'failingKeys'> | undefined> {
  if ('error' in settings) return undefined;
  const { ServiceDirectory } = await import('./service-directory.js');
  let directory: ReturnType<typeof ServiceDirectory.open> | undefined;
  try {
    directory = ServiceDirectory.open(settings.stateDir);
    if (directory === undefined) return undefined;
    const { askApi } = await import('./api-client.js');
    const status = JSON.parse(await askApi(directory, { path: '/status' }));
    const { housekeeping = [], tls } = status as StatusDocument;
    return { undone: housekeeping.map(troubleText), failingKeys: tls.signatures?.failing };
  } catch {
    return undefined;
  } finally {
    directory?.close();
  }
}

/** Asks the token of every key by reference, each within a bound. */
async function askTokens(settings: Board['settings']): Promise<Board['tokens']> {
  if ('error' in settings) return undefined;
  const answers: Record<string, string> = {};
  for (const { certificate, privateKey } of settings.served) {
    if (!isKeyReference(privateKey)) continue;
    try {
      const chain = readFileSync(certificate, 'utf8');
      const found = await matchTokenKey(privateKey, [chain], true);
      const other = `${shownKey(privateKey)} is not the key of ${certificate}`;
      answers[privateKey] = found < 0 ? other : '';
    } catch (error) {
      answers[privateKey] = reasonOf(error);
    }
  }
  for (const { privateKey } of settings.otherKeys) {
    if (!isKeyReference(privateKey)) continue;
    answers[privateKey] = await tokenSigner(privateKey).then(() => '', reasonOf);
  }
  return answers;
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

async function benchmark(module: NativeModule, report: Report): Promise<void> {
  const { runBenchmark } = await import('../doctor/benchmark.js');
  const { benchmarkBrokenOff, judgeBenchmark } = await import('../doctor/benchmark-report.js');
  const { newBenchmarkApparatus } = await import('./doctor-apparatus.js');
  try {
    report.benchmark = await runBenchmark(await newBenchmarkApparatus(module));
    report.findings.push(...judgeBenchmark(report.benchmark));
  } catch (error) {
    report.findings.push(benchmarkBrokenOff(reasonOf(error)));
  }
}

/** `seconds`: of the check. */
async function checkCipher(
  module: NativeModule,
  report: Report,
  { seconds, board }: { seconds: number; board: Board },
): Promise<void> {
  const { checkBrokenOff, describeCheck, judgeCheck } = await import('../doctor/cipher-check.js');
  const seed = randomInt(2 ** 32 - 1);
  try {
    const figures = await module.checkCiphers({ durationMs: seconds * 1000, seed });
    const found = preferredDriver(cipherDrivers(board), 'gcm(aes)');
    const driver = found === undefined ? null : { name: found.name, async: found.isAsync };
    report.cipherCheck = describeCheck(figures, driver, seed);
    report.findings.push(...judgeCheck(report.cipherCheck));
  } catch (error) {
    report.findings.push(checkBrokenOff(reasonOf(error)));
  }
}

const secondsDefault = 20;
const secondsMax = 86_400;

function secondsOf(text: unknown, isCheck: boolean): number {
  if (text === undefined) return secondsDefault;
  if (!isCheck) throw new StartError('--seconds belongs to --cipher-check');
  const seconds = /^\d{1,6}$/.test(String(text)) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= secondsMax) return seconds;
  throw new StartError(`--seconds: is a whole number from 1 to ${secondsMax}`);
}

/** Why kernel TLS cannot be tried here; undefined: it can. */
function hindrance({ module, report }: ReturnType<typeof examineNative>): string | undefined {
  if (module === undefined || 'error' in report) return 'The addon does not load.';
  return report.kernelTls.attachable ? undefined : `${report.kernelTls.reason}.`;
}

async function tryOut(
  native: ReturnType<typeof examineNative>,
  report: Report,
  wanted: { reproduce: boolean; benchmark: boolean; check: boolean },
  how: { seconds: number; board: Board },
): Promise<void> {
  const { module } = native;
  const reason = hindrance(native);
  if (module === undefined || reason !== undefined) {
    const { impossible } = await import('../doctor/experiment.js');
    const { benchmarkImpossible } = await import('../doctor/benchmark-report.js');
    if (wanted.reproduce) report.findings.push(impossible(reason ?? ''));
    const { checkImpossible } = await import('../doctor/cipher-check.js');
    if (wanted.benchmark) report.findings.push(benchmarkImpossible(reason ?? ''));
    if (wanted.check) report.findings.push(checkImpossible(reason ?? ''));
    return;
  }
  if (wanted.reproduce) await reproduce(module, report);
  if (wanted.benchmark) await benchmark(module, report);
  if (wanted.check) await checkCipher(module, report, how);
}

/** `args` is what follows the word "doctor". Answers the exit code; throws StartError for wrong usage. */
export async function runDoctor(args: string[], io: DoctorStreams): Promise<number> {
  const options = {
    ...configurationOptions(),
    json: { type: 'boolean' as const },
    reproduce: { type: 'boolean' as const },
    benchmark: { type: 'boolean' as const },
    'cipher-check': { type: 'boolean' as const },
    seconds: { type: 'string' as const },
  };
  const line = readCommandLine('doctor', args, { options, help });
  if (line === undefined) return 0;
  const { json, reproduce: isExperiment, benchmark: isBenchmark, ...others } = line.values;
  const { 'cipher-check': check, seconds: secondsText, ...values } = others;
  const isCheck = check === true;
  const seconds = secondsOf(secondsText, isCheck);
  // First of all: setting up a cipher makes the kernel list its driver.
  const native = examineNative();
  const settings = readSettings(values);
  const board = await linuxBoard({
    native: native.report,
    settings,
    ...(await askService(settings)),
    tokens: await askTokens(settings),
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
    benchmark: null,
    cipherCheck: null,
  };
  const wanted = {
    reproduce: isExperiment === true,
    benchmark: isBenchmark === true,
    check: isCheck,
  };
  if (Object.values(wanted).includes(true))
    await tryOut(native, report, wanted, { seconds, board });
  if (json) {
    io.stdout.write(toJson(report));
  } else {
    const { isTTY = false } = io.stdout;
    // A serial console does not know its size and says 0.
    const columns = (isTTY && io.stdout.columns) || columnsDefault;
    io.stdout.write(toText(report, columns, wantsColour(isTTY, board.env)));
  }
  return exitCodeOf(report.findings);
}

export function run(args: string[]): Promise<number> {
  return runDoctor(args, process);
}
