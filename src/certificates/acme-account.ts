// SPDX-License-Identifier: Apache-2.0
// The account of an ACME server whose key is in a token: acme-client wants the key itself, and signs at
// once. Here it gets the public half, and what it has signed nothing of is signed on its way out
// (RFC 8555 6.2, RFC 7515). Used by acme.ts.

import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type Client from 'acme-client/src/client.js';
import { plainSignature, type RemoteKey } from './remote-key.js';

/** What acme-client sends, RFC 7515 7.2.2. */
export interface SignedBody {
  protected: string;
  payload: string;
  signature?: string;
}

interface RequestOptions {
  data?: SignedBody;
}

/** The part of acme-client's own HTTP that is changed here (its src/http.js). */
export interface AcmeHttp {
  jwk: JsonWebKey | null;
  createSignedBody(url: string, payload?: unknown, options?: object): SignedBody;
  prepareSignedBody(alg: string, url: string, payload?: unknown, options?: object): SignedBody;
  request(url: string, method: string, options?: RequestOptions): Promise<unknown>;
}

interface Algorithm {
  /** RFC 7518 3.1. */
  jws: string;
  digest: string;
  /** Of each of the two numbers of ECDSA; undefined: RSA. */
  numberBytes?: number;
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  'P-256': { jws: 'ES256', digest: 'SHA256', numberBytes: 32 },
  'P-384': { jws: 'ES384', digest: 'SHA384', numberBytes: 48 },
  RSA: { jws: 'RS256', digest: 'SHA256' },
};

/** In place of a key that acme-client would read. */
export const noAccountKey = 'the key is in a token';

/** From here on the client's requests are signed by `key`. Throws for a key of a kind that JWS has no name for. */
export function signBy(client: Client, key: RemoteKey): void {
  const spki = createPublicKey({ key: Buffer.from(key.publicKey), type: 'spki', format: 'der' });
  const jwk = spki.export({ format: 'jwk' });
  const kind = jwk.crv ?? jwk.kty ?? '';
  const algorithm = algorithms[kind];
  if (algorithm === undefined) throw new Error(`an ACME account has no key of the kind ${kind}`);
  const { http } = client as unknown as { http: AcmeHttp };
  // The members in order, as a thumbprint wants them (RFC 7638 3.2).
  http.jwk = Object.fromEntries(
    Object.entries(jwk).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
  http.createSignedBody = (url, payload, options) =>
    http.prepareSignedBody(algorithm.jws, url, payload, options);
  const request = http.request.bind(http);
  http.request = async (url, method, options = {}) => {
    if (options.data !== undefined) options.data = await sign(options.data);
    return await request(url, method, options);
  };
  const sign = async (body: SignedBody): Promise<SignedBody> => {
    const text = Buffer.from(`${body.protected}.${body.payload}`);
    const signature = await key.sign(algorithm.digest, text);
    const { numberBytes } = algorithm;
    const plain = numberBytes === undefined ? signature : plainSignature(signature, numberBytes);
    return { ...body, signature: Buffer.from(plain).toString('base64url') };
  };
}
