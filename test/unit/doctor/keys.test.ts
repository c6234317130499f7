// SPDX-License-Identifier: Apache-2.0
// What protects the private keys of this device, in words.

import t from 'tap';
import { issueCertificate } from '../../../src/certificates/issue.js';
import { probeCertificate } from '../../../src/doctor/probes/certificate.js';
import { probeKeys } from '../../../src/doctor/probes/keys.js';
import { boardOf, nowMs, only, settings } from './board.js';

const [own] = settings.served;
const key = own?.privateKey ?? '';
const statuses = { [key]: { mode: 0o600, uid: 990 } };
const mounts = [
  '29 1 179:2 / / ro,relatime shared:1 - ext4 /dev/root ro',
  '44 29 254:0 / /state rw,relatime shared:2 - ext4 /dev/mapper/data rw',
].join('\n');
const reference = 'pkcs11:token=device;object=tls?pin-source=file:/etc/pin';
const served = [{ source: 'installed', certificate: '/tls.pem', privateKey: reference }];
const inToken = { ...settings, served };

t.test('a file: who could copy it', async (t) => {
  const plain = only(probeKeys(boardOf({ statuses, files: { '/proc/self/mountinfo': mounts } })));
  t.match(plain, { level: 'info', title: /is a file: .*private-key\.pem/, advice: /in a token/ });
  t.match(plain.detail, /mode \(0600\).* Whoever reads the flash, or is root, can copy it/);
  const files = {
    '/proc/self/mountinfo': mounts,
    '/sys/dev/block/254:0/dm/uuid': 'CRYPT-LUKS2-0123-data\n',
  };
  const encrypted = only(probeKeys(boardOf({ statuses, files })));
  t.match(encrypted.detail, /dm-crypt .*without that one's key\. .* rights of root can copy it/);
  for (const [source, words] of [
    ['tpm', /only the TPM of this device opens/],
    ['caam', /only the CAAM of this device opens/],
    ['tee', /only the TEE of this device opens/],
    ['other', /without that one's key/],
  ] as const) {
    const uuid = `CRYPT-TRUSTED-${source}-spliced-data\n`;
    const trusted = { ...files, '/sys/dev/block/254:0/dm/uuid': uuid };
    t.match(only(probeKeys(boardOf({ statuses, files: trusted }))).detail, words, source);
  }
  t.equal(encrypted.advice, undefined);
  const elsewhere = { ...files, '/proc/self/mountinfo': mounts.replace('/state', '/state2') };
  t.notMatch(only(probeKeys(boardOf({ statuses, files: elsewhere }))).detail, /dm-crypt/);
  t.same(probeKeys(boardOf()), [], 'none is there');
});

t.test('a credential of the service manager is in memory', async (t) => {
  const privateKey = '/run/credentials/spliced.service/key.pem';
  const served = [{ source: 'installed', certificate: '/tls.pem', privateKey }];
  const statuses = { [privateKey]: { mode: 0o400, uid: 990 } };
  const finding = only(probeKeys(boardOf({ settings: { ...settings, served }, statuses })));
  t.match(finding.detail, /mode \(0400\).* It is in memory.* LoadCredentialEncrypted=/);
});

t.test("the authority's key, and an account's", async (t) => {
  const file = '/state/certificates/authority/current/key.pem';
  const [authority, account] = [
    { use: 'authority', setting: 'tls.authority_key', privateKey: file },
    { use: 'account', setting: 'enrolment.account_key', privateKey: reference },
  ] as const;
  const all = { ...settings, served: [], otherKeys: [authority, account] };
  const files = { [file]: { mode: 0o600, uid: 990 } };
  t.match(probeKeys(boardOf({ settings: all, statuses: files, tokens: { [reference]: '' } })), [
    {
      title: `The key of the device's authority is a file: ${file}`,
      advice: /in a token \(tls\.authority_key, /,
    },
    { title: 'The key of the ACME account is in a token: pkcs11:token=device;object=tls' },
  ]);
  const tokens = { [reference]: 'the module /x.so has no key for pkcs11:object=tls' };
  const [, refused, ...rest] = probeKeys(boardOf({ settings: all, tokens }));
  t.match(refused, {
    level: 'warning',
    title: 'The key of the ACME account cannot be used: pkcs11:token=device;object=tls',
    detail: /x\.so has no key/,
  });
  t.same(rest, [], 'and a file that is not there yet is not told of');
});

t.test('a token: by reference, and no word of its PIN', async (t) => {
  const finding = only(probeKeys(boardOf({ settings: inToken })));
  t.match(finding, { title: 'A private key is in a token: pkcs11:token=device;object=tls' });
  t.match(finding.detail, /never in the memory of the service/);
  t.notMatch(JSON.stringify(finding), /pin/);
  const served = inToken.served.map((files) => ({ ...files, privateKey: 'handle:0x81000001' }));
  t.match(probeKeys(boardOf({ settings: { ...inToken, served } })), [
    { level: 'info', title: 'A private key is in the TPM: handle:0x81000001' },
  ]);
  const failingKeys = [{ key: 'pkcs11:object=tls', reason: 'its token does not answer' }];
  t.match(probeKeys(boardOf({ settings: inToken, failingKeys }))[1], {
    level: 'problem',
    title: /cannot sign with pkcs11:object=tls/,
    detail: 'its token does not answer.',
  });
});

t.test('a certificate whose key is in a token: what the token said', async (t) => {
  const names = { commonName: 'gate', dns: ['gate'], ip: [] };
  const { certificate } = await issueCertificate(names, nowMs);
  const files = { '/tls.pem': certificate };
  const ask = (answer: string) =>
    probeCertificate(boardOf({ settings: inToken, files, tokens: { [reference]: answer } }));
  t.same(
    ask('').map(({ id, level }) => [id, level]),
    [['certificate.validity', 'ok']],
    'nothing is missing because it is no file',
  );
  t.match(ask('the module /x.so has no key for pkcs11:object=tls')[1], {
    level: 'problem',
    title: /token does not give/,
    detail: /x\.so has no key/,
  });
});
