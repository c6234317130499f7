// SPDX-License-Identifier: Apache-2.0
// Stops the daemon without losing anything: the engines finish active responses, and the log gets its
// last line with the figures. Called by daemon.ts.

import { figures, type ServiceEvents, statsOf, stopService } from '../engine/lifecycle.js';
import type { Service } from '../engine/native.js';
import type { ConnectionReporter } from '../log/connections.js';
import type { IncidentReporter } from '../log/incidents.js';
import type { Log } from '../log/log.js';
import type { ListenerPlan } from '../serving/listeners.js';
import { extendStopWhileItProgresses } from '../supervision/stop-extension.js';
import type { Supervisor } from '../supervision/systemd.js';

interface StopParts {
  stopTimeoutMs: number;
  stopNow: AbortSignal;
  log: Log;
  reporter: ConnectionReporter;
  incidents: IncidentReporter;
  plan: ListenerPlan;
}

const hangs =
  'a thread waits in the kernel for the cipher, which does not complete; ' +
  'no process can end before its threads do';

/** The end that loses nothing. True when every response that was begun was also delivered. */
export async function stopGracefully(
  service: Service,
  events: ServiceEvents,
  supervisor: Supervisor,
  { stopTimeoutMs, stopNow, log, reporter, incidents, plan }: StopParts,
): Promise<{ isClean: boolean; figures: Record<string, unknown> }> {
  log.info({ event: 'stopping', timeoutMs: stopTimeoutMs });
  supervisor.stopping('Finishing active responses');
  const endExtension = extendStopWhileItProgresses({
    figures: () => statsOf(service),
    extendTimeout: supervisor.extendTimeout,
    stopTimeoutMs,
  });
  const outcome = await stopService(service, events, stopTimeoutMs, stopNow);
  endExtension();
  // The last line is the one with the figures; and a closed engine says nothing any more.
  reporter.close();
  incidents.close();
  const counts = figures(service);
  // A process that cannot end keeps its sockets: they must not listen for nobody. Those of a socket
  // unit are not ours.
  const isJoined = service.close(undefined, !plan.isActivated);
  if (!isJoined) plan.forget();
  const { type: _, ...result } = outcome ?? { type: undefined };
  const all = { ...result, ...counts };
  const reason = isJoined ? 'the engine did not stop in time' : hangs;
  if (outcome !== undefined && isJoined) log.info({ event: 'stopped', ...all });
  else log.error({ event: 'stopped', reason, ...all });
  return { isClean: isJoined && outcome?.aborted === 0, figures: all };
}
