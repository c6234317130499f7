// SPDX-License-Identifier: Apache-2.0
// A small ACME server (RFC 8555) over real TLS: accounts, orders, http-01, finalize, certificate.
// It verifies every signature, accepts each nonce once, and fetches the challenge itself from the
// address that stands for all names. Used by acme.test.ts.

import { createHash, createHmac, randomBytes, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import { type Made, make } from './certificates.js';

interface Problem {
  status: number;
  type: string;
  detail: string;
}

interface Order {
  status: 'pending' | 'ready' | 'processing' | 'valid';
  names: string[];
  authorizations: Authorization[];
  pollsLeft: number;
  chain: string;
}

interface Authorization {
  name: string;
  token: string;
  status: 'pending' | 'valid' | 'invalid';
  error: Problem | undefined;
}

interface Account {
  jwk: webcrypto.JsonWebKey;
  contact: string[];
}

interface Jws {
  account: number | undefined;
  jwk: webcrypto.JsonWebKey;
  payload: Record<string, unknown>;
}

export interface AcmeServer {
  directoryUrl: string;
  trustAnchors: string;
  issuing: Made;
  accounts: Account[];
  requests: string[];
  /** Where http-01 is fetched from, whatever the name. */
  challengePort: number;
  /** Refuses this many nonces that are good. */
  badNonces: number;
  /** RFC 8555 7.3.4: the key that an account must be bound with. */
  externalKey: { keyId: string; hmacKey: string } | undefined;
  close(): Promise<void>;
}

const problem = (status: number, type: string, detail: string): Problem => ({
  status,
  type: `urn:ietf:params:acme:error:${type}`,
  detail,
});
const json = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));

/** RFC 7638. */
function thumbprint({ crv, kty, x, y, e, n }: webcrypto.JsonWebKey): string {
  const text = JSON.stringify(kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y });
  return createHash('sha256').update(text).digest('base64url');
}

