// SPDX-License-Identifier: Apache-2.0
// What the API needs of the service: the handlers know nothing else. serving/api.ts implements it
// with the rooms of the daemon, tests with whatever they need. Types only.

import type { PowerAction, PowerDocument } from '../power/document.js';

export interface Certificate {
  source: string;
  subject: string;
  sans: string[];
  fingerprint: string;
  isSelfSigned: boolean;
  notBefore: string;
  notAfter: string;
  /** null while the clock is not set. */
  daysLeft: number | null;
  /** Within 30 days of its end, or past it; null: nothing is to be said. */
  warning: string | null;
  lastError: string | null;
}

export interface CertificateList {
  /** What is served; the first is for clients without a name. */
  served: Certificate[];
  /** Sources that have nothing to serve although they should. */
  waiting: { source: string; lastError: string | null }[];
}

export interface Finding {
  kind: 'bad' | 'mismatch' | 'date' | 'warning';
  text: string;
}

export interface PendingRequest {
  /** PEM (PKCS#10). */
  request: string;
  names: string[];
  madeAt: string;
}

/** A finding about the configuration, with its place where it has one. */
export interface ConfigurationFinding {
  line?: number;
  key?: string;
  message: string;
}

export interface ReloadResult {
  errors: ConfigurationFinding[];
  applied: string[];
  restartRequired: string[];
}

/** What `Update` in schemas.ts describes. */
export type Update = Record<string, unknown>;

/** What `System` and `History` in schemas.ts describe. */
export interface SystemFigures {
  current(): Promise<object>;
  history(): object;
}

export interface ApiService {
  /** JSON text, as the engine gives it. */
  status(): string;
  system: SystemFigures;
  certificates: {
    list(): CertificateList;
    /** Without a key: the one of the pending request. Undefined: there is none that fits. */
    install(
      chain: string,
      privateKey: string | undefined,
    ): Promise<{ isInstalled: boolean; findings: Finding[] } | undefined>;
    /** False: nothing was uploaded. */
    uninstall(): Promise<boolean>;
    /** A sentence that says why no certificate can be for these names. */
    refusalOf(names: readonly string[]): string | undefined;
    /** Undefined: one waits already. */
    request(names: readonly string[]): Promise<PendingRequest | undefined>;
    pending(): PendingRequest | undefined;
    giveUp(): Promise<void>;
    /** The sources that were asked to renew. */
    renew(): Promise<string[]>;
    /** PEM; undefined when there is none. */
    authority(): string | undefined;
  };
  configuration: {
    /** JSON text; values of secrets are not in it. */
    effective(): string;
    check(toml: string): Promise<{ errors: ConfigurationFinding[]; warnings: string[] }>;
    /** Undefined: the service stops. */
    reload(): Promise<ReloadResult | undefined>;
  };
  /** Begins to stop. Idempotent. */
  drain(): void;
  device: {
    current(): PowerDocument;
    /** Begins. The answer is a sentence that says why it cannot be; undefined: it has begun. */
    ask(action: PowerAction): Promise<string | undefined>;
  };
  update: {
    current(): Promise<Update>;
    /**
     * Begins to install what was uploaded, or a file of the update's directory. The answer is a
     * sentence that says why it cannot be; undefined: it has begun.
     */
    install(file: string | undefined): Promise<string | undefined>;
    /** Likewise. */
    restart(): Promise<string | undefined>;
    /** `message` is the installer's, or says why it cannot be. */
    mark(slot: string, mark: 'good' | 'bad'): Promise<{ isMarked: boolean; message: string }>;
  };
  uploads: {
    /** The part that is there. */
    state(): Promise<{ name: string; length: number; offset: number } | undefined>;
    /** Throws an Error whose `kind` is 'bad', 'busy', 'too long' or 'no space'. */
    begin(wish: {
      name: string;
      length: number;
      sha256: string | undefined;
    }): Promise<{ path: string; length: number; offset: number }>;
    /** False: there is nothing that could be given up. */
    giveUp(): Promise<boolean>;
  };
}
