// SPDX-License-Identifier: Apache-2.0
// A certificate that an authority in the network issues, as a source: asks for the first one, renews
// it at two thirds of its life or when other names are configured, and tries again after failures.
// The key of a request that is not decided yet is kept, so that a restart asks for the same one.
// Talks to the network in the background only. Made by the manager.

import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { reasonOf } from '../base/start-error.js';
import { isKeyReference, matchTokenKey, shownKey, type TokenKey } from '../tls/token-key.js';
import { checkCertificate } from './check.js';
import { isClockSet, minuteMs } from './clock.js';
import { certificatesDirOf, dateReason } from './device.js';
import type { Enroller, EnrolmentRequest } from './enroller.js';
import { createEnroller, type EnrolmentOptions } from './enrolment-options.js';
import { type DeviceNames, deviceNames, namesFrom } from './names.js';
import { type KeyAnswer, keyOfStored, type OpenKey, openOwnKey } from './own-key.js';
import { Retry } from './retry.js';
import type { Occasion, Runtime, Served, Source } from './source.js';
import { GenerationStore } from './store.js';
import { takeWish } from './wish.js';

export type { EnrolmentOptions } from './enrolment-options.js';

const attemptTimeoutMs = 10 * minuteMs;

export const enrolmentDirOf = (stateDir: string): string =>
  join(certificatesDirOf(stateDir), 'enrolment');

export class EnrolmentSource implements Source {
  readonly name = 'enrolment';
  lastError: string | undefined;
  readonly #options: EnrolmentOptions;
  readonly #runtime: Runtime;
  readonly wishDirectory: string;
  readonly #issued: GenerationStore;
  readonly #pending: GenerationStore;
  /** Where the key is; undefined: in a file, a new one for each request. */
  readonly #tokenKey: TokenKey | undefined;
  readonly #closing = new AbortController();
  #retry: Retry | undefined;
  #enroller: Enroller | undefined;
  #served: Served | undefined;
  #servedNames = '';
  #isForced = false;
  #attempt: Promise<void> | undefined;

  constructor(
    stateDir: string,
    options: EnrolmentOptions,
    runtime: Runtime,
    { tokenKey }: { tokenKey?: TokenKey | undefined } = {},
  ) {
    this.#options = options;
    this.#runtime = runtime;
    this.#tokenKey = tokenKey;
    this.wishDirectory = enrolmentDirOf(stateDir);
    this.#issued = new GenerationStore(join(this.wishDirectory, 'issued'));
    this.#pending = new GenerationStore(join(this.wishDirectory, 'pending'), 'request.pem');
  }

  async start(): Promise<void> {
    const { housekeeping } = this.#runtime;
    this.#retry = new Retry(join(this.wishDirectory, 'retry.json'), this.#runtime);
    await housekeeping.keep("tidying the enrolment's stores", async () => {
      await this.#issued.clean();
      await this.#pending.clean();
    });
    const key = await openOwnKey(this.#tokenKey);
    try {
      this.#takeStored(key);
    } catch (error) {
      this.#fail(`the stored certificate cannot be used: ${reasonOf(error)}`);
    }
    try {
      await this.#ensureEnroller();
    } catch (error) {
      this.lastError = reasonOf(error);
      throw error;
    }
  }

  async look(occasion: Occasion): Promise<void> {
    if (this.#attempt !== undefined || this.#closing.signal.aborted) return;
    const { clock, buildDateMs, housekeeping } = this.#runtime;
    const isWished = occasion !== 'tick' && takeWish(this.wishDirectory, housekeeping);
    if (isWished) this.#isForced = true;
    if (isWished || occasion === 'reload') this.#retry?.hurry();
    // Neither our dates nor the server's certificate can be judged before.
    if (!isClockSet(clock.nowMs(), buildDateMs)) return;
    const reason = this.#reasonToEnrol();
    if (reason === undefined || this.#retry?.isDue() !== true) return;
    this.#attempt = this.#enrol(reason).finally(() => {
      this.#attempt = undefined;
    });
  }

  served(): Served[] {
    return this.#served === undefined ? [] : [this.#served];
  }

  close(): void {
    this.#closing.abort();
  }

  /** Resolves when no attempt is under way. */
  async settled(): Promise<void> {
    await this.#attempt;
  }

  /** At start; where that failed, at each attempt. Throws StartError. */
  async #ensureEnroller(): Promise<Enroller> {
    const { challenges, housekeeping } = this.#runtime;
    const parts = { directory: this.wishDirectory, challenges, housekeeping };
    this.#enroller ??= await createEnroller(this.#options, parts);
    return this.#enroller;
  }

