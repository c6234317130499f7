// SPDX-License-Identifier: Apache-2.0
// The certificates that would be served: days left, key and its permissions. The key is read to see
// whether it matches, and nothing of it is ever told.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { dirname } from 'node:path';
import { isKeyReference } from '../../tls/token-key.js';
import type { Board, CertificateFiles, Finding } from '../board.js';

const dayMs = 24 * 3_600_000;
const warnDays = 30;
const urgentDays = 7;
const rsaBitsMin = 2048;

const isOwn = ({ source }: CertificateFiles): boolean => source === 'device';

function unreadable(board: Board, files: CertificateFiles): Finding {
  const id = 'certificate.present';
  const { certificate } = files;
  const code = board.refusal(certificate);
  if (code === 'EACCES' || code === 'EPERM') {
    const title = 'The certificate cannot be read by this user';
    const advice = 'Run this as root, or as the user of the service.';
    return { id, level: 'info', title, detail: `${certificate}: ${code}.`, advice };
  }
  if (isOwn(files)) {
    const title = 'There is no certificate yet; the first start makes one';
    return { id, level: 'info', title, detail: `${certificate}: ${code || 'empty'}.` };
  }
  const title = 'The configured certificate cannot be read';
  const advice = 'Put the file there, or correct the setting.';
  return { id, level: 'problem', title, detail: `${certificate}: ${code || 'empty'}.`, advice };
}

function validity(board: Board, certificate: X509Certificate): Finding {
  const id = 'certificate.validity';
  const notAfterMs = Date.parse(certificate.validTo);
  const until = new Date(notAfterMs).toISOString().slice(0, 10);
  if (board.nowMs < board.buildDateMs) {
    const title = `The certificate ends on ${until}; the clock cannot say when that is`;
    return { id, level: 'info', title, detail: '' };
  }
  const days = Math.floor((notAfterMs - board.nowMs) / dayMs);
  const advice =
    'The service renews its own certificate while it runs; one that was installed must be replaced.';
  if (days < 0) {
    const title = `The certificate has expired: it ended on ${until}`;
    return { id, level: 'problem', title, detail: 'Clients refuse it.', advice };
  }
  if (Date.parse(certificate.validFrom) > board.nowMs + dayMs) {
    const title = `The certificate is not valid before ${certificate.validFrom}`;
    const detail = 'Clients refuse it until then. Either it or the clock is wrong.';
    return { id, level: 'problem', title, detail };
  }
  const left = days === 1 ? '1 day' : `${days} days`;
  const title = `The certificate is valid for ${left} (until ${until})`;
  if (days > warnDays) return { id, level: 'ok', title, detail: '' };
  const detail = days <= urgentDays ? 'That is soon.' : '';
  return { id, level: 'warning', title, detail, advice };
}

function strength(certificate: X509Certificate): Finding[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  const bits = details?.modulusLength ?? 0;
  if (type !== 'rsa' || bits >= rsaBitsMin) return [];
  const title = `The certificate's key is weak: RSA with ${bits} bits`;
  const advice = 'Use ECDSA P-256, or RSA with 2048 bits or more.';
  return [{ id: 'certificate.strength', level: 'problem', title, detail: '', advice }];
}

function permissions(board: Board, files: CertificateFiles): Finding[] {
  const id = 'certificate.key-mode';
  const { privateKey } = files;
  const status = board.stat(privateKey);
  if (status === undefined) return [];
  const mode = status.mode.toString(8).padStart(4, '0');
  if ((status.mode & 0o077) !== 0) {
    const title = `The private key can be read by others: mode ${mode}`;
    const advice = `chmod 0600 ${privateKey}; if others have had access, make a new key.`;
    return [{ id, level: 'problem', title, detail: '', advice }];
  }
  const owner = board.stat(dirname(privateKey))?.uid;
  if (owner !== undefined && owner !== status.uid) {
    const title = `The private key belongs to user ${status.uid}, its directory to user ${owner}`;
    const detail = 'The service may not be able to read it.';
    const advice = `chown ${owner} ${privateKey}`;
    return [{ id, level: 'warning', title, detail, advice }];
  }
  return [
    { id, level: 'ok', title: `The private key is for its owner alone (${mode})`, detail: '' },
  ];
}

function match(board: Board, files: CertificateFiles, certificate: X509Certificate): Finding[] {
  const id = 'certificate.key';
  const pem = board.read(files.privateKey);
  const isRefused = ['EACCES', 'EPERM'].includes(board.refusal(files.privateKey));
  if (pem === undefined && isRefused) return [];
  try {
    if (certificate.checkPrivateKey(createPrivateKey(pem ?? ''))) return [];
  } catch {
    // No key, half a key or an encrypted one: the same as one that does not match.
  }
  const title = 'The private key is missing, damaged, or not the one of the certificate';
  const advice = isOwn(files)
    ? 'The next start makes a new pair.'
    : 'Install the key that the certificate was made for.';
  const level = isOwn(files) ? 'warning' : 'problem';
  return [{ id, level, title, detail: `${files.privateKey}.`, advice }];
}

/** Of a key in a token, which this process has asked. */
function probeToken(board: Board, { privateKey }: CertificateFiles): Finding[] {
  const id = 'certificate.key';
  const refusal = board.tokens?.[privateKey];
  if (refusal === undefined || refusal === '') return [];
  const title = 'The token does not give the private key';
  return [{ id, level: 'problem', title, detail: `${refusal}.`, advice: 'docs/KEYS.md has more.' }];
}

function probePair(board: Board, files: CertificateFiles): Finding[] {
  const pem = board.read(files.certificate);
  if (pem === undefined || pem === '') return [unreadable(board, files)];
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    const title = 'The certificate file holds no certificate';
    const detail = `${files.certificate} is not in PEM form, or damaged.`;
    const level = isOwn(files) ? 'warning' : 'problem';
    return [{ id: 'certificate.present', level, title, detail }];
  }
  if (isKeyReference(files.privateKey)) {
    return [validity(board, certificate), ...strength(certificate), ...probeToken(board, files)];
  }
  return [
    validity(board, certificate),
    ...strength(certificate),
    ...match(board, files, certificate),
    ...permissions(board, files),
  ];
}

export function probeCertificate(board: Board): Finding[] {
  const { settings } = board;
  if ('error' in settings) return [];
  const { served } = settings;
  return served.flatMap((files) => {
    const findings = probePair(board, files);
    if (served.length === 1) return findings;
    const name = files.source === 'installed' ? files.certificate : files.source;
    return findings.map((finding) => ({ ...finding, title: `${finding.title} [${name}]` }));
  });
}
