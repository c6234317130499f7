// SPDX-License-Identifier: Apache-2.0
// The composition root: the only file that knows every room. It starts them in order (certificate,
// engine, supervisor), waits for a stop or a failure, and stops them in reverse. Called by
// commands/serve.ts, which owns signals and exit codes.

import { CertificateServing } from './certificate-serving.js';
import { checkSystem } from './checks.js';
import { ClientAccess } from './client-certificates.js';
import { formatListenAddress } from './config/address.js';
import type { Configuration, LoadedConfiguration } from './config/configuration.js';
import { aborted, EngineEvents, figures, statsOf, stopEngine } from './engine/lifecycle.js';
import {
  type BoundListener,
  type CertificatePair,
  type ClientCertificates,
  type Engine,
  engineErrorCodes,
  loadNative,
  type NativeModule,
  type SiteOptions,
} from './engine/native.js';
import { type ListenerPlan, planListeners } from './listeners.js';
import type { Log } from './log.js';
import { ConnectionReporter } from './log-connections.js';
import { type Participant, Reloader } from './reload.js';
import { RunRecord } from './run-record.js';
import { SiteServing, siteOf } from './site.js';
import { reasonOf, StartError } from './start-error.js';
import { Health, isHealthWatched } from './supervision/health.js';
import { takeNotifySocket } from './supervision/notify.js';
import { takeInheritedSockets } from './supervision/socket-activation.js';
import { keepStatusFresh, statusWords } from './supervision/status-words.js';
import { extendStopWhileItProgresses } from './supervision/stop-extension.js';
import { createSupervisor, type Supervisor } from './supervision/systemd.js';
import { takeWatchdogPeriod } from './supervision/watchdog.js';

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
  certificates: CertificateServing;
}

const firstAnswerMs = 5_000;
const readyMs = 15_000;

/** The settings that a reload puts into effect beside the certificates: those that are live. */
function liveValues(serving: Serving, log: Log, reporter: ConnectionReporter): Participant {
  return {
    prepare: ({ configuration: { logLevel, stopTimeoutMs } }) => {
      const before = serving.configuration;
      const use = (configuration: Configuration): void => {
        serving.configuration = configuration;
        log.level = configuration.logLevel;
        reporter.levelChanged();
      };
      return {
        commit: () => use({ ...before, logLevel, stopTimeoutMs }),
        rollBack: () => use(before),
      };
    },
  };
}

/** The options whose value the engine has refused, so that the message can name their place. */
const refusedOptions: Record<string, string> = { EROOT: '--root: ', ELISTEN: '--listen: ' };

interface EngineParts {
  native: NativeModule;
  configuration: Configuration;
  plan: ListenerPlan;
  certificates: CertificatePair[];
  clientCertificates: ClientCertificates | undefined;
  site: SiteOptions;
}

function createEngine(parts: EngineParts): Engine {
  const { native, configuration, plan, certificates, clientCertificates, site } = parts;
  try {
    const { listeners } = plan;
    const own = { listeners, certificates, clientCertificates, site };
    return new native.Engine({ ...configuration, ...own });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!(engineErrorCodes as readonly string[]).includes(code)) throw error;
    const option = plan.isActivated && code === 'ELISTEN' ? '' : (refusedOptions[code] ?? '');
    throw new StartError(`${option}${reasonOf(error)}`);
  }
}

/** Throws when a request through the real TLS path does not come back from every listener. */
async function answerOurselves(listeners: BoundListener[], fingerprint: string): Promise<void> {
  const { selfRequestWithin } = await import('./supervision/self-request.js');
  const requests = listeners.map(({ address, port }) =>
    selfRequestWithin({ address, port, fingerprint, timeoutMs: firstAnswerMs }, readyMs),
  );
  await Promise.all(requests);
}

