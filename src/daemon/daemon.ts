// SPDX-License-Identifier: Apache-2.0
// The composition root: the only file that knows every room. It starts them in order (certificate,
// engine, supervisor), waits for a stop or a failure, and stops them in reverse. Called by
// commands/serve.ts, which owns signals and exit codes.

import { Events } from '../base/events.js';
import { reasonOf, StartError } from '../base/start-error.js';
import { systemClock } from '../certificates/clock.js';
import { formatListenAddress } from '../config/address.js';
import type { Configuration, LoadedConfiguration } from '../config/configuration.js';
import { engineCount } from '../engine/count.js';
import { Failover } from '../engine/failover.js';
import { aborted, figures, ServiceEvents } from '../engine/lifecycle.js';
import {
  type CertificatePair,
  type ClientCertificates,
  engineErrorCodes,
  loadNative,
  type NativeModule,
  packageDirectory,
  type Service,
  type SiteOptions,
} from '../engine/native.js';
import { Housekeeping } from '../files/housekeeping.js';
import { secureStateDirectory } from '../files/state-directory.js';
import { ConnectionReporter } from '../log/connections.js';
import { IncidentReporter } from '../log/incidents.js';
import type { Log } from '../log/log.js';
import type { LineOutput } from '../log/output.js';
import type { LogTail } from '../log/tail.js';
import { ApiServing } from '../serving/api.js';
import { CertificateServing } from '../serving/certificates.js';
import { checkSystem } from '../serving/checks.js';
import { ClientAccess } from '../serving/client-certificates.js';
import { type ListenerPlan, planListeners } from '../serving/listeners.js';
import { servePower } from '../serving/power.js';
import { type Participant, Reloader } from '../serving/reload.js';
import { operatorRoutes, SiteServing, siteOf } from '../serving/site.js';
import { reportGroups } from '../serving/tls-groups.js';
import { UpdateServing } from '../serving/update.js';
import { UploadServing } from '../serving/uploads.js';
import { uiDirectoryOf } from '../site/ui-directory.js';
import { Health, isHealthWatched } from '../supervision/health.js';
import { takeNotifySocket } from '../supervision/notify.js';
import { answerOurselves } from '../supervision/self-request.js';
import { takeInheritedSockets } from '../supervision/socket-activation.js';
import { createSupervisor, type Supervisor } from '../supervision/systemd.js';
import { takeWatchdogPeriod } from '../supervision/watchdog.js';
import { stopGracefully } from './graceful-stop.js';
import { runDirectoryOf } from './run-directory.js';
import { RunRecord } from './run-record.js';
import { describeService, showTroubles } from './service-status.js';

export interface DaemonSignals {
  /** Finish active responses, then end. */
  stop: AbortSignal;
  /** End at once; `stop` has been aborted before. */
  stopNow: AbortSignal;
  /** Names who is told that the configuration is to be read again; at once if it was asked for. */
  onReload(listener: () => void): void;
  /** Finish active responses, then end so that the service manager starts the service again. */
  endForRestart(): void;
}

export interface DaemonParts {
  loaded: LoadedConfiguration;
  /** Reads every layer again, for a reload. Throws ConfigurationError. */
  load: () => LoadedConfiguration;
  log: Log;
  /** Where the log goes. */
  output: LineOutput;
  /** What the log has last said. */
  tail: LogTail;
  signals: DaemonSignals;
}

/** What a reload can change while the engine runs. */
interface Serving {
  configuration: Configuration;
  runDir: string;
  certificates: CertificateServing;
  housekeeping: Housekeeping;
  output: LineOutput;
  /** From when the engine is made. */
  clients?: ClientAccess;
  /** Keys that wait for a restart; from when there is a reload. */
  waiting?: () => readonly string[];
}

const hangMsMax = 5_000;

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

interface ServiceParts {
  native: NativeModule;
  configuration: Configuration;
  plan: ListenerPlan;
  certificates: CertificatePair[];
  clientCertificates: ClientCertificates | undefined;
  site: SiteOptions;
}

