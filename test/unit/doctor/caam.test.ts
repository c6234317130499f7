// SPDX-License-Identifier: Apache-2.0
// CAAM on boards as their device trees and /sys show them: works, no driver, failed to probe, no
// ring, counter mode alone, absent.

import t from 'tap';
import { probeCaam } from '../../../src/doctor/probes/caam.js';
import { boardOf, cryptoEntry, only } from './board.js';

const tree = '/proc/device-tree';
const engine8mp = `${tree}/soc@0/bus@30800000/crypto@30900000`;
const drivers = '/sys/bus/platform/drivers';

const era = (value: number) => new Uint8Array([0, 0, 0, value]);

// i.MX 8M Plus: three rings in the tree, the first kept by the secure firmware.
const imx8mp = {
  [`${tree}/compatible`]: 'fsl,imx8mp-evk\0fsl,imx8mp\0',
  [`${tree}/soc@0/compatible`]: 'simple-bus\0',
  [`${tree}/soc@0/bus@30800000/compatible`]: 'fsl,aips-bus\0simple-bus\0',
  [`${tree}/soc@0/bus@30800000/i2c@30a20000/compatible`]: 'fsl,imx8mp-i2c\0',
  [`${engine8mp}/compatible`]: 'fsl,sec-v4.0\0',
  [`${engine8mp}/jr@1000/compatible`]: 'fsl,sec-v4.0-job-ring\0',
  [`${engine8mp}/jr@1000/status`]: 'disabled\0',
  [`${engine8mp}/jr@2000/compatible`]: 'fsl,sec-v4.0-job-ring\0',
  [`${engine8mp}/jr@3000/compatible`]: 'fsl,sec-v4.0-job-ring\0',
};
const bytes = { [`${engine8mp}/fsl,sec-era`]: era(9) };
const bare = { [`${drivers}/caam/bind`]: '', [`${drivers}/caam/uevent`]: '' };
const bound = { ...bare, [`${drivers}/caam/30900000.crypto/uevent`]: '' };
const rings = {
  [`${drivers}/caam_jr/bind`]: '',
  [`${drivers}/caam_jr/30902000.jr/uevent`]: '',
  [`${drivers}/caam_jr/30903000.jr/uevent`]: '',
};
const gcm = cryptoEntry('gcm(aes)', 'gcm-aes-caam', { priority: 3000, async: 'yes' });
const ctr = cryptoEntry('ctr(aes)', 'ctr-aes-caam', { priority: 3000, async: 'yes' });

t.test('it works', async (t) => {
  const files = { ...imx8mp, ...bound, ...rings, '/proc/crypto': ctr + gcm };
  t.match(probeCaam(boardOf({ files, bytes })), [
    { level: 'ok', title: 'CAAM works, era 9, 2 job rings', detail: /^1 more/ },
    { level: 'ok', title: 'CAAM does AES-GCM: gcm-aes-caam' },
  ]);
});

t.test('counter mode alone, as on i.MX6', async (t) => {
  const engine = `${tree}/soc/bus@2100000/crypto@2100000`;
  const template = cryptoEntry('gcm(aes)', 'gcm_base(ctr-aes-caam,ghash-generic)', {
    priority: 3000,
    async: 'yes',
  });
  const files = {
    [`${tree}/compatible`]: 'boundary,imx6q-sabrelite\0fsl,imx6q\0',
    [`${engine}/compatible`]: 'fsl,sec-v4.0\0',
    [`${engine}/jr@1000/compatible`]: 'fsl,sec-v4.0-job-ring\0',
    [`${drivers}/caam/2100000.crypto/uevent`]: '',
    [`${drivers}/caam_jr/2101000.jr/uevent`]: '',
    '/proc/crypto': template + ctr,
  };
  t.match(probeCaam(boardOf({ files })), [
    { level: 'ok', title: 'CAAM works, 1 job ring' },
    { level: 'info', title: /counter mode of AES-GCM alone: ctr-aes-caam/ },
  ]);
});

t.test('what goes wrong', async (t) => {
  const finding = (more: Record<string, string>) =>
    only(probeCaam(boardOf({ files: { ...imx8mp, ...more }, bytes })));
  t.match(finding({}), {
    level: 'warning',
    title: 'CAAM is present, era 9, and the kernel has no driver for it',
    advice: /CONFIG_CRYPTO_DEV_FSL_CAAM/,
  });
  t.match(finding(bare), { level: 'warning', title: /failed to start/, advice: /dmesg/ });
  t.match(finding(bound), {
    level: 'warning',
    title: /no job ring works/,
    detail: /gives us 2\. 1 more belong/,
    advice: /caam_jr/,
  });
  const loaded = { ...bound, [`${drivers}/caam_jr/bind`]: '' };
  t.match(finding(loaded), {
    level: 'warning',
    title: /no job ring works/,
    detail: /caam_jr could start none of them/,
    advice: /dmesg/,
  });
  const allKept = {
    [`${engine8mp}/jr@2000/status`]: 'disabled\0',
    [`${engine8mp}/jr@3000/status`]: 'disabled\0',
  };
  t.match(finding({ ...loaded, ...allKept }), {
    detail: /gives us 0\. 3 more belong/,
    advice: /Enable a ring/,
  });
  const working = { ...imx8mp, ...bound, ...rings };
  const [, noCiphers] = probeCaam(boardOf({ files: working, bytes }));
  t.match(noCiphers, { level: 'warning', title: /offers the kernel no AES/ });
  const failing = cryptoEntry('gcm(aes)', 'gcm-aes-caam', { selftest: 'unknown' });
  const [, untested] = probeCaam(
    boardOf({ files: { ...working, '/proc/crypto': failing }, bytes }),
  );
  t.match(untested, { level: 'problem', detail: 'gcm-aes-caam.', advice: /--tls-offload off/ });
  const other = cryptoEntry('xts(aes)', 'xts-aes-caam', { selftest: 'unknown' });
  const [, unconcerned] = probeCaam(
    boardOf({ files: { ...working, '/proc/crypto': other + gcm }, bytes }),
  );
  t.match(unconcerned, { level: 'ok', title: /AES-GCM: gcm-aes-caam/ });
});

t.test('absent', async (t) => {
  t.match(only(probeCaam(boardOf())), { level: 'info', title: /no CAAM/, detail: '' });
  for (const soc of ['imx6ull', 'imx6sl', 'imx6sll']) {
    // The board's own name comes first and is not the SoC's.
    const files = { [`${tree}/compatible`]: `maker,board-${soc}\0fsl,${soc}\0` };
    t.match(only(probeCaam(boardOf({ files }))), { level: 'info', detail: /DCP/ }, soc);
  }
  const disabled = { ...imx8mp, [`${engine8mp}/status`]: 'disabled\0' };
  t.match(only(probeCaam(boardOf({ files: disabled }))), { level: 'info', title: /no CAAM/ });
});