  #wantedNames(): DeviceNames {
    const { names } = this.#options;
    return names.length === 0 ? deviceNames() : namesFrom(names);
  }

  /** What was issued before, if it is of this key. Throws why it cannot be served. */
  #takeStored(answer: KeyAnswer): boolean {
    const stored = this.#issued.read();
    if (stored === undefined) return false;
    const { document: chain, privateKey: pem, notes } = stored;
    if (pem === '' && 'fault' in answer) throw new Error(answer.fault);
    const key = 'key' in answer ? answer.key : undefined;
    this.#take(chain, pem === '' ? keyOfStored(chain, key) : pem, notes.names);
    return true;
  }

  #reasonToEnrol(): string | undefined {
    const { clock, buildDateMs } = this.#runtime;
    if (this.#served === undefined) return 'there was none';
    if (this.#isForced) return 'an operator asked for it';
    if (this.#tokenKey !== undefined && !isKeyReference(this.#served.privateKey)) {
      return 'its key is to be in the token';
    }
    if (this.#options.names.length > 0 && this.#servedNames !== keyOf(this.#wantedNames())) {
      return 'other names are configured';
    }
    return dateReason(this.#served.certificate, clock.nowMs(), buildDateMs);
  }

  async #enrol(reason: string): Promise<void> {
    const timeout = AbortSignal.timeout(attemptTimeoutMs);
    const signal = AbortSignal.any([this.#closing.signal, timeout]);
    try {
      const answer = await openOwnKey(this.#tokenKey);
      if ('fault' in answer) throw new Error(answer.fault);
      // A token that was not there at the start may be now, with the key of what is stored.
      if (this.#takeUnserved(answer)) return;
      const names = this.#wantedNames();
      const { privateKey, request } = await this.#ensureRequest(names, answer.key);
      const current = this.#renewable(names);
      const nowMs = this.#runtime.clock.nowMs();
      const enroller = await this.#ensureEnroller();
      const outcome = await this.#ask(enroller, { names, request, current, nowMs }, signal);
      if (outcome.kind === 'pending') {
        await this.#retry?.postponed(outcome.retryAfterMs);
        const delaySeconds = Math.round(outcome.retryAfterMs / 1000);
        this.#runtime.report({ severity: 'info', event: 'enrolment_pending', delaySeconds });
        return;
      }
      await this.#accept(outcome.chain, privateKey, names);
      await this.#retry?.succeeded();
      this.#runtime.changed(`enrolment: ${reason}`);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#fail(reasonOf(error));
      await this.#retry?.failed();
    }
  }

  #takeUnserved(answer: KeyAnswer): boolean {
    if (this.#tokenKey === undefined || this.#served !== undefined) return false;
    try {
      if (!this.#takeStored(answer)) return false;
    } catch {
      return false; // It is of another key: a new one.
    }
    this.#runtime.changed('enrolment: the token answers again');
    return true;
  }

  /** The attempt, given up when the signal says so even if the protocol's library does not listen. */
  #ask(enroller: Enroller, request: EnrolmentRequest, signal: AbortSignal) {
    const aborted = new Promise<never>((_, reject) => {
      const give = () => reject(new Error('the attempt took too long or was ended'));
      signal.addEventListener('abort', give, { once: true });
    });
    return Promise.race([enroller.enrol(request, signal), aborted]);
  }

  /**
   * Checks what was issued, and stores it; what cannot be stored now is served all the same, and
   * stored later. Throws with everything that is wrong.
   */
  async #accept(issued: string, privateKey: string, names: DeviceNames): Promise<void> {
    const { clock, buildDateMs } = this.#runtime;
    const wantedNames = [...names.dns, ...names.ip];
    const dates = { nowMs: clock.nowMs(), buildDateMs };
    const isReference = isKeyReference(privateKey);
    const matchKey = isReference
      ? (certificates: string[]) => matchTokenKey(privateKey, certificates, true)
      : undefined;
    const input = { chain: issued, privateKey, matchKey, wantedNames, ...dates };
    const checked = await checkCertificate(input);
    const wrong = checked.findings.filter(({ kind }) => kind !== 'warning');
    if (checked.pair === undefined || wrong.length > 0) {
      throw new Error(
        `what was issued cannot be used: ${wrong.map(({ text }) => text).join('; ')}`,
      );
    }
    const { chain } = checked.pair;
    const pem = isReference ? '' : privateKey;
    const issuedPair = { privateKey: pem, document: chain, notes: { names: keyOf(names) } };
    await this.#runtime.housekeeping.keep('storing the certificate that was issued', async () => {
      await this.#issued.write(issuedPair);
      await this.#pending.remove();
    });
    this.#take(chain, privateKey, keyOf(names));
    this.#isForced = false;
  }

  /** The request that waits, if it is for these names and this key, else a new one, stored before it is sent. */
  async #ensureRequest(
    names: DeviceNames,
    key: OpenKey | undefined,
  ): Promise<{ privateKey: string; request: string }> {
    const place = key === undefined ? {} : { key: shownKey(key.reference) };
    const notes: Record<string, string> = { names: keyOf(names), ...place };
    const ofKey = (pem: string): string => key?.reference ?? pem;
    try {
      const waiting = this.#pending.read();
      const isSame = (name: string): boolean => waiting?.notes[name] === notes[name];
      if (waiting !== undefined && isSame('names') && isSame('key')) {
        return { privateKey: ofKey(waiting.privateKey), request: waiting.document };
      }
    } catch {} // Damaged: a new one.
    const { createRequest } = await import('./request.js');
    const isForClients = this.#options.protocol === 'est';
    const made = await createRequest(names, { isForClients, remoteKey: key });
    const { privateKey, request: document } = made;
    await this.#pending.write({ privateKey, document, notes });
    return { privateKey: ofKey(privateKey), request: document };
  }

  /** The present pair, if the authority may renew it: same names (RFC 7030 4.2.2), not ended. */
  #renewable(names: DeviceNames): Served | undefined {
    if (this.#served === undefined || this.#servedNames !== keyOf(names)) return undefined;
    const notAfterMs = Date.parse(this.#served.certificate.validTo);
    return notAfterMs > this.#runtime.clock.nowMs() ? this.#served : undefined;
  }

  #take(chain: string, privateKey: string, names = ''): void {
    const certificate = new X509Certificate(chain);
    this.#served = { source: this.name, chain, privateKey, certificate };
    this.#servedNames = names;
    this.lastError = undefined;
  }

  #fail(reason: string): void {
    this.lastError = reason;
    this.#runtime.report({ severity: 'error', event: 'enrolment_failed', reason });
  }
}

/** The same names give the same text. */
function keyOf({ dns, ip }: DeviceNames): string {
  return [...dns, ...ip].sort().join(',');
}
