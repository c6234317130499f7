// SPDX-License-Identifier: Apache-2.0
// At SIGUSR1 Node opens its debugger to everybody on the device, without authentication. A process that
// holds keys must not allow that. cli.ts takes the signal before anything else; this closes a debugger
// that a signal has opened before that. Called by commands/serve.ts.

/** Whoever starts us with the option wants it. */
const isWanted = (args: readonly string[], nodeOptions = ''): boolean =>
  [...args, ...nodeOptions.split(/\s+/)].some((one) => /^--inspect(-brk|-wait)?(=|$)/.test(one));

/** Whether one was open. */
export async function closeDebugger(
  args: readonly string[] = process.execArgv,
  nodeOptions = process.env.NODE_OPTIONS,
): Promise<boolean> {
  if (isWanted(args, nodeOptions)) return false;
  try {
    const inspector = await import('node:inspector');
    if (inspector.url() === undefined) return false;
    inspector.close();
    return true;
  } catch {
    return false; // Node was built without it.
  }
}
