// SPDX-License-Identifier: Apache-2.0
// The one error that a user can put right: its message is a single clear line, and the command
// line ends with exit code 2 on it, before anything is served. Thrown by every room.

export class StartError extends Error {
  override readonly name: string = 'StartError';

  /** What the user reads: one line, unless a subclass has several findings. */
  lines(): readonly string[] {
    return [this.message.replaceAll(/\s*\n\s*/g, ' ')];
  }
}

/** The system's reason (such as ENOENT) of a failed call, in words fit for one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.message.split('\n', 1)[0] ?? '').trim();
}
