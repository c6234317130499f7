// SPDX-License-Identifier: Apache-2.0
// Every state that the fake device can show, for what must hold in all of them.

import type { Page } from 'playwright-core';
import type { CertificateEntry, Status, Update } from '../../ui/documents.js';
import type { FakeDevice } from './device.js';
import { certificatesOf, statusOf, systemOf } from './figures.js';
import { drop, says, until } from './page.js';

export interface State {
  name: string;
  isSignedIn?: boolean;
  status?: (second: number) => Status;
  prepare?: (device: FakeDevice) => void;
  /** What somebody does, and what shows that the page is there. */
  reach: (page: Page, device: FakeDevice) => Promise<void>;
}

const mebibyte = 1 << 20;

const bundle = {
  name: 'gateway-product-image-2026.11.0-rc2+customer-build_0123456789abcdef.raucb',
  length: 184_391_680,
  sha256: '3b1f8c0de2a94b7b0a5d7c4f8e1290aab3c65f0d9e7481f26d35c8a7b0e4f912',
  compatible: 'example-gateway',
  version: '2026.11.0-rc2+g0123456789abcdef',
  description: 'Security updates; new trend view',
};

const wait = (page: Page): Promise<void> => says(page, '#verdict', /All is well|to look at|Needs/);

const unbroken = 'averylongnamewithoutanyplacetobreakit'.repeat(3);

function longCertificates(): CertificateEntry[] {
  const [first] = certificatesOf(1_234);
  if (first === undefined) throw new Error('two certificates');
  const sans = Array.from({ length: 12 }, (_, i) => `DNS:${unbroken}${i}.plant.example`);
  const long = {
    ...first,
    subject: `CN=${unbroken}`,
    sans,
    source: `/etc/spliced/${unbroken}.pem`,
  };
  return [long, { ...first, daysLeft: null, lastError: `no answer from https://${unbroken}/est` }];
}

/** Every figure as large, and every reason as long, as it may be. */
function largest(second: number): Status {
  const status = statusOf(second);
  const { offload, connections, pending, drains } = status;
  const byState = Object.fromEntries(Object.keys(connections.byState).map((key) => [key, 8_192]));
  return {
    ...status,
    version: '10.20.30-rc.4+build.0123456789abcdef',
    offload: {
      ...offload,
      suspended: `wrong_bytes: ${unbroken}`,
      driver: { name: `rfc7539(${unbroken})`, async: true },
      fallbacks: { off_by_configuration: 9_999_999, kernel_has_no_tls: 9_999_999 },
      cipherFailures: { encrypt: 123_456, decrypt: 123_456 },
    },
    connections: { ...connections, open: 65_536, accepted: 2 ** 40, shed: 99_999, byState },
    requests: { total: 2 ** 40, byStatus: { 200: 2 ** 39, 206: 2 ** 38, 404: 2 ** 37 } },
    pending: { ...pending, bytes: 2 ** 33, bytesMax: 2 ** 33, windowBytes: 2 ** 33, stuck: 12 },
    drains: { ...drains, drained: 2 ** 40, aborted: 2 ** 30, peerGone: 2 ** 30 },
    canary: { ok: 2 ** 30, failed: 2 ** 20, lastMs: 30_000, lastError: unbroken },
    watchdog: { missing: ['engine_loop', 'canary', 'event_loop', 'no_stuck_ledger'] },
    accelerator: { suspended: true, reason: unbroken },
    configuration: [`/etc/spliced/${unbroken}.toml`, '/etc/spliced/spliced.toml'],
  };
}

