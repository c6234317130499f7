// SPDX-License-Identifier: Apache-2.0
// The composition root: the only file that knows every room. It starts them in order (certificate,
// engine, supervisor), waits for a stop or a failure, and stops them in reverse. Called by
// commands/serve.ts, which owns signals and exit codes.

import { ensureDeviceCertificate } from './certificates/device.js';
import { readCertificateFiles } from './certificates/files.js';
import { checkSystem } from './checks.js';
import { ClientAccess } from './client-certificates.js';
import { formatListenAddress } from './config/address.js';
import type { Configuration, LoadedConfiguration } from './config/configuration.js';
import { aborted, EngineEvents, figures, stopEngine } from './engine/lifecycle.js';
import {
  type CertificatePair,
  type ClientCertificates,
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
  certificate: ChosenCertificate;
}

interface ChosenCertificate extends CertificatePair {
  fingerprint: string;
  notAfterMs: number;
  source: 'files' | 'device';
  renewedBecause?: string | undefined;
}

const renewalCheckMs = 12 * 3_600_000;

async function chooseCertificate(configuration: Configuration): Promise<ChosenCertificate> {
  if (configuration.files !== undefined) {
    return { source: 'files', ...readCertificateFiles(configuration.files) };
  }
  const device = await ensureDeviceCertificate({ stateDir: configuration.stateDir });
  return { source: 'device', ...device };
}

function logCertificate(certificate: ChosenCertificate, log: Log): void {
  const { source, fingerprint, notAfterMs, renewedBecause } = certificate;
  const notAfter = new Date(notAfterMs).toISOString();
  const isExpired = source === 'files' && notAfterMs < Date.now();
  if (isExpired) log.warn({ event: 'certificate_expired', notAfter });
  log.info({ event: 'certificate', source, fingerprint, notAfter, renewedBecause });
}

const pairOf = ({ chain, privateKey }: CertificatePair): CertificatePair => ({ chain, privateKey });

/** Looks twice a day whether the device's own certificate wants renewal; the answer stops that. */
function keepCertificateFresh(serving: Serving, engine: Engine, log: Log): () => void {
  const isOwn = (): boolean => serving.configuration.files === undefined;
  const renew = async (): Promise<void> => {
    if (!isOwn()) return;
    try {
      const certificate = await chooseCertificate(serving.configuration);
      const { fingerprint, renewedBecause } = certificate;
      // A reload may have brought files in the meantime.
      if (renewedBecause === undefined || !isOwn()) return;
      engine.replaceCertificates([pairOf(certificate)]);
      serving.certificate = certificate;
      log.info({ event: 'certificate_renewed', fingerprint, renewedBecause });
    } catch (error) {
      log.error({ event: 'certificate_not_renewed', reason: reasonOf(error) });
    }
  };
  const timer = setInterval(() => void renew(), renewalCheckMs);
  return () => clearInterval(timer);
}

/** The settings that a reload puts into effect: those that the schema calls live. */
function reloadParticipants(serving: Serving, engine: Engine, log: Log): Participant[] {
  const certificates: Participant = {
    prepare: async ({ configuration }) => {
      const before = serving.certificate;
      const { stateDir } = serving.configuration; // Another one waits for a restart.
      const next = await chooseCertificate({ ...configuration, stateDir });
      const serve = (certificate: ChosenCertificate): void => {
        if (certificate.chain === serving.certificate.chain) return;
        engine.replaceCertificates([pairOf(certificate)]);
        serving.certificate = certificate;
        logCertificate(certificate, log);
      };
      return { commit: () => serve(next), rollBack: () => serve(before) };
    },
  };
  const values: Participant = {
    prepare: ({ configuration: { files, clientCertificates, logLevel, stopTimeoutMs } }) => {
      const before = serving.configuration;
      const use = (configuration: Configuration): void => {
        serving.configuration = configuration;
        log.level = configuration.logLevel;
      };
      return {
        commit: () => use({ ...before, files, clientCertificates, logLevel, stopTimeoutMs }),
        rollBack: () => use(before),
      };
    },
  };
  return [certificates, values];
}

/** The options whose value the engine has refused, so that the message can name their place. */
const refusedOptions: Record<string, string> = { EROOT: '--root: ', ELISTEN: '--listen: ' };

function createEngine(
  configuration: Configuration,
  certificate: CertificatePair,
  clientCertificates: ClientCertificates | undefined,
): Engine {
  const { Engine } = loadNative();
  const {
    logLevel: _level,
    stateDir: _dir,
    files: _files,
    stopTimeoutMs: _ms,
    ...rest
  } = configuration;
  try {
    return new Engine({ ...rest, certificates: [certificate], clientCertificates });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!(engineErrorCodes as readonly string[]).includes(code)) throw error;
    throw new StartError(`${refusedOptions[code] ?? ''}${reasonOf(error)}`);
  }
}

/** Serves until told to stop. True when every response that was begun was also delivered. */
export async function runDaemon({ loaded, load, log, signals }: DaemonParts): Promise<boolean> {
  const { configuration } = loaded;
  const certificate = await chooseCertificate(configuration);
  logCertificate(certificate, log);
  const clients = new ClientAccess(configuration.clientCertificates, log);
  if (signals.stop.aborted) return true;
  const engine = createEngine(configuration, pairOf(certificate), clients.settings);
  const serving: Serving = { configuration, certificate };
  const events = new EngineEvents(log);
  const supervisor = createSupervisor(process.env, (error) =>
    log.warn({ event: 'notify_failed', reason: reasonOf(error) }),
  );
  const ends: (() => void)[] = [];
  try {
    engine.start((batch) => events.take(batch));
    const refusal = await Promise.race([events.started, events.failed]);
    if (refusal !== undefined) throw new StartError(`the engine does not start: ${refusal}`);
    ends.push(keepCertificateFresh(serving, engine, log), clients.serve(engine));
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
    const participants = [...reloadParticipants(serving, engine, log), clients.participant];
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
    for (const end of ends) end();
    engine.close();
  }
}
