// SPDX-License-Identifier: Apache-2.0
// The routes of the certificates. The private key of a request is made on the device and stays
// there. Collected by ../routes.ts.

import { readFields } from '../body.js';
import { json } from '../json.js';
import { Problem } from '../problem.js';
import { jsonOf, pemType, type Route } from '../route.js';

const upload: Route = {
  method: 'put',
  path: '/certificates/uploaded',
  operationId: 'uploadCertificate',
  summary:
    'Checks a chain and its key completely, stores them, and serves them. Without a key: the answer ' +
    'to the request that waits, whose key is on the device.',
  body: jsonOf('Upload'),
  answer: { status: 200, description: 'It is stored and served.', ...jsonOf('Uploaded') },
  problems: {
    409: 'There is no key: none was sent, and no request waits that this chain answers.',
    422: 'It cannot be served; `findings` has everything that is wrong. Nothing was changed.',
  },
  async handle(c, { service: { certificates } }) {
    const { chain, privateKey } = await readFields(c, { chain: 'string', privateKey: 'string?' });
    const installation = await certificates.install(chain, privateKey);
    if (installation === undefined) {
      const detail =
        'No request waits that this chain is the answer to: send its "privateKey", too.';
      throw new Problem(409, 'No private key', detail);
    }
    const { isInstalled, findings } = installation;
    if (!isInstalled) {
      const reasons = findings.filter(({ kind }) => kind !== 'warning').map(({ text }) => text);
      const detail = `Nothing was changed: ${reasons.join('; ')}.`;
      throw new Problem(422, 'Unusable certificate', detail, { members: { findings } });
    }
    const { served } = certificates.list();
    return json({ findings, isDefault: served[0]?.source === 'uploaded', served });
  },
};

const requests: readonly Route[] = [
  {
    method: 'post',
    path: '/certificates/requests',
    operationId: 'requestCertificate',
    summary:
      'Makes a key, which never leaves the device, and a request (PKCS#10) for an authority to sign. ' +
      'The issued chain is then uploaded without a key.',
    body: jsonOf('Names'),
    answer: { status: 201, description: 'The request.', ...jsonOf('Request') },
    problems: {
      409: 'Another request waits for its certificate.',
      422: 'No certificate can be for these names.',
    },
    async handle(c, { service: { certificates } }) {
      const { names } = await readFields(c, { names: 'strings' });
      const refusal = certificates.refusalOf(names);
      if (refusal !== undefined) throw new Problem(422, 'Unusable names', `${refusal}.`);
      const made = await certificates.request(names);
      if (made !== undefined) return json(made, 201);
      const detail =
        'A request waits for its certificate: upload that, or give the request up with DELETE.';
      throw new Problem(409, 'A request waits', detail);
    },
  },
  {
    method: 'get',
    path: '/certificates/requests',
    operationId: 'getCertificateRequests',
    summary: 'The request that waits for its certificate, if there is one.',
    answer: { status: 200, description: 'One, or none.', ...jsonOf('Requests') },
    handle: (_c, { service: { certificates } }) => {
      const pending = certificates.pending();
      return json({ requests: pending === undefined ? [] : [pending] });
    },
  },
  {
    method: 'delete',
    path: '/certificates/requests',
    operationId: 'giveUpCertificateRequest',
    summary: 'Gives up the request that waits, and destroys its key.',
    answer: { status: 200, description: 'None waits any more.', ...jsonOf('Requests') },
    async handle(_c, { service: { certificates } }) {
      await certificates.giveUp();
      return json({ requests: [] });
    },
  },
];

export const certificates: readonly Route[] = [
  {
    method: 'get',
    path: '/certificates',
    operationId: 'getCertificates',
    summary:
      'What is served, the default first, and the sources that still wait for a certificate.',
    answer: { status: 200, description: 'The certificates.', ...jsonOf('Certificates') },
    handle: (_c, { service }) => json(service.certificates.list()),
  },
  upload,
  {
    method: 'delete',
    path: '/certificates/uploaded',
    operationId: 'removeUploadedCertificate',
    summary: 'Forgets the uploaded certificate and its key; what else there is, is served again.',
    answer: { status: 200, description: 'It is gone.', ...jsonOf('Certificates') },
    problems: { 404: 'No certificate was uploaded.' },
    async handle(_c, { service: { certificates } }) {
      if (await certificates.uninstall()) return json(certificates.list());
      throw new Problem(404, 'Nothing there', 'No certificate was uploaded.');
    },
  },
  ...requests,
  {
    method: 'post',
    path: '/certificates/renewal',
    operationId: 'renewCertificates',
    summary: "Renews the device's own certificate, and asks the enrolment for a new one, now.",
    body: jsonOf('Nothing'),
    answer: {
      status: 202,
      description: 'It has begun; the log tells the end.',
      ...jsonOf('Asked'),
    },
    problems: { 409: 'There is nothing that the device could renew by itself.' },
    async handle(c, { service: { certificates } }) {
      await readFields(c, {});
      const asked = await certificates.renew();
      if (asked.length > 0) return json({ asked }, 202);
      const detail = 'All certificates are installed ones: replace their files.';
      throw new Problem(409, 'Nothing to renew', detail);
    },
  },
  {
    method: 'get',
    path: '/certificates/authority',
    operationId: 'getAuthority',
    summary: "The certificate of the device's own authority, for users to trust once.",
    answer: {
      status: 200,
      description: 'The certificate, PEM.',
      type: pemType,
      schema: { type: 'string', pattern: '^-----BEGIN CERTIFICATE-----' },
    },
    problems: { 404: 'The device has no authority of its own.' },
    handle: (c, { service: { certificates } }) => {
      const pem = certificates.authority();
      if (pem === undefined) {
        const detail = 'The device has no authority: all of its certificates are installed ones.';
        throw new Problem(404, 'Nothing there', detail);
      }
      const disposition = 'attachment; filename="device-authority.pem"';
      return c.body(pem, 200, { 'Content-Type': pemType, 'Content-Disposition': disposition });
    },
  },
];