export const states: State[] = [
  {
    name: 'well',
    reach: async (page) => {
      await says(page, '#verdict', /All is well/);
      await says(page, '#line-list', /api_token_refused/);
      await says(page, '#gauges', /cpu-thermal/);
      await page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true");
    },
  },
  {
    name: 'not signed in',
    isSignedIn: false,
    reach: async (page) => {
      await wait(page);
      await says(page, '#log-locked', /Sign in/);
    },
  },
  {
    name: 'the dialog of the sign-in, refused',
    isSignedIn: false,
    prepare: (device) => {
      device.isMeasureOpen = false;
    },
    reach: async (page) => {
      await page.fill('#token', 'wrong');
      await page.keyboard.press('Enter');
      await says(page, '#sign-in-error', /The token is wrong/);
    },
  },
  {
    name: 'everything is wrong, and long',
    status: largest,
    prepare: (device) => {
      device.certificates = longCertificates();
      const { storage = [] } = systemOf(0);
      device.system = {
        hostname: unbroken.slice(0, 63),
        model: unbroken,
        firmware: { name: unbroken, version: unbroken, build: unbroken },
        storage: storage.map((one) => ({ ...one, freeBytes: 0 })),
        temperatures: [{ name: unbroken, celsius: 101 }],
      };
      device.set({ state: 'failed', error: `the bundle is for ${unbroken}` });
    },
    reach: async (page, device) => {
      await says(page, '#verdict', /Needs attention/);
      await says(page, '#update-panel', /Try another bundle/);
      await says(page, '#line-list', /api_token_refused/);
      device.tell({ level: 'error', time: new Date().toISOString(), event: unbroken, unbroken });
      await says(page, '#line-list li:last-child', /averylong/);
      await page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true");
    },
  },
  {
    name: 'a certificate that has ended',
    prepare: (device) => {
      device.certificates = certificatesOf(-3);
    },
    reach: (page) => says(page, '#served', /Ended/),
  },
  {
    name: 'a certificate that is refused',
    prepare: (device) => {
      device.findings = [
        { kind: 'mismatch', text: `the key does not match ${unbroken}` },
        { kind: 'warning', text: 'it ends in 12 days' },
      ];
    },
    reach: async (page) => {
      await wait(page);
      const chain = { name: 'chain.pem', mimeType: 'text/plain', buffer: Buffer.from('PEM') };
      await page.setInputFiles('#chain', chain);
      await page.click('#install-button');
      await says(page, '#install-result', /Nothing was changed/);
    },
  },
  {
    name: 'gone',
    reach: async (page, device) => {
      await wait(page);
      await device.stop();
      await says(page, '#offline', /For .* now\. Trying again/);
    },
  },
  {
    name: 'sending, cut off',
    prepare: (device) => {
      device.bytesPerS = 4 * mebibyte;
    },
    reach: async (page, device) => {
      await page.locator('#drop').waitFor();
      await drop(page, bundle.name, 24 * mebibyte);
      await until(page, "document.getElementById('sending')?.value > 1");
      await device.stop();
      await says(page, '#sending-text', /Going on as soon as it is possible/);
    },
  },
];

/** Who has signed in, and the dialog that asks. */
export const peopleStates: State[] = [
  ...(['view', 'administer'] as const).map((role) => ({
    name: `signed in by a long name, ${role}`,
    isSignedIn: false,
    prepare: (device: FakeDevice) => device.people.enter(unbroken.slice(0, 64), role, [unbroken]),
    reach: async (page: Page) => {
      await says(page, '#who', new RegExp(`^${unbroken.slice(0, 64)} · ${role}$`));
      await says(page, '#session-list li:last-child', /averylong/);
      await wait(page);
      if (role === 'administer') await says(page, '#people-list li:last-child', /averylong/);
      else await says(page, '.limit', /needs the role “operate”, and yours is “view”/);
      await page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true");
    },
  })),
  ...(['open', 'over', 'claimed'] as const).map((claim) => ({
    name: `the sign-in, where the claim is ${claim}`,
    isSignedIn: false,
    prepare: (device: FakeDevice) => {
      device.people.claim = claim;
      device.people.secondsLeft = 600;
      if (claim === 'claimed') device.people.people = [{ name: 'ada', role: 'view', isOwn: false }];
    },
    reach: async (page: Page) => {
      await wait(page);
      await page.click('#session');
      await page.locator('#sign-in').waitFor();
    },
  })),
];

/** States of the update, each with what its card then says. */
export const updates: [Partial<Update>, RegExp][] = [
  [{ state: 'failed', bundle, error: 'no signature' }, /Try another/],
  [{ state: 'received', error: null }, /on the device, whole/],
  [
    { state: 'receiving', bundle: null, upload: { name: bundle.name, length: 9e9, offset: 5e8 } },
    /are here/,
  ],
  [
    {
      state: 'installing',
      bundle,
      upload: null,
      progress: { percent: 45, message: `Copying to ${unbroken}` },
    },
    /Installing/,
  ],
  [{ state: 'installed', progress: null, restartNeeded: true }, /after a restart/],
  [{ state: 'restarting' }, /is being restarted/],
  [
    { state: 'installing', begunBy: 'other', progress: { percent: 45, message: unbroken } },
    /Another program installs.* waits for its end/,
  ],
  [{ state: 'failed', progress: null, error: 'no signature' }, /of another program has failed/],
  [{ state: 'installed', error: null }, /By another program/],
  [{ state: 'idle', begunBy: null, bundle: null, adapter: 'none', slots: [] }, /takes no updates/],
];
