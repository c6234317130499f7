// SPDX-License-Identifier: Apache-2.0
// A certificate from an ACME server (RFC 8555) by the challenge http-01, which our own port 80
// answers. The protocol is acme-client's. It is big and starts slowly: only enrolment.ts imports
// this file, and only when an ACME directory is configured.

import 'reflect-metadata';
import axios from 'acme-client/src/axios.js';
import Client from 'acme-client/src/client.js';
import { reasonOf } from '../base/start-error.js';
import { openTokenKey, type TokenKey } from '../tls/token-key.js';
import { noAccountKey, signBy } from './acme-account.js';
import { secondMs } from './clock.js';
import type { Enroller, EnrolmentOutcome, EnrolmentRequest } from './enroller.js';
import { exchange } from './exchange.js';
import type { RemoteKey } from './remote-key.js';
import type { ChallengeResponder } from './source.js';

export interface AcmeServer {
  directoryUrl: string;
  /** PEM: who may have signed the server's certificate; undefined: whom Node trusts. */
  trustAnchors?: string | undefined;
  /** PEM, made once and kept; or where it is. */
  accountKey: string | TokenKey;
  /** An e-mail address for the authority's notices. */
  contact?: string | undefined;
  termsOfServiceAgreed: boolean;
  /** RFC 8555 7.3.4, for authorities that want it: key id and key in base64url. */
  externalAccount?: { keyId: string; hmacKey: string } | undefined;
}

export interface AcmeTiming {
  pollMinMs: number;
  pollMaxMs: number;
}

const pollsMax = 20;

export class AcmeEnroller implements Enroller {
  readonly #server: AcmeServer;
  readonly #challenges: ChallengeResponder;
  readonly #timing: AcmeTiming;

  constructor(
    server: AcmeServer,
    challenges: ChallengeResponder,
    timing: AcmeTiming = { pollMinMs: 2 * secondMs, pollMaxMs: 15 * secondMs },
  ) {
    this.#server = server;
    this.#challenges = challenges;
    this.#timing = timing;
  }

  async enrol(request: EnrolmentRequest, signal: AbortSignal): Promise<EnrolmentOutcome> {
    const client = await this.#createClient(signal);
    const { contact, termsOfServiceAgreed } = this.#server;
    await client.createAccount({
      termsOfServiceAgreed,
      ...(contact === undefined ? {} : { contact: [`mailto:${contact}`] }),
    });
    const order = await client.createOrder({
      identifiers: [
        ...request.names.dns.map((value) => ({ type: 'dns', value })),
        ...request.names.ip.map((value) => ({ type: 'ip', value })), // RFC 8738
      ],
    });
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status === 'valid') continue;
      signal.throwIfAborted();
      await this.#prove(client, authorization);
    }
    const finalized = await client.finalizeOrder(order, request.request);
    return { kind: 'issued', chain: await client.getCertificate(finalized) };
  }

  /** The library's requests go through one shared axios instance: there is one ACME server. */
  async #createClient(signal: AbortSignal): Promise<Client> {
    const { trustAnchors, directoryUrl, accountKey, externalAccount } = this.#server;
    const trusted = trustAnchors === undefined ? {} : { ca: trustAnchors };
    // Our own exchange instead of axios's: it has our bounds, and says why a server is not reached.
    axios.defaults.adapter = async (config) => {
      const headers = { ...config.headers };
      const method = (config.method ?? 'get').toUpperCase();
      const options = { ...trusted, method, headers, signal };
      const {
        status,
        headers: answered,
        body,
      } = await exchange(new URL(config.url ?? ''), options, config.data);
      return { status, statusText: '', headers: answered, data: body, config, request: undefined };
    };
    const isInToken = typeof accountKey !== 'string';
    const client = new Client({
      directoryUrl,
      accountKey: isInToken ? noAccountKey : accountKey,
      backoffAttempts: pollsMax,
      backoffMin: this.#timing.pollMinMs,
      backoffMax: this.#timing.pollMaxMs,
      ...(externalAccount === undefined
        ? {}
        : {
            externalAccountBinding: {
              kid: externalAccount.keyId,
              hmacKey: externalAccount.hmacKey,
            },
          }),
    });
    if (isInToken) signBy(client, await openAccount(accountKey));
    return client;
  }

  async #prove(client: Client, authorization: Authorization): Promise<void> {
    const challenge = authorization.challenges.find(({ type }) => type === 'http-01');
    if (challenge === undefined) {
      const { value } = authorization.identifier;
      throw new Error(`the ACME server offers no http-01 challenge for ${value}`);
    }
    this.#challenges.set(challenge.token, await client.getChallengeKeyAuthorization(challenge));
    try {
      await client.completeChallenge(challenge);
      await client.waitForValidStatus(challenge);
    } finally {
      this.#challenges.remove(challenge.token);
    }
  }
}

async function openAccount(key: TokenKey): Promise<RemoteKey> {
  try {
    return await openTokenKey(key);
  } catch (error) {
    throw new Error(`enrolment.account_key: ${reasonOf(error)}`);
  }
}

type Authorization = Awaited<ReturnType<Client['getAuthorizations']>>[number];
