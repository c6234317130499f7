// SPDX-License-Identifier: Apache-2.0
// The composition root: the only file that knows every room. It starts them in order (certificate,
// engine, supervisor), waits for a stop or a failure, and stops them in reverse. Called by
// commands/serve.ts, which owns signals and exit codes.

import { CertificateServing } from './certificate-serving.js';
import { checkSystem } from './checks.js';
import { formatListenAddress } from './config/address.js';
import type { Configuration, LoadedConfiguration } from './config/configuration.js';
import { DaemonStatus } from './daemon-status.js';
import { aborted, EngineEvents, figures, stopEngine } from './engine/lifecycle.js';
import {
  type CertificatePair,
  type Engine,
  engineErrorCodes,
  loadNative,
} from './engine/native.js';
import type { Log } from './log.js';
import { type Participant, Reloader } from './reload.js';
import { reasonOf, StartError } from './start-error.js';
import { createSupervisor } from './supervision/systemd.js';

export interface DaemonSignals {
  /** Finish active responses, then end. */
  stop: AbortSignal;
  /** End at once; `stop` has been aborted before. */
  stopNow: AbortSignal;
  /** Names who is told that the configuration is to be read again; at once if it was asked for. */
  onReload(listener: () => void): void;
}

export interface DaemonParts {
  loaded: LoadedConfiguration;
  /** Reads every layer again, for a reload. Throws ConfigurationError. */
  load: () => LoadedConfiguration;
  log: Log;
  signals: DaemonSignals;
}

/** What a reload can change while the engine runs. */
interface Serving {
  configuration: Configuration;
}

/** The settings that a reload puts into effect beside the certificates: those that are live. */
function liveValues(serving: Serving, status: DaemonStatus, log: Log): Participant {
  return {
    prepare: ({ configuration: { logLevel, stopTimeoutMs }, files }) => {
      const before = serving.configuration;
      const use = (configuration: Configuration): void => {
        serving.configuration = configuration;
        log.level = configuration.logLevel;
      };
      return {
        commit: () => {
          use({ ...before, logLevel, stopTimeoutMs });
          status.set('configuration', { files });
        },
        rollBack: () => use(before),
      };
    },
  };
}

/** The options whose value the engine has refused, so that the message can name their place. */
const refusedOptions: Record<string, string> = { EROOT: '--root: ', ELISTEN: '--listen: ' };

function createEngine(configuration: Configuration, certificates: CertificatePair[]): Engine {
  const { Engine } = loadNative();
  try {
    return new Engine({ ...configuration, certificates });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!(engineErrorCodes as readonly string[]).includes(code)) throw error;
    throw new StartError(`${refusedOptions[code] ?? ''}${reasonOf(error)}`);
  }
}

/** Serves until told to stop. True when every response that was begun was also delivered. */
export async function runDaemon({ loaded, load, log, signals }: DaemonParts): Promise<boolean> {
  const { configuration } = loaded;
  const serving: Serving = { configuration };
  const daemonStatus = new DaemonStatus();
  daemonStatus.set('configuration', { files: loaded.files });
  const certificates = new CertificateServing({ configuration, log, status: daemonStatus });
  const events = new EngineEvents(log);
  const supervisor = createSupervisor(process.env, (error) =>
    log.warn({ event: 'notify_failed', reason: reasonOf(error) }),
  );
  // What ends each room, in the order of their start; the last one goes first.
  const ends: (() => void | Promise<void>)[] = [() => certificates.close()];
  try {
    await certificates.start();
    if (signals.stop.aborted) return true;
    const engine = createEngine(configuration, certificates.current());
    ends.push(() => engine.close());
    certificates.serveBy(engine);
    engine.start((batch) => events.take(batch));
    const refusal = await Promise.race([events.started, events.failed]);
    if (refusal !== undefined) throw new StartError(`the engine does not start: ${refusal}`);
    ends.push(() => daemonStatus.close());
    daemonStatus.start((json) => engine.setDaemonStatus(json));
    const listeners = engine.listeners();
    const urls = listeners.map((listener) => `https://${formatListenAddress(listener)}/`);
    log.info({
      event: 'ready',
      version: SPLICED_VERSION,
      listeners,
      urls,
      root: configuration.root,
    });
    const status = `Serving ${configuration.root} at ${urls.join(' ')}`;
    await supervisor.ready(status);
    const participants = [certificates.participant(), liveValues(serving, daemonStatus, log)];
    const parts = { running: loaded, load, check: checkSystem, participants, supervisor };
    const reloader = new Reloader({ ...parts, status, log });
    ends.push(() => reloader.close());
    signals.onReload(() => void reloader.request());
    const failure = await Promise.race([
      aborted(signals.stop).then(() => undefined),
      events.failed,
    ]);
    reloader.close();
    if (failure !== undefined) {
      log.fatal({ event: 'failed', reason: failure, ...figures(engine) });
      return false;
    }
    const { stopTimeoutMs } = serving.configuration;
    log.info({ event: 'stopping', timeoutMs: stopTimeoutMs });
    await certificates.closePlainHttp();
    await supervisor.status('Finishing active responses');
    const outcome = await stopEngine(engine, events, stopTimeoutMs, signals.stopNow);
    const counts = figures(engine);
    if (outcome === undefined) {
      log.error({ event: 'stopped', reason: 'the engine did not stop in time', ...counts });
      return false;
    }
    const { type: _, ...result } = outcome;
    log.info({ event: 'stopped', ...result, ...counts });
    return outcome.aborted === 0;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}
