// SPDX-License-Identifier: Apache-2.0
// A small EST server (RFC 7030) over real TLS: cacerts, simpleenroll with a password or a client
// certificate, simplereenroll with a certificate that it issued, and answers that say "later".
// Used by est.test.ts.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  CertificateChoices,
  CertificateSet,
  ContentInfo,
  EncapsulatedContentInfo,
  id_data,
  id_signedData,
  SignedData,
} from '@peculiar/asn1-cms';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import { type Made, make, type Wanted } from './certificates.js';

export interface EstServer {
  url: string;
  trustAnchors: string;
  root: Made;
  issuing: Made;
  /** One line a request, such as "simpleenroll operator". */
  requests: string[];
  /** What was asked for, in base64 without line breaks. */
  bodies: string[];
  /** Answers that come before the certificate. */
  later: { count: number; retryAfter: string };
  /** Answers instead of what was asked for, while it is set. */
  instead: { status: number; contentType: string; body: string } | undefined;
  /** After cacerts, somebody else answers, with a certificate of his own. */
  impostor: boolean;
  /** Answers itself again. */
  recover(): void;
  /** Changes what is issued. */
  wanted: Partial<Wanted>;
  close(): Promise<void>;
}

const password = 'correct horse';
const sanOid = '2.5.29.17';

function certsOnly(certificates: x509.X509Certificate[]): string {
  const choices = certificates.map(
    ({ rawData }) =>
      new CertificateChoices({ certificate: AsnConvert.parse(rawData, Certificate) }),
  );
  const signed = new SignedData({
    version: 1,
    encapContentInfo: new EncapsulatedContentInfo({ eContentType: id_data }),
    certificates: new CertificateSet(choices),
  });
  const content = AsnConvert.serialize(signed);
  const info = new ContentInfo({ contentType: id_signedData, content });
  const text = Buffer.from(AsnConvert.serialize(info)).toString('base64');
  return text.replaceAll(/(.{64})/g, '$1\r\n');
}

function alternativeNames(extensions: x509.Extension[]): string[] {
  const found = extensions.find(({ type }) => type === sanOid);
  if (found === undefined) return [];
  return new x509.SubjectAlternativeNameExtension(found.rawData).names.items.map(
    ({ value }) => value,
  );
}

function extendedKeyUsages(extensions: x509.Extension[]): string[] {
  const found = extensions.find(({ type }) => type === '2.5.29.37');
  return found === undefined
    ? []
    : new x509.ExtendedKeyUsageExtension(found.rawData).usages.map(String);
}

/** Who asks, or undefined when nobody that we know. RFC 7030 3.2.3, 3.3.2. */
function whoAsks(operation: string, request: IncomingMessage): string | undefined {
  const socket = request.socket as TLSSocket;
  if (socket.authorized) return `certificate ${socket.getPeerCertificate().subject.CN}`;
  const basic = `Basic ${Buffer.from(`operator:${password}`).toString('base64')}`;
  const isOperator = request.headers.authorization === basic;
  return operation === 'simpleenroll' && isOperator ? 'operator' : undefined;
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body.replaceAll(/\s/g, '');
}

export async function startEstServer(): Promise<EstServer> {
  const root = await make({ isAuthority: true, commonName: 'EST root' });
  const issuing = await make({ isAuthority: true, commonName: 'EST issuing', issuer: root });
  const ownRoot = await make({ isAuthority: true, commonName: 'Anchor' });
  const own = await make({ issuer: ownRoot, dns: ['localhost', '127.0.0.1'] });
  const stranger = await make({ dns: ['localhost'] });
  /** New connections see this certificate. */
  const show = ({ pem: cert, privateKey: key }: Made): void => {
    listener.setSecureContext({ ca: [root.pem, issuing.pem], cert, key });
  };
  const answer = (response: ServerResponse, status: number, text = ''): void => {
    response.writeHead(status, { 'Content-Type': 'text/plain' }).end(text);
  };
  const enrol = async (operation: string, request: IncomingMessage, response: ServerResponse) => {
    const who = whoAsks(operation, request);
    server.requests.push(`${operation} ${who}`);
    if (who === undefined) return answer(response, 401, 'who are you?');
    const body = await readBody(request);
    server.bodies.push(body);
    const wanted = new x509.Pkcs10CertificateRequest(body);
    if (!(await wanted.verify())) return answer(response, 400, 'bad signature');
    const dns = alternativeNames(wanted.extensions);
    if (operation === 'simplereenroll') {
      const der = (request.socket as TLSSocket).getPeerCertificate().raw;
      const current = new x509.X509Certificate(der);
      const isSame = String(alternativeNames(current.extensions)) === String(dns);
      if (!isSame || current.subject !== wanted.subject)
        return answer(response, 400, 'other names');
    }
    if (server.later.count > 0) {
      server.later.count -= 1;
      response.writeHead(202, { 'Retry-After': server.later.retryAfter }).end();
      return;
    }
    const commonName = wanted.subjectName.getField('CN')[0] ?? '';
    const uses = extendedKeyUsages(wanted.extensions);
    const subject = { commonName, dns, uses, issuer: issuing, publicKey: wanted.publicKey };
    const issued = await make({ ...subject, ...server.wanted });
    response.writeHead(200, { 'Content-Type': 'application/pkcs7-mime; smime-type=certs-only' });
    response.end(certsOnly([issued.certificate]));
  };
  const listener = createServer(
    {
      cert: own.pem,
      key: own.privateKey,
      ca: [root.pem, issuing.pem],
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const operation = /^\/\.well-known\/est\/devices\/(\w+)$/.exec(request.url ?? '')?.[1] ?? '';
      if (server.instead !== undefined) {
        const { status, contentType, body } = server.instead;
        response.writeHead(status, { 'Content-Type': contentType }).end(body);
      } else if (operation === 'cacerts' && request.method === 'GET') {
        server.requests.push('cacerts');
        response.writeHead(200, { 'Content-Type': 'application/pkcs7-mime' });
        response.end(certsOnly([root.certificate, issuing.certificate]));
        if (server.impostor) show(stranger);
      } else if (/^simple(re)?enroll$/.test(operation) && request.method === 'POST') {
        enrol(operation, request, response).catch((error) => answer(response, 500, String(error)));
      } else answer(response, 404);
    },
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const server: EstServer = {
    url: `https://localhost:${port}/devices`,
    trustAnchors: ownRoot.pem,
    root,
    issuing,
    requests: [],
    bodies: [],
    later: { count: 0, retryAfter: '' },
    instead: undefined,
    impostor: false,
    recover: () => show(own),
    wanted: {},
    close: async () => {
      listener.close();
      listener.closeAllConnections();
      await once(listener, 'close');
    },
  };
  return server;
}

export const operator = { username: 'operator', password };
