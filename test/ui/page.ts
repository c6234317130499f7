// SPDX-License-Identifier: Apache-2.0
// A tab of Chromium with the page of a fake device, for the tests of it. What the console complains of
// and what the policy forbids is collected, and must be nothing at the end.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import type { Test } from 'tap';
import { launch, Tab } from '../cli/chromium.js';
import { type DeviceOptions, FakeDevice } from './device.js';

export const token = 'the-token-of-this-device';

export interface Scene {
  device: FakeDevice;
  page: Page;
  tab: Tab;
  directory: string;
}

export interface SceneOptions extends Partial<DeviceOptions> {
  isSignedIn?: boolean;
  /** Of the device before the page is loaded. */
  prepare?: (device: FakeDevice) => void;
}

/**
 * What the console may say: the browser itself tells of each request that fails, and those are meant
 * to fail that a test cuts off, that meet a service that is starting, or that have no token yet.
 */
const meant =
  /^Failed to load resource: (the server responded with a status of (401|403|409|422|429|502|503|507)|net::ERR_)/;

/** Removed at the end; a browser that has just ended may still be writing its profile there. */
export function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-page-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true, maxRetries: 10 }));
  return directory;
}

/** The device, and its page as somebody opens it. */
export async function open(t: Test, options: SceneOptions = {}): Promise<Scene> {
  const directory = temporaryDirectory(t);
  const { isSignedIn = true, prepare, ...rest } = options;
  const device = new FakeDevice({ token, ...rest });
  prepare?.(device);
  await device.start();
  t.teardown(() => device.stop());
  const context = await launch(t, directory, device.port);
  const tab = await Tab.open(context);
  const { page } = tab;
  await watchPolicy(page);
  if (isSignedIn) {
    await page.addInitScript(`if (!sessionStorage.getItem('signed-out')) {
      sessionStorage.setItem('spliced-token', '${token}');
    }`);
  }
  await page.goto(urlOf(device));
  return { device, page, tab, directory };
}

/** What the policy forbids is told on the console. Before the page is loaded. */
export async function watchPolicy(page: Page): Promise<void> {
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) => {
    console.error('forbidden: ' + event.violatedDirective + ' ' + event.sourceFile);
  })`);
}

export const urlOf = ({ port }: FakeDevice): string => `https://127.0.0.1:${port}/.spliced/ui/`;

export function quiet(t: Test, { errors }: Tab): void {
  const unmeant = errors.filter((text) => !meant.test(text));
  t.same(unmeant, [], 'nothing on the console, nothing forbidden');
}

/** Until the element has such a text. The step's time-out ends the wait. */
export async function says(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}

/**
 * Until the expression is true. (Playwright's own waitForFunction makes code of a text inside the page,
 * which its policy forbids.) The test's time-out ends the wait.
 */
export async function until(page: Page, expression: string): Promise<void> {
  while (!(await page.evaluate(expression))) await setTimeout(20);
}

/** Drops a file of so many bytes, which are made in the browser. */
export async function drop(page: Page, name: string, bytes: number): Promise<void> {
  const transfer = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(${bytes}).fill(7)], '${name}'));
    return transfer;
  })()`);
  await page.dispatchEvent('#drop', 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent('#drop', 'drop', { dataTransfer: transfer });
}
