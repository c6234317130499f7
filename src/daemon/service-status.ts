// SPDX-License-Identifier: Apache-2.0
// How the daemon describes itself: the words of `systemctl status`, and what of its housekeeping is
// left undone as a member of the engine's status. Part of the composition: daemon.ts calls it.

import { statsOf } from '../engine/lifecycle.js';
import type { Service } from '../engine/native.js';
import type { Housekeeping } from '../files/housekeeping.js';
import type { LineOutput } from '../log/output.js';
import { type CertificateServing, statusText } from '../serving/certificates.js';
import { keepStatusFresh, statusWords } from '../supervision/status-words.js';
import type { Supervisor } from '../supervision/systemd.js';

export interface Described {
  certificates: CertificateServing;
  housekeeping: Housekeeping;
  output: LineOutput;
  /** Keys of the configuration that wait for a restart; from when there is a reload. */
  waiting?: () => readonly string[];
}

// Beside the other lists of the status, which serving/certificates.ts bounds.
const troublesBytesMax = 1_000;

/** What `systemctl status` shows; kept fresh until `close`. */
export function describeService(
  described: Described,
  service: Service,
  urls: string[],
  supervisor: Supervisor,
) {
  const { certificates, housekeeping } = described;
  let refusedErrors = 0;
  let troubles = '';
  const words = (): string =>
    statusWords({
      urls,
      figures: statsOf(service),
      certificateDaysLeft: certificates.daysLeft(),
      certificateEndsSoon: certificates.endsSoon(),
      refusedErrors,
      waiting: described.waiting?.() ?? [],
      undone: housekeeping.troubles().length,
      troubles,
    });
  const status = (refused: number): string => {
    refusedErrors = refused;
    return words();
  };
  const close = supervisor.isPresent ? keepStatusFresh(words, supervisor.status) : () => {};
  const onTroubles = (words: string): void => {
    troubles = words;
    supervisor.status(status(refusedErrors));
  };
  return { status, onTroubles, close };
}

/** From now on the status has what is not done, and how much of the log was lost. The answer ends that. */
export function showTroubles({ housekeeping, output }: Described, service: Service): () => void {
  let isOver = false;
  const task = 'writing the log';
  const showDropped = (): void => {
    if (!isOver) service.annotate('log', JSON.stringify({ linesDropped: output.dropped }));
  };
  const failed = (reason: string): void => {
    housekeeping.failed(task, new Error(`lines are dropped: ${reason}`));
    showDropped();
  };
  output.listen({
    onDropped: (_, reason) => failed(reason),
    onRecovered: () => housekeeping.settled(task),
  });
  showDropped();
  const endWatch = housekeeping.watch((troubles) => {
    service.annotate('housekeeping', statusText(troubles, troublesBytesMax));
  });
  return () => {
    isOver = true;
    endWatch();
  };
}