/** What `systemctl status` shows; kept fresh until `close`. */
function describeService(serving: Serving, engine: Engine, urls: string[], supervisor: Supervisor) {
  let refusedErrors = 0;
  let troubles = '';
  const words = (): string => {
    const certificateDaysLeft = serving.certificates.daysLeft();
    return statusWords({
      urls,
      figures: statsOf(engine),
      certificateDaysLeft,
      refusedErrors,
      troubles,
    });
  };
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

interface StopParts {
  stopTimeoutMs: number;
  stopNow: AbortSignal;
  log: Log;
  reporter: ConnectionReporter;
}

/** The end that loses nothing. True when every response that was begun was also delivered. */
async function stopGracefully(
  engine: Engine,
  events: EngineEvents,
  supervisor: Supervisor,
  { stopTimeoutMs, stopNow, log, reporter }: StopParts,
): Promise<{ isClean: boolean; figures: Record<string, unknown> }> {
  log.info({ event: 'stopping', timeoutMs: stopTimeoutMs });
  supervisor.stopping('Finishing active responses');
  const endExtension = extendStopWhileItProgresses({
    figures: () => statsOf(engine),
    extendTimeout: supervisor.extendTimeout,
    stopTimeoutMs,
  });
  const outcome = await stopEngine(engine, events, stopTimeoutMs, stopNow);
  endExtension();
  reporter.close(); // The last line is the one with the figures.
  const counts = figures(engine);
  if (outcome === undefined) {
    log.error({ event: 'stopped', reason: 'the engine did not stop in time', ...counts });
    return { isClean: false, figures: counts };
  }
  const { type: _, ...result } = outcome;
  log.info({ event: 'stopped', ...result, ...counts });
  return { isClean: outcome.aborted === 0, figures: { ...result, ...counts } };
}

/** Serves until told to stop. True when every response that was begun was also delivered. */
export async function runDaemon({ loaded, load, log, signals }: DaemonParts): Promise<boolean> {
  const { configuration } = loaded;
  const onNotifyFailure = (error: unknown): void =>
    log.warn({ event: 'notify_failed', reason: reasonOf(error) });
  // Before the first child: neither is meant for it.
  const inherited = takeInheritedSockets(process.env, process.pid);
  const watchdogMs = takeWatchdogPeriod(process.env, process.pid);
  const native = loadNative();
  const notifySocket = takeNotifySocket(process.env, native.notifySystemd, onNotifyFailure);
  const supervisor = createSupervisor(notifySocket, onNotifyFailure);
  const certificates = new CertificateServing({ loaded, log });
  const serving: Serving = { configuration, certificates };
  const events = new EngineEvents(log);
  // What ends each room, in the order of their start; the last one goes first.
  const ends: (() => void | Promise<void>)[] = [() => certificates.close()];
  try {
    await certificates.start();
    const clients = new ClientAccess(configuration.clientCertificates, log);
    if (signals.stop.aborted) return true;
    const { notifySystemd } = notifySocket;
    const plan = planListeners({ configuration, inherited, native, notifySystemd, log });
    const site = { configuration, isTrusted: certificates.isTrusted() };
    const engine = createEngine({
      native,
      site: siteOf(site),
      configuration,
      plan,
      certificates: certificates.current(),
      clientCertificates: clients.settings,
    });
    const siteServing = new SiteServing(engine, site);
    const onTrust = (isTrusted: boolean): void => siteServing.trustChanged(isTrusted);
    ends.push(() => engine.close(), certificates.serveBy(engine, onTrust));
    engine.start((batch) => events.take(batch));
    const refusal = await Promise.race([events.started, events.failed]);
    if (refusal !== undefined) throw new StartError(`the engine does not start: ${refusal}`);
    ends.push(clients.serve(engine));
    const reporter = new ConnectionReporter({ engine, log });
    ends.push(() => reporter.close());
    const listeners = engine.listeners();
    plan.store(listeners);
    if (supervisor.isPresent) {
      try {
        await answerOurselves(listeners, certificates.fingerprint());
      } catch (error) {
        log.fatal({ event: 'not_ready', reason: `no answer to ourselves: ${reasonOf(error)}` });
        return false;
      }
    }
    const addresses = listeners.map(({ address, port }) => ({ address, port }));
    const urls = addresses.map((listener) => `https://${formatListenAddress(listener)}/`);
    const record = new RunRecord(configuration.stateDir, log);
    const { root } = configuration;
    log.info({ event: 'ready', version: SPLICED_VERSION, listeners: addresses, urls, root });
    const { status, onTroubles, close } = describeService(serving, engine, urls, supervisor);
    ends.push(close);
    await supervisor.ready(status(0));
    const watched = { engine, watchdogMs, notify: notifySystemd, onTroubles, log };
    const health = isHealthWatched(watchdogMs, engine.stats()) ? new Health(watched) : undefined;
    health?.start();
    ends.push(() => health?.close());
    const participants = [
      certificates.participant(),
      siteServing.participant(),
      liveValues(serving, log, reporter),
      clients.participant,
    ];
    const parts = { running: loaded, load, check: checkSystem, participants, supervisor };
    const reloader = new Reloader({ ...parts, status, log });
    ends.push(() => reloader.close());
    signals.onReload(() => void reloader.request());
    const failure = await Promise.race([
      aborted(signals.stop).then(() => undefined),
      events.failed,
    ]);
    reloader.close();
    close();
    health?.beginStop();
    if (failure !== undefined) {
      reporter.close();
      log.fatal({ event: 'failed', reason: failure, ...figures(engine) });
      return false;
    }
    const { stopTimeoutMs } = serving.configuration;
    await certificates.closePlainHttp();
    const stop = { stopTimeoutMs, stopNow: signals.stopNow, log, reporter };
    const outcome = await stopGracefully(engine, events, supervisor, stop);
    record.finish(outcome);
    return outcome.isClean;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}
