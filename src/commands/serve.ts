// SPDX-License-Identifier: Apache-2.0
// `spliced serve`: reads the configuration, turns signals into what the daemon understands, and the
// daemon's end into an exit code. Loaded by cli.ts when this command is given.

import { basename, relative } from 'node:path';
import { isatty } from 'node:tty';
import { StartError } from '../base/start-error.js';
import {
  type LoadedConfiguration,
  loadConfiguration,
  placeRefusal,
} from '../config/configuration.js';
import { type DaemonSignals, runDaemon } from '../daemon/daemon.js';
import { closeDebugger } from '../daemon/debugger.js';
import { createLog } from '../log/log.js';
import { LineOutput } from '../log/output.js';
import { LogTail } from '../log/tail.js';
import { wordsOf } from '../log/words.js';
import { configurationHelp, configurationOptions, readCommandLine } from './usage.js';

const exitFailure = 1;
/** For a reader of the log that is slow, at the end. */
const lastLinesMs = 1_000;
/** EX_TEMPFAIL of sysexits.h: spliced.service answers it with a new start. */
const exitRestart = 75;
// npm passes a Ctrl-C on to a child that the terminal has told already: within this time the same
// signal is the same wish.
const sameSignalMs = 100;

const help = (): string => `Usage: spliced serve [OPTIONS]

Serves a directory over HTTPS, encrypted by the kernel where it can (kTLS).

${configurationHelp()}
  --help                   this text
  --version                the version

--listen may be given up to 8 times. Every option can also be set in the configuration file, or as
SPLICED_ROOT, SPLICED_LISTEN and so on; docs/CONFIGURATION.md has every setting and its bounds.
SIGTERM and SIGINT stop after active responses are finished; a second signal stops at once. SIGHUP
reads the configuration again.
`;

interface Signals extends DaemonSignals {
  /** endForRestart() was called. */
  readonly isRestart: boolean;
  /** The terminal was closed: end as its other programs do. */
  endOfTerminal(): void;
}

function watchSignals(): Signals {
  const stop = new AbortController();
  const stopNow = new AbortController();
  let last: { name: string; atMs: number } | undefined;
  const onStop = (name: NodeJS.Signals): void => {
    const atMs = performance.now();
    const isEcho = last?.name === name && atMs - last.atMs < sameSignalMs;
    last = { name, atMs };
    if (isEcho) return;
    if (stop.signal.aborted) stopNow.abort();
    else stop.abort();
  };
  let reload: (() => void) | undefined;
  let isReloadPending = false;
  const hadTerminal = isatty(0);
  let hasLostTerminal = false;
  const onHangUp = (name: NodeJS.Signals): void => {
    // The same signal says that the terminal was closed; then nobody is left to serve for.
    hasLostTerminal = hadTerminal && !isatty(0);
    if (hasLostTerminal) onStop(name);
    else if (reload === undefined) isReloadPending = true;
    else reload();
  };
  process.on('SIGTERM', onStop);
  process.on('SIGINT', onStop);
  process.on('SIGHUP', onHangUp);
  let isRestart = false;
  return {
    get isRestart() {
      return isRestart;
    },
    endForRestart: () => {
      isRestart = true;
      stop.abort();
    },
    stop: stop.signal,
    stopNow: stopNow.signal,
    onReload: (listener) => {
      reload = listener;
      if (isReloadPending) listener();
    },
    endOfTerminal: () => {
      if (!hasLostTerminal) return;
      // An ordinary exit would abort: Node insists on giving the terminal its old settings back.
      process.removeListener('SIGHUP', onHangUp);
      process.kill(process.pid, 'SIGHUP');
    },
  };
}

/** Undefined: the log is JSON. */
function wordsFor({ configuration, settings }: LoadedConfiguration) {
  const { logFormat, uiEnabled, stateDir } = configuration;
  if (logFormat === 'json' || (logFormat === 'auto' && !isatty(1))) return undefined;
  const called = process.argv[1] ?? '';
  const own = relative(process.cwd(), called);
  const program = basename(called) === 'cli.js' ? `node ${own}` : 'spliced';
  const isFound = settings.get('state_dir')?.origin.kind === 'default';
  const place = isFound ? '' : `--state-dir ${stateDir}`;
  return (line: string) => wordsOf(line, { hasPage: uiEnabled, program, place });
}

export async function run(args: string[]): Promise<number> {
  const options = configurationOptions();
  const line = readCommandLine('serve', args, { options, help });
  if (line === undefined) return 0;
  const signals = watchSignals();
  const load = () => loadConfiguration(line.values);
  const loaded = load();
  const tail = new LogTail();
  const output = new LineOutput(1);
  const log = createLog(loaded.configuration.logLevel, { output, tail, words: wordsFor(loaded) });
  if (await closeDebugger())
    log.warn({ event: 'debugger_closed', reason: 'SIGUSR1 had opened it' });
  for (const warning of loaded.warnings) log.warn({ event: 'configuration_warning', warning });
  try {
    const isClean = await runDaemon({ loaded, load, log, output, tail, signals });
    signals.endOfTerminal();
    if (!isClean) return exitFailure;
    return signals.isRestart ? exitRestart : 0;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(placeRefusal(error.message, loaded));
  } finally {
    await output.drained(lastLinesMs);
  }
}
