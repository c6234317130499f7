// SPDX-License-Identifier: Apache-2.0
// While a drain makes progress the service manager must not lose its patience: TimeoutStopSec is for
// a service that hangs. Asks for more time every few seconds, but only when bytes have moved or
// connections have ended since the last time, and never beyond the stop's own time-out.

/** The part of the engine's status that shows progress. */
export interface ProgressFigures {
  bytes: { plaintextSent: number };
  pending: { bytes: number };
  connections: { open: number };
}

export interface StopExtension {
  figures: () => ProgressFigures;
  extendTimeout: (ms: number) => void;
  /** After so long the engine ends what is left by itself. */
  stopTimeoutMs: number;
  intervalMs?: number;
  /** As performance.now. */
  now?: () => number;
}

const checkMs = 3_000;
// Several checks long: one that comes late on a busy board must not end the service.
const extensionMs = 15_000;
// What is left to do at the engine's deadline: to reset, to log, to end.
const endMs = 5_000;

const progressOf = ({ bytes, pending, connections }: ProgressFigures): string =>
  [bytes.plaintextSent, pending.bytes, connections.open].join(' ');

/** The answer ends it. */
export function extendStopWhileItProgresses({
  figures,
  extendTimeout,
  stopTimeoutMs,
  intervalMs = checkMs,
  now = () => performance.now(),
}: StopExtension): () => void {
  const endAtMs = now() + stopTimeoutMs + endMs;
  let last = progressOf(figures());
  const timer = setInterval(() => {
    const leftMs = endAtMs - now();
    if (leftMs <= 0) return clearInterval(timer);
    const next = progressOf(figures());
    if (next === last) return;
    last = next;
    extendTimeout(Math.min(extensionMs, leftMs));
  }, intervalMs);
  return () => clearInterval(timer);
}