/** RFC 7518 3.1. */
const algorithms = {
  'P-256': { alg: 'ES256', name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { alg: 'ES384', name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  RSA: { alg: 'RS256', name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
};
const algorithmOf = ({ crv = 'RSA' }: webcrypto.JsonWebKey) =>
  algorithms[crv as keyof typeof algorithms];

async function verifySignature(
  jwk: webcrypto.JsonWebKey,
  body: { protected: string; payload: string; signature: string },
): Promise<boolean> {
  const { alg: _, ...algorithm } = algorithmOf(jwk);
  const key = await webcrypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify']);
  const signature = Buffer.from(body.signature, 'base64url');
  const data = Buffer.from(`${body.protected}.${body.payload}`);
  return webcrypto.subtle.verify(algorithm, key, signature, data);
}

export async function startAcmeServer(): Promise<AcmeServer> {
  const issuing = await make({ isAuthority: true, commonName: 'ACME CA' });
  const anchor = await make({ isAuthority: true, commonName: 'Anchor' });
  const own = await make({ issuer: anchor, dns: ['localhost'] });
  const nonces = new Set<string>();
  const orders: Order[] = [];
  const all: Authorization[] = [];
  let base = '';

  const newNonce = (): string => {
    const nonce = randomBytes(12).toString('base64url');
    nonces.add(nonce);
    return nonce;
  };

  /** RFC 8555 6.2 to 6.5. Throws a Problem. */
  const readJws = async (request: IncomingMessage): Promise<Jws> => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const body = JSON.parse(text);
    const head = json(body.protected);
    if (request.headers['content-type'] !== 'application/jose+json') {
      throw problem(415, 'malformed', 'content type');
    }
    if (server.badNonces > 0 || !nonces.delete(head.nonce)) {
      server.badNonces -= 1;
      throw problem(400, 'badNonce', 'not a nonce of ours');
    }
    if (head.url !== `${base}${request.url}`) throw problem(400, 'malformed', 'url');
    const isNew = request.url === '/new-account';
    const account = isNew ? undefined : Number(/\/account\/(\d+)$/.exec(head.kid ?? '')?.[1]);
    const jwk = isNew ? head.jwk : server.accounts[account ?? -1]?.jwk;
    if (jwk === undefined) throw problem(400, 'accountDoesNotExist', 'kid');
    if (head.alg !== algorithmOf(jwk).alg) throw problem(400, 'malformed', 'alg');
    if (!(await verifySignature(jwk, body))) throw problem(403, 'malformed', 'signature');
    return { account, jwk, payload: body.payload === '' ? {} : json(body.payload) };
  };

  const checkBinding = (jws: Jws): void => {
    const { externalKey } = server;
    if (externalKey === undefined) return;
    const binding = jws.payload.externalAccountBinding as Record<string, string> | undefined;
    if (binding === undefined) throw problem(403, 'externalAccountRequired', 'no binding');
    const key = Buffer.from(externalKey.hmacKey, 'base64url');
    const signed = createHmac('sha256', key).update(`${binding.protected}.${binding.payload}`);
    const isGood = signed.digest('base64url') === binding.signature;
    if (!isGood || json(binding.protected ?? '').kid !== externalKey.keyId) {
      throw problem(403, 'unauthorized', 'binding');
    }
  };

  /** RFC 8555 8.3: fetched by us, compared in full. */
  const prove = async (authorization: Authorization, jwk: webcrypto.JsonWebKey): Promise<void> => {
    const { token } = authorization;
    const url = `http://127.0.0.1:${server.challengePort}/.well-known/acme-challenge/${token}`;
    const response = await fetch(url, { headers: { Connection: 'close' } });
    const isGood =
      response.status === 200 && (await response.text()).trim() === `${token}.${thumbprint(jwk)}`;
    authorization.status = isGood ? 'valid' : 'invalid';
    if (!isGood) authorization.error = problem(403, 'unauthorized', `answer ${response.status}`);
  };

  const finalize = async (order: Order, payload: Record<string, unknown>): Promise<void> => {
    if (order.authorizations.some(({ status }) => status !== 'valid')) {
      throw problem(403, 'orderNotReady', 'not proved');
    }
    const wanted = new x509.Pkcs10CertificateRequest(Buffer.from(String(payload.csr), 'base64url'));
    if (!(await wanted.verify())) throw problem(400, 'badCSR', 'signature');
    const dns = order.names;
    const issued = await make({ dns, issuer: issuing, publicKey: wanted.publicKey });
    order.chain = issued.pem + issuing.pem;
    order.status = 'processing';
  };

  const orderBody = (index: number) => {
    const order = orders[index] as Order;
    if (order.status === 'processing' && order.pollsLeft-- === 0) order.status = 'valid';
    const isProved = order.authorizations.every(({ status }) => status === 'valid');
    if (order.status === 'pending' && isProved) order.status = 'ready';
    return {
      status: order.status,
      identifiers: order.names.map((value) => ({ type: 'dns', value })),
      authorizations: order.authorizations.map(
        (one) => `${base}/authorization/${all.indexOf(one)}`,
      ),
      finalize: `${base}/finalize/${index}`,
      ...(order.status === 'valid' ? { certificate: `${base}/certificate/${index}` } : {}),
    };
  };

  const challengeBody = (index: number) => {
    const { token, status, error } = all[index] as Authorization;
    return { type: 'http-01', url: `${base}/challenge/${index}`, token, status, error };
  };

  const handlers: Record<
    string,
    (jws: Jws, index: number) => Promise<{ status?: number; location?: string; body: unknown }>
  > = {
    'new-account': async (jws) => {
      checkBinding(jws);
      if (jws.payload.termsOfServiceAgreed !== true)
        throw problem(403, 'userActionRequired', 'terms');
      const known = server.accounts.findIndex((one) => thumbprint(one.jwk) === thumbprint(jws.jwk));
      const contact = (jws.payload.contact ?? []) as string[];
      if (known < 0) server.accounts.push({ jwk: jws.jwk, contact });
      const index = known < 0 ? server.accounts.length - 1 : known;
      const location = `${base}/account/${index}`;
      return { status: known < 0 ? 201 : 200, location, body: { status: 'valid' } };
    },
    account: async () => ({ body: { status: 'valid' } }),
    'new-order': async ({ payload }) => {
      const names = (payload.identifiers as { value: string }[]).map(({ value }) => value);
      const authorizations = names.map((name) => ({
        name,
        token: randomBytes(16).toString('base64url'),
        status: 'pending' as const,
        error: undefined,
      }));
      all.push(...authorizations);
      orders.push({ status: 'pending', names, authorizations, pollsLeft: 1, chain: '' });
      const index = orders.length - 1;
      return { status: 201, location: `${base}/order/${index}`, body: orderBody(index) };
    },
    order: async (_, index) => ({ body: orderBody(index) }),
    authorization: async (_, index) => {
      const { name: value, status } = all[index] as Authorization;
      const challenges = [challengeBody(index)];
      return { body: { identifier: { type: 'dns', value }, status, challenges } };
    },
    challenge: async ({ jwk, payload }, index) => {
      const authorization = all[index] as Authorization;
      const isAnswer = Object.keys(payload).length === 0;
      if (isAnswer && authorization.status === 'pending') await prove(authorization, jwk);
      return { body: challengeBody(index) };
    },
    finalize: async ({ payload }, index) => {
      await finalize(orders[index] as Order, payload);
      return { location: `${base}/order/${index}`, body: orderBody(index) };
    },
    certificate: async (_, index) => ({ body: orders[index]?.chain }),
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, operation = '', index = '-1'] = (request.url ?? '').split('/');
    server.requests.push(operation);
    response.setHeader('Replay-Nonce', newNonce());
    response.setHeader('Content-Type', 'application/json');
    if (operation === 'directory') {
      const urls = ['newNonce', 'newAccount', 'newOrder'].map((name) => [
        name,
        `${base}/${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`,
      ]);
      response.end(JSON.stringify(Object.fromEntries(urls)));
      return;
    }
    if (operation === 'new-nonce') {
      response.end();
      return;
    }
    const handler = handlers[operation];
    if (handler === undefined) throw problem(404, 'malformed', 'no such resource');
    const { status = 200, location, body } = await handler(await readJws(request), Number(index));
    if (location !== undefined) response.setHeader('Location', location);
    if (operation === 'certificate') {
      response.setHeader('Content-Type', 'application/pem-certificate-chain');
    }
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  };

  const listener = createServer({ cert: own.pem, key: own.privateKey }, (request, response) => {
    answer(request, response).catch((error: Problem | Error) => {
      const found = error instanceof Error ? problem(500, 'serverInternal', error.message) : error;
      response.setHeader('Content-Type', 'application/problem+json');
      response.writeHead(found.status).end(JSON.stringify(found));
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  base = `https://localhost:${(listener.address() as AddressInfo).port}`;
  const server: AcmeServer = {
    directoryUrl: `${base}/directory`,
    trustAnchors: anchor.pem,
    issuing,
    accounts: [],
    requests: [],
    challengePort: 0,
    badNonces: 0,
    externalKey: undefined,
    close: async () => {
      listener.close();
      listener.closeAllConnections();
      await once(listener, 'close');
    },
  };
  return server;
}
