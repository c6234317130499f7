// SPDX-License-Identifier: Apache-2.0
// Headless Chromium for the tests that need a browser, and what it tells of a page: all that was asked
// and answered (DevTools protocol), and what the console complains of.

import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect } from 'node:tls';
import { type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import type { Test } from 'tap';

const stepTimeoutMs = 15_000;

function hashOf(certificate: string | Buffer): string {
  const { publicKey } = new X509Certificate(certificate);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}

/** The hash by which Chromium is told to trust the server's key. */
function keyHash(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      const { raw } = socket.getPeerCertificate();
      socket.end();
      resolve(hashOf(raw));
    });
    socket.on('error', reject);
  });
}

interface Exchange {
  path: string;
  /** What came over the network; undefined when the browser did not ask. */
  status?: number;
  /** A status will come, by an event of its own that can be later than the page. */
  isAnswered?: boolean;
  /** It came from the memory of the page before. */
  isKept?: boolean;
  /** Of the browser; undefined before an answer came by one. */
  connection?: number;
  asked: Record<string, string>;
  headers: Record<string, string>;
}

const lowerCase = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

/** All that a page asked for, and what it complained of. */
export class Tab {
  readonly errors: string[] = [];
  #exchanges = new Map<string, Exchange>();

  private constructor(readonly page: Page) {}

  static async open(context: BrowserContext): Promise<Tab> {
    const tab = new Tab(await context.newPage());
    tab.page.setDefaultTimeout(stepTimeoutMs);
    tab.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) tab.errors.push(message.text());
    });
    tab.page.on('pageerror', (error) => tab.errors.push(String(error)));
    await tab.#watch(await context.newCDPSession(tab.page));
    return tab;
  }

  async #watch(session: CDPSession): Promise<void> {
    session.on('Network.requestWillBeSent', ({ requestId, request }) => {
      const { pathname } = new URL(request.url);
      if (request.url.startsWith('https:')) this.#of(requestId).path = pathname;
    });
    session.on('Network.requestWillBeSentExtraInfo', ({ requestId, headers }) => {
      this.#of(requestId).asked = lowerCase(headers);
    });
    session.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode, headers }) => {
      const exchange = this.#of(requestId);
      exchange.status = statusCode;
      exchange.headers = lowerCase(headers);
    });
    session.on('Network.requestServedFromCache', ({ requestId }) => {
      this.#of(requestId).isKept = true;
    });
    session.on('Network.responseReceived', ({ requestId, response, hasExtraInfo }) => {
      const exchange = this.#of(requestId);
      exchange.isAnswered = hasExtraInfo && response.fromDiskCache !== true;
      exchange.connection = response.connectionId;
    });
    await session.send('Network.enable');
  }

  #of(id: string): Exchange {
    const exchange = this.#exchanges.get(id) ?? { path: '', asked: {}, headers: {} };
    this.#exchanges.set(id, exchange);
    return exchange;
  }

  /** What was asked since the last call of forget(), once the status of every answer is known. */
  async #told(): Promise<Exchange[]> {
    const isComplete = ({ isAnswered, isKept, status }: Exchange) =>
      !isAnswered || isKept || status !== undefined;
    while (![...this.#exchanges.values()].every(isComplete)) await setTimeout(10);
    return [...this.#exchanges.values()];
  }

  /** The first answer that came over the network for the path. The test's time-out ends the wait. */
  async first(path: string): Promise<Exchange> {
    for (;;) {
      const found = [...this.#exchanges.values()].find(
        (exchange) => exchange.path === path && exchange.status !== undefined,
      );
      if (found) return found;
      await setTimeout(10);
    }
  }

  forget(): void {
    this.#exchanges = new Map();
  }

  /** Each path with the status that came over the network, or `cache`; without the sound. */
  async statuses(): Promise<Record<string, number | 'cache'>> {
    const rows = (await this.#told()).filter(({ path }) => !['', '/sound.wav'].includes(path));
    return Object.fromEntries(rows.map(({ path, status }) => [path, status ?? 'cache']));
  }

  /** By how many connections its answers came. */
  async connections(): Promise<number> {
    return new Set((await this.#told()).map(({ connection }) => connection)).size;
  }

  /** What the page and all that it has loaded came by. */
  async protocols(): Promise<string[]> {
    const entries = await this.page.evaluate(`['navigation', 'resource'].flatMap((type) =>
      performance.getEntriesByType(type).map(({ nextHopProtocol }) => nextHopProtocol))`);
    return [...new Set(entries as string[])];
  }

  /** What the page's scripts have noted about themselves. */
  noted(name: string): Promise<string | null> {
    return this.page.locator('body').getAttribute(`data-${name}`);
  }
}

/**
 * A browser with a profile of its own beneath the directory; it trusts the server at the port, and
 * these certificates.
 */
export async function launch(
  t: Test,
  directory: string,
  port: number,
  certificates: readonly string[] = [],
): Promise<BrowserContext> {
  const flags = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-background-networking',
  ];
  // Trusted by its key: Chromium keeps nothing that came with an error of the certificate.
  const keys = [await keyHash(port), ...certificates.map(hashOf)];
  const trust = `--ignore-certificate-errors-spki-list=${keys.join(',')}`;
  const context = await chromium.launchPersistentContext(join(directory, 'profile'), {
    executablePath: '/usr/bin/chromium',
    args: [...flags, '--disable-component-update', '--disable-sync', '--no-first-run', trust],
    timeout: 30_000,
  });
  t.teardown(() => context.close());
  return context;
}
