// SPDX-License-Identifier: Apache-2.0
// The command line: options, signals, exit codes. The only file that ends the process.
//   0  ended as asked, nothing lost     1  something was aborted, lost or failed
//   2  wrong usage or configuration: one line on standard error, nothing was served
// `spliced doctor` has exit codes of its own: commands/doctor.ts.

import { parseArgs } from 'node:util';
import { optionKeys, readConfiguration } from './config/configuration.js';
import { runDaemon } from './daemon.js';
import { createLog } from './log.js';
import { reasonOf, StartError } from './start-error.js';

const exitFailure = 1;
const exitUsage = 2;
// npm passes a Ctrl-C on to a child that the terminal has told already: within this time the same
// signal is the same wish.
const sameSignalMs = 100;

const help = `Usage: spliced serve [OPTIONS]
       spliced doctor [--json] [--reproduce] [--state-dir DIR]

Serves a directory over HTTPS, encrypted by the kernel where it can (kTLS).

  --root DIR             directory to serve (default: ./public)
  --listen ADDR:PORT     address to listen on, such as 0.0.0.0:8443 or [::]:8443;
                         may be given up to 8 times; port 0 takes any free port
                         (default: 0.0.0.0:8443)
  --state-dir DIR        where the device's own certificate is kept (default: ./state)
  --certificate FILE     certificate chain in PEM form, instead of the device's own
  --private-key FILE     its private key in PEM form
  --tls-offload auto|off auto: kernel TLS where the kernel can; off: never (default: auto)
  --help                 this text
  --version              the version

Every option can also be set as SPLICED_ROOT, SPLICED_LISTEN and so on; more settings and their
bounds are in docs/CONFIGURATION.md. SIGTERM and SIGINT stop after active responses are finished;
a second signal stops at once.
`;

function readCommandLine(args: string[]) {
  const options: Record<string, { type: 'string' | 'boolean'; multiple?: boolean }> = {
    help: { type: 'boolean' },
    version: { type: 'boolean' },
  };
  for (const name of Object.keys(optionKeys)) {
    options[name] = name === 'listen' ? { type: 'string', multiple: true } : { type: 'string' };
  }
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    // Node's message is clear; its advice on "--" after the first sentence is of no use here.
    throw new StartError(`${reasonOf(error).split('. ', 1)[0]}; see --help`);
  }
}

function watchSignals() {
  const stop = new AbortController();
  const stopNow = new AbortController();
  let last: { name: string; atMs: number } | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    const atMs = performance.now();
    const isEcho = last?.name === name && atMs - last.atMs < sameSignalMs;
    last = { name, atMs };
    if (isEcho) return;
    if (stop.signal.aborted) stopNow.abort();
    else stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { stop: stop.signal, stopNow: stopNow.signal };
}

async function main(args: string[]): Promise<number> {
  if (args[0] === 'doctor') {
    const { runDoctor } = await import('./commands/doctor.js');
    return runDoctor(args.slice(1), process);
  }
  const { values, positionals } = readCommandLine(args);
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.version) {
    process.stdout.write(`spliced ${SPLICED_VERSION}\n`);
    return 0;
  }
  const [command, ...extra] = positionals;
  if (command === undefined) throw new StartError('give a command: spliced serve; see --help');
  if (command !== 'serve') throw new StartError(`there is no command "${command}"; see --help`);
  if (extra.length > 0) throw new StartError(`unexpected argument "${extra[0]}"; see --help`);
  const configuration = readConfiguration(values as Parameters<typeof readConfiguration>[0]);
  const signals = watchSignals();
  const isClean = await runDaemon(configuration, createLog(configuration.logLevel), signals);
  return isClean ? 0 : exitFailure;
}

// libuv must not bring an io_uring of its own into the process (its worker threads would touch our
// sockets' signals). Node has read this variable by now if it was going to use a ring for files;
// `npm start` and the service set it beforehand, and this covers what is started from here.
process.env.UV_USE_IO_URING = '0';

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof StartError) {
    process.stderr.write(`spliced: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}\n`);
    process.exitCode = exitUsage;
  } else {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`spliced: unexpected error: ${text}\n`);
    process.exitCode = exitFailure;
  }
}
