// SPDX-License-Identifier: Apache-2.0
// Which driver encrypts, read from /proc/crypto as kernels print it.

import t from 'tap';
import {
  hasAesInstructions,
  probeCtr,
  probeGcm,
  probeProcessor,
} from '../../../src/doctor/probes/cipher.js';
import { parseProcCrypto, preferredDriver } from '../../../src/doctor/proc-crypto.js';
import { boardOf, cryptoEntry, healthyNative, only } from './board.js';

const caam = cryptoEntry('gcm(aes)', 'gcm-aes-caam', { priority: 3000, async: 'yes' });
const armCe = cryptoEntry('gcm(aes)', 'gcm-aes-ce', { priority: 300 });
const generic = cryptoEntry('gcm(aes)', 'gcm_base(ctr(aes-generic),ghash-generic)');

// A Cortex-A53 under an arm64 kernel, as a 32-bit process sees it.
const armCpu = `processor\t: 0
model name\t: ARMv8 Processor rev 4 (v8l)
BogoMIPS\t: 16.00
Features\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae aes pmull sha1 sha2 crc32
CPU implementer\t: 0x41
`;
const a9Cpu =
  'processor\t: 0\nmodel name\t: ARMv7\nFeatures\t: half thumb fastmult vfp edsp neon vfpv3 tls vfpd32\n';
const x86Cpu = 'processor\t: 0\nflags\t\t: fpu vme de pse sse4_2 x2apic aes xsave avx\n';

const withCrypto = (crypto: string, cpu = armCpu) =>
  boardOf({ files: { '/proc/crypto': crypto, '/proc/cpuinfo': cpu } });

t.test('/proc/crypto', async (t) => {
  const text =
    generic +
    armCe +
    cryptoEntry('gcm(aes)', 'not-yet', { priority: 9000, selftest: 'unknown' }) +
    cryptoEntry('gcm(aes)', '__internal', { priority: 9000, internal: 'yes' }) +
    cryptoEntry('gcm(aes)', 'larva', { priority: 9000, type: 'larval' }) +
    cryptoEntry('gcm(aes)', 'equal', { priority: 300 }) +
    cryptoEntry('rfc4106(gcm(aes))', 'rfc4106-gcm-aes-caam', { priority: 3000 });
  const drivers = parseProcCrypto(text);
  t.notOk(drivers.some(({ name }) => name === '__internal' || name === 'larva'));
  t.match(preferredDriver(drivers, 'gcm(aes)'), { name: 'gcm-aes-ce', priority: 300 });
  t.equal(preferredDriver(drivers, 'ccm(aes)'), undefined);
  t.same(parseProcCrypto(''), []);
});

t.test('AES-GCM', async (t) => {
  t.match(only(probeGcm(withCrypto(caam + armCe + generic))), {
    level: 'info',
    title: 'AES-GCM is asynchronous: gcm-aes-caam',
    advice: /--reproduce/,
  });
  t.match(only(probeGcm(withCrypto(armCe + generic))), { level: 'ok', title: /gcm-aes-ce/ });
  t.match(only(probeGcm(withCrypto(generic))), { level: 'warning', advice: /ghash-ce/ });
  t.equal(only(probeGcm(withCrypto(generic, a9Cpu))).level, 'ok', 'nothing better is possible');
  t.match(only(probeGcm(withCrypto(''))), { level: 'warning', advice: /CONFIG_CRYPTO_GCM/ });
  const kernelTls = { ...healthyNative.kernelTls, attachable: false };
  const native = { ...healthyNative, kernelTls };
  t.equal(only(probeGcm(boardOf({ native }))).level, 'info', 'nobody asked for it yet');
});

t.test('AES-CTR', async (t) => {
  const ctr = cryptoEntry('ctr(aes)', 'ctr-aes-caam', { priority: 3000, async: 'yes' });
  t.match(only(probeCtr(withCrypto(ctr))), {
    title: 'AES-CTR: ctr-aes-caam (priority 3000, asynchronous)',
  });
  t.same(probeCtr(withCrypto('')), []);
});

t.test('the processor', async (t) => {
  t.ok(hasAesInstructions(withCrypto('', armCpu)));
  t.ok(hasAesInstructions(withCrypto('', x86Cpu)));
  t.notOk(hasAesInstructions(withCrypto('', a9Cpu)));
  t.equal(only(probeProcessor(withCrypto('', x86Cpu))).level, 'ok');
  t.match(only(probeProcessor(withCrypto('', a9Cpu))), { level: 'info', detail: /ChaCha20/ });
});