function createService(parts: ServiceParts): Service {
  const { native, configuration, plan } = parts;
  const { certificates, clientCertificates, site } = parts;
  try {
    const { listeners } = plan;
    return new native.Service({
      ...configuration,
      engines: engineCount(configuration.engines),
      listeners,
      certificates,
      clientCertificates,
      site,
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!(engineErrorCodes as readonly string[]).includes(code)) throw error;
    const option = plan.isActivated && code === 'ELISTEN' ? '' : (refusedOptions[code] ?? '');
    throw new StartError(`${option}${reasonOf(error)}`);
  }
}

/** What the service manager gave us, and how it is told. */
function takeSurroundings(log: Log) {
  const onFailure = (error: unknown): void =>
    log.warn({ event: 'notify_failed', reason: reasonOf(error) });
  // Before the first child: neither is meant for it.
  const inherited = takeInheritedSockets(process.env, process.pid);
  const watchdogMs = takeWatchdogPeriod(process.env, process.pid);
  const native = loadNative();
  const notifySocket = takeNotifySocket(process.env, native.notifySystemd, onFailure);
  const { notifySystemd } = notifySocket;
  const supervisor = createSupervisor(notifySocket, onFailure);
  return { inherited, watchdogMs, native, notifySystemd, supervisor };
}

type Surroundings = ReturnType<typeof takeSurroundings>;

/** What ends each room, in the order of their start; the last one goes first. */
type Ends = (() => void | Promise<void>)[];

/** The engine with all that it serves. Throws StartError. */
async function startService(
  { native, watchdogMs }: Surroundings,
  plan: ListenerPlan,
  serving: Serving,
  log: Log,
  ends: Ends,
) {
  const { configuration, certificates } = serving;
  const clients = new ClientAccess(configuration.clientCertificates, log);
  serving.clients = clients;
  const own = operatorRoutes(serving.runDir, uiDirectoryOf(packageDirectory()));
  const site = { configuration, own, isTrusted: certificates.isTrusted() };
  reportGroups(configuration, log);
  const service = createService({
    native,
    site: siteOf(site),
    configuration,
    plan,
    certificates: certificates.current(),
    clientCertificates: clients.settings,
  });
  // Before the watchdog's patience is over: it cannot end a process that hangs so.
  const hangMs = Math.min(hangMsMax, (watchdogMs ?? Number.POSITIVE_INFINITY) / 4);
  const failover = new Failover({ service, tlsOffload: configuration.tlsOffload, hangMs, log });
  const siteServing = new SiteServing({ service, site, log });
  const onTrust = (isTrusted: boolean): void => siteServing.trustChanged(isTrusted);
  ends.push(() => void service.close(), certificates.serveBy(service, onTrust));
  const events = new ServiceEvents(log, (event) => failover.released(event));
  service.start((batch) => events.take(batch));
  const refusal = await Promise.race([events.started, events.failed]);
  if (refusal !== undefined) throw new StartError(`the engine does not start: ${refusal}`);
  failover.start();
  ends.push(() => failover.close());
  ends.push(clients.serve(service), siteServing.start());
  const reporter = new ConnectionReporter({ service, log, asksClients: () => clients.isAsking });
  const incidents = new IncidentReporter(service, log);
  ends.push(
    () => reporter.close(),
    () => incidents.close(),
  );
  const listeners = service.listeners();
  plan.store(listeners);
  return { service, failover, events, clients, siteServing, reporter, incidents, listeners };
}

type Running = Awaited<ReturnType<typeof startService>>;

/** Says that the service is ready, and keeps saying how it is. */
async function announce(
  { supervisor, watchdogMs, notifySystemd: notify }: Surroundings,
  serving: Serving,
  { service, failover, listeners }: Running,
  log: Log,
  ends: Ends,
) {
  const addresses = listeners.map(({ address, port }) => ({ address, port }));
  const urls = addresses.map((listener) => `https://${formatListenAddress(listener)}/`);
  const { root } = serving.configuration;
  const record = new RunRecord(serving.runDir, addresses, log, serving.housekeeping);
  log.info({ event: 'ready', version: SPLICED_VERSION, listeners: addresses, urls, root });
  const { status, onTroubles, close } = describeService(serving, service, urls, supervisor);
  const endShowing = showTroubles(serving, service);
  ends.push(close, endShowing);
  await supervisor.ready(status(0));
  const watched = { service, watchdogMs, notify, onTroubles, log };
  const health = isHealthWatched(watchdogMs, service.stats()) ? new Health(watched) : undefined;
  health?.start();
  failover.onReplaced((reason) => health?.engineWasReplaced(reason));
  ends.push(() => health?.close());
  const beginStop = (): void => {
    close();
    endShowing();
    failover.close();
    health?.beginStop();
  };
  return { status, record, beginStop };
}

/** Serves the API, and puts a new configuration into effect when it is asked for. The answer ends that. */
function serveOperators(
  { loaded, load, log, tail, signals }: DaemonParts,
  native: NativeModule,
  serving: Serving,
  { service, clients, siteServing, reporter }: Running,
  supervisor: Supervisor,
  status: (refusedErrors: number) => string,
  ends: Ends,
): () => void {
  const { configuration, runDir, certificates, housekeeping } = serving;
  const events = new Events();
  const build = (): string | null => siteServing.build || null;
  const tellBuild = (): void => events.publish('build', { build: build() });
  siteServing.onBuild(tellBuild);
  tellBuild();
  const { endForRestart, stop } = signals;
  const kept = { configuration, events, log, housekeeping };
  const update = new UpdateServing({ ...kept, build, endForRestart, stop });
  ends.push(() => update.close());
  const power = servePower({ events, log, update, stop });
  ends.push(() => power.close());
  const uploads = new UploadServing({ native, service, configuration, log, housekeeping, update });
  ends.push(() => uploads.close());
  const shown = { log, tail, events, update, uploads, power, housekeeping };
  const api = new ApiServing({
    configuration,
    runDir,
    service,
    manager: certificates.manager,
    ...shown,
  });
  ends.push(() => api.close());
  const participants = [
    certificates.participant(),
    siteServing.participant(),
    liveValues(serving, log, reporter),
    clients.participant,
    api.participant,
  ];
  const parts = { running: loaded, load, check: checkSystem, participants, supervisor };
  const reloader = new Reloader({ ...parts, status, log });
  serving.waiting = () => reloader.waiting;
  ends.push(() => reloader.close());
  signals.onReload(() => void reloader.request());
  update.start();
  uploads.start();
  api.start(reloader);
  return () => reloader.close();
}

/** Serves until told to stop. True when every response that was begun was also delivered. */
export async function runDaemon(parts: DaemonParts): Promise<boolean> {
  const { loaded, log, signals } = parts;
  const ends: Ends = [];
  try {
    const surroundings = takeSurroundings(log);
    const { native, supervisor } = surroundings;
    const { configuration } = loaded;
    secureStateDirectory(configuration.stateDir, log);
    const { https, http } = planListeners({ ...surroundings, configuration, log });
    // Late bound: the certificates come first.
    const onClockJump = (): void => serving.clients?.look();
    const housekeeping = new Housekeeping({ log, clock: systemClock });
    ends.push(() => housekeeping.close());
    const certificates = new CertificateServing({ loaded, http, onClockJump, housekeeping, log });
    const runDir = runDirectoryOf(configuration.stateDir);
    const { output } = parts;
    const serving: Serving = { configuration, runDir, certificates, housekeeping, output };
    ends.push(() => certificates.close());
    await certificates.start();
    if (signals.stop.aborted) return true;
    const running = await startService(surroundings, https, serving, log, ends);
    const { service, events, reporter, incidents, listeners } = running;
    if (supervisor.isPresent) {
      const answered = answerOurselves({
        ask: native.askOurselves,
        listeners,
        fingerprints: certificates.fingerprints(),
        stop: signals.stop,
        log,
      });
      answered.catch(() => {}); // Nobody waits for it when the service is stopped meanwhile.
      try {
        await Promise.race([answered, aborted(signals.stop)]);
      } catch (error) {
        log.fatal({
          event: 'not_ready',
          reason: `the service does not answer its own request: ${reasonOf(error)}`,
        });
        return false;
      }
      if (signals.stop.aborted) return true;
    }
    const announced = await announce(surroundings, serving, running, log, ends);
    const { status } = announced;
    const endReloads = serveOperators(parts, native, serving, running, supervisor, status, ends);

    const stop = aborted(signals.stop).then(() => undefined);
    const failure = await Promise.race([stop, events.failed]);
    endReloads();
    announced.beginStop();
    if (failure !== undefined) {
      reporter.close();
      log.fatal({ event: 'failed', reason: failure, ...figures(service) });
      return false;
    }
    await certificates.closePlainHttp();
    const { stopTimeoutMs } = serving.configuration;
    const stopNow = signals.stopNow;
    const how = { stopTimeoutMs, stopNow, log, reporter, incidents, plan: https };
    const outcome = await stopGracefully(service, events, supervisor, how);
    announced.record.finish(outcome);
    return outcome.isClean;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}
