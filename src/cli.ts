#!/usr/bin/env node

// SPDX-License-Identifier: Apache-2.0
// The command line: finds the command, loads its module and nothing else, and turns its end into an
// exit code. The only file that ends the process.
//   0  ended as asked, nothing lost     1  something was aborted, lost or failed
//   2  wrong usage or configuration: a line on standard error for each finding, nothing was served
// `spliced doctor` has exit codes of its own: commands/doctor.ts.

import { StartError } from './base/start-error.js';
import { visible, visibleLines } from './base/visible.js';
import type { Command } from './commands/usage.js';
import { LineOutput } from './log/output.js';

// Before anything else, in every command: SIGUSR1 would open Node's debugger for everybody on the
// device, and both would do harm when a script sends them that rotates logs. SIGXFSZ would end the
// process where a file of the log has its full size.
for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGXFSZ'] as const) process.on(name, () => {});

const exitFailure = 1;
const lastWordsMs = 1_000;
const exitUsage = 2;

// import() keeps a command's modules in files of the bundle that are not read until it is asked for:
// the server must not wait for what only an operator's command needs.
const operator = () => import('./commands/operator.js');
const commands: Record<string, { summary: string; load: () => Promise<Command> }> = {
  serve: {
    summary: 'serve a directory over HTTPS',
    load: () => import('./commands/serve.js'),
  },
  drain: {
    summary: 'finish what is active in the serving process, and end it',
    load: () => import('./commands/drain.js'),
  },
  status: {
    summary: 'what the running service does now',
    load: async () => (await operator()).status,
  },
  log: {
    summary: 'the last lines of its log',
    load: async () => (await operator()).log,
  },
  config: {
    summary: 'check the configuration, or show where each value comes from',
    load: async () => (await operator()).config,
  },
  certificate: {
    summary: 'the certificates: trust, look at, install, renew them',
    load: async () => (await operator()).certificate,
  },
  update: {
    summary: 'install an update, restart into it, mark its slot good',
    load: async () => (await operator()).update,
  },
  device: {
    summary: 'restart the device, or power it off',
    load: async () => (await operator()).device,
  },
  token: {
    summary: 'make the token for its API, or revoke it',
    load: async () => (await operator()).token,
  },
  user: {
    summary: 'who may sign in by name: add, remove, password, role',
    load: async () => (await operator()).user,
  },
  claim: {
    summary: 'the code by which its first administrator claims the device',
    load: async () => (await operator()).claim,
  },
  'install-service': {
    summary: 'make a service of systemd of this program',
    load: async () => (await operator()).installService,
  },
  'uninstall-service': {
    summary: 'undo that; the state stays',
    load: async () => (await operator()).uninstallService,
  },
  pack: {
    summary: 'make the compressed siblings of a directory, a build step',
    load: async () => (await operator()).pack,
  },
  doctor: {
    summary: 'look at this machine, and say what to do',
    load: async () => (await operator()).doctor,
  },
};

function help(): string {
  const rows = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(18)} ${summary}`,
  );
  return `Usage: spliced COMMAND [OPTIONS]

The HTTPS service of an embedded appliance, encrypted by the kernel where it can (kTLS).

${rows.join('\n')}

  --help       this text; "spliced COMMAND --help" has the options of a command
  --version    the version
`;
}

async function main([name, ...args]: string[]): Promise<number> {
  if (name === '--help' || name === '--version') {
    process.stdout.write(name === '--help' ? help() : `spliced ${SPLICED_VERSION}\n`);
    return 0;
  }
  if (name === undefined || name.startsWith('-')) {
    const given = name === undefined ? '' : `, before ${name}`;
    const names = Object.keys(commands).join(', ');
    throw new StartError(`give a command: spliced serve${given} (there are ${names}); see --help`);
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new StartError(`there is no command "${name}"; see --help`);
  if (!ownTerminal.includes(name)) {
    showVisibly(process.stdout);
    showVisibly(process.stderr);
  }
  return (await command.load()).run(args);
}

// libuv must not bring an io_uring of its own into the process (its worker threads would touch our
// sockets' signals). Node has read this variable by now if it was going to use a ring for files;
// `npm start` and the service set it beforehand, and this covers what is started from here.
process.env.UV_USE_IO_URING = '0';

// A shell may stand in a directory that an update has removed: no command needs it.
try {
  process.cwd();
} catch {
  process.chdir('/');
}

// Whatever a command shows: names of files and bundles, subjects of certificates, words of an
// installer. Those that steer the terminal themselves make each text visible on their own.
const ownTerminal = ['serve', 'doctor', 'pack'];

function showVisibly(stream: NodeJS.WriteStream): void {
  const write = stream.write.bind(stream) as (...all: unknown[]) => boolean;
  stream.write = ((data: unknown, ...rest: unknown[]) =>
    write(typeof data === 'string' ? visibleLines(data) : data, ...rest)) as typeof stream.write;
}

async function reportFailure(error: unknown): Promise<number> {
  const isStart = error instanceof StartError;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const lines = isStart ? error.lines().map(visible) : [visibleLines(`unexpected error: ${text}`)];
  // A reader that hangs keeps no process from ending.
  const output = new LineOutput(2);
  for (const line of lines) output.write(`spliced: ${line}\n`);
  await output.drained(lastWordsMs);
  return isStart ? exitUsage : exitFailure;
}

// Until it is known better: an end that nobody has announced is a failure.
process.exitCode = exitFailure;
// Not awaited here: the bundle is CommonJS (scripts/compile.mjs).
void main(process.argv.slice(2))
  .catch(reportFailure)
  .then((code) => {
    process.exitCode = code;
  });
