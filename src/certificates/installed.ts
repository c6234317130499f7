// SPDX-License-Identifier: Apache-2.0
// A certificate and a key that an operator installs: as files, or as credentials of the service
// manager (systemd.exec(5), LoadCredential). They are watched, and a new pair is checked completely
// before it is served: a bad one changes nothing and is reported once. Made by the manager.

import { createHash, type X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import { FileWatch } from '../files/file-watch.js';
import { readOrdinaryText } from '../files/ordinary-file.js';
import { isKeyReference, matchTokenKey, shownKey } from '../tls/token-key.js';
import { type Checked, checkCertificate, type Finding } from './check.js';
import type { Occasion, Runtime, Served, Source } from './source.js';

export interface InstalledOptions {
  /**
   * Paths of PEM files, perhaps of the same file. `credential:NAME` is the file NAME in
   * $CREDENTIALS_DIRECTORY. The private key may be a reference instead (../token-key.ts).
   */
  certificate: string;
  privateKey: string;
  /** The setting that names them, for errors; the private key has one of its own. */
  setting?: string;
  /** Names that clients use: a certificate that does not cover them is served with a warning. */
  wantedNames?: readonly string[];
}

const fileBytesMax = 256 * 1024;
const watchSettleMs = 500; // Two files are not replaced at one instant.
const credentialPrefix = 'credential:';

/** The file behind a path or `credential:NAME`. Throws when there can be none. */
export function pathOf(value: string, environment: NodeJS.ProcessEnv = process.env): string {
  if (!value.startsWith(credentialPrefix)) return value;
  const name = value.slice(credentialPrefix.length);
  const directory = environment.CREDENTIALS_DIRECTORY;
  if (!/^[\w@:-][\w.@:-]*$/.test(name)) throw new Error(`"${name}" is no name of a credential`);
  if (directory === undefined) {
    throw new Error('the service manager has passed no credentials (LoadCredential=)');
  }
  return join(directory, name);
}

export const pairSetting = 'tls.certificate';
const keySetting = 'tls.private_key';

function readText(value: string, setting: string): string {
  try {
    const path = pathOf(value);
    return readOrdinaryText(path, fileBytesMax);
  } catch (error) {
    throw new StartError(`${setting}: cannot read ${value}: ${reasonOf(error)}`);
  }
}

/** Reads and checks a pair of files. Throws StartError when one cannot be read. */
export async function checkInstalled(
  options: InstalledOptions,
  nowMs: number,
  buildDateMs: number,
  isFresh = true,
): Promise<Checked & { digest: string }> {
  const { wantedNames = [], setting = pairSetting } = options;
  const chain = readText(options.certificate, setting);
  const ofKey = setting === pairSetting ? keySetting : setting;
  const isReference = isKeyReference(options.privateKey);
  const privateKey = isReference ? options.privateKey : readText(options.privateKey, ofKey);
  const matchKey = isReference
    ? (certificates: string[]) => matchTokenKey(privateKey, certificates, isFresh)
    : undefined;
  const dates = { nowMs, buildDateMs };
  const checked = await checkCertificate({ chain, privateKey, matchKey, wantedNames, ...dates });
  // With what is served of them: dates decide that too (chain.ts), while the files stay as they are.
  const parts = [chain, privateKey, checked.pair?.chain ?? ''];
  const digest = createHash('sha256').update(parts.join('\0')).digest('hex');
  const keyPath = isReference ? undefined : pathOf(options.privateKey);
  if (keyPath !== undefined && (statSync(keyPath).mode & 0o007) !== 0) {
    const text = `everybody can read the private key; run: chmod 600 ${keyPath}`;
    checked.findings.push({ kind: 'warning', text });
  }
  return { ...checked, digest };
}

const sentences = (findings: Finding[], isWanted: (kind: Finding['kind']) => boolean): string =>
  findings
    .filter(({ kind }) => isWanted(kind))
    .map(({ text }) => text)
    .join('; ');

/** One line: why the pair cannot be served. */
export function refusalOf(
  { certificate, privateKey, setting = pairSetting }: InstalledOptions,
  { findings }: Checked,
): string {
  const wrong = sentences(findings, (kind) => kind === 'bad' || kind === 'mismatch');
  const key = shownKey(privateKey);
  return `${setting}: ${certificate} with the private key ${key} cannot be used: ${wrong}`;
}

export class InstalledSource implements Source {
  readonly name: string;
  lastError: string | undefined;
  readonly options: InstalledOptions;
  readonly #runtime: Runtime;
  readonly #watch: FileWatch;
  #served: Served | undefined;
  #isWatched = false;
  #looking = Promise.resolve();
  #digest = ''; // Of what is served.
  #rejected = ''; // What was wrong at the last look, and was reported or is about to be.

  constructor(options: InstalledOptions, runtime: Runtime) {
    this.name = `files ${options.certificate}`;
    this.options = options;
    this.#runtime = runtime;
    const { certificate, privateKey } = options;
    const files = isKeyReference(privateKey) ? [certificate] : [certificate, privateKey];
    const paths = files.flatMap((value) => {
      try {
        return [pathOf(value)];
      } catch {
        return []; // start() says so.
      }
    });
    const watching = { clock: runtime.clock, settleMs: watchSettleMs };
    this.#watch = new FileWatch([...new Set(paths)], watching, () => void this.look('files'));
  }

  async start(): Promise<void> {
    try {
      const checked = await this.#check();
      if (checked.pair === undefined) throw new StartError(refusalOf(this.options, checked));
      this.#take(checked);
    } catch (error) {
      this.lastError = reasonOf(error);
      throw error;
    }
  }

  /** One look at a time, so that an old reading can never replace a newer one. */
  look(occasion: Occasion): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look(occasion));
    return this.#looking;
  }

  async #look(occasion: Occasion): Promise<void> {
    const isUnsettled = this.#rejected !== '' && this.lastError === undefined;
    // The first look begins the watch: what was only prepared leaves nothing behind.
    if (!this.#isWatched || occasion === 'slow') this.#arm();
    if (occasion === 'tick' && !isUnsettled) return;
    let reason: string;
    try {
      // By the clock nobody asks a token again: it counts wrong PINs.
      const checked = await this.#check(occasion === 'reload' || occasion === 'files');
      if (checked.digest === this.#digest) {
        this.#rejected = '';
        this.lastError = undefined;
        return;
      }
      reason = sentences(checked.findings, (kind) => kind !== 'warning');
      const isDated = this.#served !== undefined && this.#isOutOfDate(this.#served.certificate);
      const isOnlyDate = checked.findings.every(
        ({ kind }) => kind === 'date' || kind === 'warning',
      );
      if (reason === '' || (isOnlyDate && isDated)) {
        this.#take(checked);
        this.#runtime.changed(`${this.name} changed`);
        return;
      }
    } catch (error) {
      reason = reasonOf(error);
    }
    this.#reject(reason);
  }

  served(): Served[] {
    return this.#served === undefined ? [] : [this.#served];
  }

  close(): void {
    this.#watch.close();
  }

  #check(isFresh = true) {
    const { clock, buildDateMs } = this.#runtime;
    return checkInstalled(this.options, clock.nowMs(), buildDateMs, isFresh);
  }

  #isOutOfDate(certificate: X509Certificate): boolean {
    return Date.parse(certificate.validTo) <= this.#runtime.clock.nowMs();
  }

  #arm(): void {
    this.#isWatched = true;
    const reason = this.#watch.arm();
    if (reason === undefined) return;
    const { name: source } = this;
    this.#runtime.report({ severity: 'warn', event: 'certificate_not_watched', source, reason });
  }

  #take({ pair, digest, findings }: Checked & { digest: string }): void {
    if (pair === undefined) throw new Error('a pair with a bad finding');
    const { chain, privateKey, certificates } = pair;
    this.#served = {
      source: this.name,
      chain,
      privateKey,
      certificate: certificates[0],
      isInstalled: true,
    };
    this.#digest = digest;
    this.#rejected = '';
    this.lastError = undefined;
    const reason = sentences(findings, () => true);
    if (reason === '') return;
    const { name: source } = this;
    this.#runtime.report({ severity: 'warn', event: 'certificate_warning', source, reason });
  }

  /** A pair in the middle of being replaced is wrong for a moment: report what stays wrong. */
  #reject(reason: string): void {
    const isNew = this.#rejected !== reason;
    this.#rejected = reason;
    if (isNew) {
      this.lastError = undefined;
      return;
    }
    if (this.lastError === reason) return;
    this.lastError = reason;
    const { name: source } = this;
    this.#runtime.report({ severity: 'error', event: 'certificate_rejected', source, reason });
  }
}
