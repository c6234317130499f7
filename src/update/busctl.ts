// SPDX-License-Identifier: Apache-2.0
// Calls on the system bus by systemd's own client, `busctl --json`: nothing of D-Bus stays in memory
// between two updates but the ear of bus-signals.ts, as signals cannot be had so (monitoring the system
// bus is root's alone). Used by the adapter for RAUC.

import { InstallError } from './installer.js';
import { programBounds, runProgram } from './program.js';

/** As busctl writes a value: its D-Bus signature, and what JSON makes of it. */
export interface BusValue {
  type: string;
  data: unknown;
}

export interface BusObject {
  service: string;
  path: string;
  interface: string;
}

/** The bus has refused, or the service: `message` is what it says. */
export class BusError extends InstallError {}

/** dbus-daemon 1.14 drops whom it does not find by NSS, where it is kept from asking PID 1. */
export const userAdvice =
  'the system bus does not know the user of this service: it needs a permanent one ' +
  '(docs/UPDATES.md, "The user of the service")';

function reasonIn(errors: string): string {
  const reason = errors.replace(/^Call failed: /, '');
  return /Transport endpoint is not connected/.test(reason) ? userAdvice : reason;
}

async function ask(args: readonly string[], who: string): Promise<BusValue[]> {
  const lines: string[] = [];
  let characters = 0;
  const onLine = (line: string): void => {
    characters += line.length;
    if (characters <= programBounds.outputCharactersMax) lines.push(line);
  };
  const { answerTimeoutMs: timeoutMs, outputCharactersMax: lineCharactersMax } = programBounds;
  const command = ['busctl', '--system', '--json=short', ...args];
  const options = { onLine, timeoutMs, lineCharactersMax };
  const { code, errors, isTimedOut } = await runProgram(command, options);
  if (isTimedOut) throw new BusError(`${who} does not answer.`);
  if (code !== 0) throw new BusError(reasonIn(errors) || `${who}: no answer`);
  try {
    return lines.map((line) => JSON.parse(line) as BusValue);
  } catch {
    throw new BusError(`${who}: busctl's answer is no JSON: it must be of systemd 240 or newer.`);
  }
}

/** The values that a method answers with. `args` begin with the signature, where there are any. */
export async function call(
  { service, path, interface: name }: BusObject,
  method: string,
  ...args: readonly string[]
): Promise<unknown[]> {
  const words = [service, path, name, method, ...args];
  // "--" : a value may begin with a dash.
  const [answer] = await ask(['call', '--', ...words], service);
  return Array.isArray(answer?.data) ? answer.data : [];
}

/** Properties, in the order of their names. */
export async function properties(
  { service, path, interface: name }: BusObject,
  ...names: readonly string[]
): Promise<unknown[]> {
  const values = await ask(['get-property', service, path, name, ...names], service);
  return values.map(({ data }) => data);
}

/** The connection that owns the name; another one: the service was started again meanwhile. */
export async function ownerOf(service: string): Promise<string> {
  const name = 'org.freedesktop.DBus';
  const bus = { service: name, path: '/org/freedesktop/DBus', interface: name };
  const [owner] = await call(bus, 'GetNameOwner', 's', service);
  return String(owner);
}
