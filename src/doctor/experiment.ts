// SPDX-License-Identifier: Apache-2.0
// The truncation experiment on the board itself: the same slow clients, over loopback, against a
// server that closes after its last write and against spliced. Bounded in time and memory: both
// halves together take at most 20 s, and 8 bodies of 1 MiB are the most that can be pending.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './board.js';
import { withScratchDirectory } from './scratch.js';

/** What each half is told: src/engine/experiments.ts, TruncationOptions, without the server. */
export const conditions = {
  // Not a multiple of a record: the last, large record is what a hasty close loses even where the
  // cipher is synchronous.
  bodyBytes: 1_048_576 + 12_345,
  downloads: 32,
  parallel: 8,
  receiveBufferBytes: 8_192,
  bytesPerSecond: 2_000_000,
} as const;
const naiveTimeoutMs = 8_000;
const splicedTimeoutMs = 10_000;
/** Of the engine, which has nothing left to send by then. */
export const stopTimeoutMs = 2_000;

export interface HalfFigures {
  complete: number;
  truncated: number;
  failed: number;
  unfinished: number;
  notPromoted: number;
  missingBytes: number;
  missingBytesMax: number;
  durationMs: number;
}

/** What the engine says of itself when it has stopped. */
export interface ServiceFigures {
  /** Connections that kernel TLS had. */
  promoted: number;
  aborted: number;
  pendingBytesMax: number;
}

export interface Experiment {
  conditions: typeof conditions;
  naive: HalfFigures;
  spliced: HalfFigures & ServiceFigures;
}

export interface RunningService {
  port: number;
  stop(): Promise<ServiceFigures>;
}

/** The parts of the product that the experiment drives; src/commands/doctor.ts brings them. */
export interface Apparatus {
  /** Port 0: the naive server. `file` holds the body. */
  slowClients(port: number, file: string, timeoutMs: number): Promise<HalfFigures>;
  startService(root: string): Promise<RunningService>;
}

/** Runs both halves, one after the other, and removes what it made. */
export function runExperiment(apparatus: Apparatus): Promise<Experiment> {
  return withScratchDirectory(async (directory) => {
    const file = join(directory, 'body');
    writeFileSync(file, Buffer.alloc(conditions.bodyBytes, 'spliced '));
    const naive = await apparatus.slowClients(0, file, naiveTimeoutMs);
    const service = await apparatus.startService(directory);
    let clients: HalfFigures;
    let figures: ServiceFigures;
    try {
      clients = await apparatus.slowClients(service.port, file, splicedTimeoutMs);
    } finally {
      figures = await service.stop();
    }
    return { conditions, naive, spliced: { ...clients, ...figures } };
  });
}

/** Without kernel TLS there is nothing to reproduce. */
export function impossible(reason: string): Finding {
  const title = 'The experiment needs kernel TLS, which is not available here';
  return { id: 'experiment.impossible', level: 'warning', title, detail: reason };
}

/** The board could not carry the experiment: no memory, no thread, no port. */
export function brokenOff(reason: string): Finding {
  const title = 'The experiment broke off';
  return { id: 'experiment.broken-off', level: 'problem', title, detail: `${reason}.` };
}

const mend =
  'spliced waits by itself and needs nothing. For other servers on this board, and programs that ' +
  'send through kernel TLS: two patches of net/tls, in a Yocto build SPLICED_KERNEL_TLS_CLOSE = "1" ' +
  '(docs/YOCTO.md has the risk). No released kernel has them; servers that wait until their client ' +
  'closes, as lighttpd does, lose nothing either.';

function judgeNaive(naive: HalfFigures): Finding {
  const id = 'experiment.naive';
  const { downloads } = conditions;
  if (naive.notPromoted + naive.failed > 0) {
    const title = 'The naive server could not be measured';
    const detail = `${naive.notPromoted} connections without kernel TLS, ${naive.failed} failed.`;
    return { id, level: 'warning', title, detail };
  }
  if (naive.truncated > 0) {
    const title = `A server that closes after its last write truncated ${naive.truncated} of ${downloads} downloads`;
    const detail =
      `${naive.missingBytes} bytes were lost, ${naive.missingBytesMax} of one download. ` +
      'That is what this kernel does to every server that does not wait.';
    return { id, level: 'info', title, detail, advice: mend };
  }
  if (naive.unfinished > 0) {
    const title = `The naive server did not finish in time: ${naive.complete} of ${downloads} downloads`;
    return { id, level: 'info', title, detail: 'None was truncated.' };
  }
  const title = `A server that closes after its last write truncated nothing this time`;
  const detail =
    'The loss depends on buffers and timing; it is not proof that it cannot happen. A kernel with ' +
    'the patches of docs/YOCTO.md (tls-close) loses nothing.';
  return { id, level: 'info', title, detail };
}

function judgeSpliced(spliced: HalfFigures & ServiceFigures): Finding {
  const id = 'experiment.spliced';
  const { downloads } = conditions;
  const counts =
    `${spliced.complete} complete, ${spliced.truncated} truncated, ${spliced.failed} failed, ` +
    `${spliced.unfinished} unfinished, ${spliced.aborted} aborted.`;
  const lost = spliced.truncated + spliced.failed;
  if (lost > 0) {
    const title = `spliced lost ${lost} of ${downloads} downloads`;
    const advice =
      'This must not happen: use "--tls-offload off", and report it with the output of ' +
      '"spliced doctor --json --reproduce".';
    return { id, level: 'problem', title, detail: counts, advice };
  }
  if (spliced.unfinished > 0) {
    const title = `spliced delivered ${spliced.complete} of ${downloads} downloads in the time given`;
    const detail = `${counts} Nothing was lost; this board is slow, or busy.`;
    return { id, level: 'warning', title, detail };
  }
  if (spliced.promoted < downloads) {
    const title = `Only ${spliced.promoted} of ${downloads} connections had kernel TLS`;
    return { id, level: 'warning', title, detail: counts };
  }
  const title = `spliced delivered ${downloads} of ${downloads} downloads whole`;
  const detail = `At most ${spliced.pendingBytesMax} bytes were pending in the TLS layer.`;
  return { id, level: 'ok', title, detail };
}

export function judge({ naive, spliced }: Experiment): Finding[] {
  return [judgeNaive(naive), judgeSpliced(spliced)];
}
