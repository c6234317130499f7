// SPDX-License-Identifier: Apache-2.0
// Keeps other web sites from changing anything through the browser of an operator. A request that
// changes something must come from our own page, or from no page at all. Browsers say where a
// request comes from in Sec-Fetch-Site (Fetch Metadata, W3C), older ones in Origin (RFC 6454 7);
// programs such as curl send neither.

import { Problem } from './problem.js';

interface Sent {
  /** It came through our own listeners, which speak https alone. */
  isHttps: boolean;
  secFetchSite: string | undefined;
  origin: string | undefined;
  host: string | undefined;
}

/** Of a request whose credential the browser has added by itself. */
interface SentWithCookie extends Sent {
  isChange: boolean;
}

/** Host and port as a URL has them: the port of its scheme is left out. */
function hostOf(scheme: string, host: string): string | undefined {
  try {
    return new URL(`${scheme}//${host}/`).host;
  } catch {
    return undefined;
  }
}

/** RFC 6454 5: another scheme is another origin; a page of http://host is nobody's in particular. */
function isOwnOrigin(origin: string, host: string | undefined, isHttps: boolean): boolean {
  let own: URL;
  try {
    own = new URL(origin); // "null" is none.
  } catch {
    return false;
  }
  if (isHttps && own.protocol !== 'https:') return false;
  return host !== undefined && hostOf(own.protocol, host) === own.host;
}

/** Throws Problem 403. */
export function refuseOtherSites({ isHttps, secFetchSite, origin, host }: Sent): void {
  const isOwn =
    secFetchSite === undefined
      ? origin === undefined || isOwnOrigin(origin, host, isHttps)
      : secFetchSite === 'same-origin' || secFetchSite === 'none';
  if (isOwn) return;
  const detail =
    'This changes something, and was sent by the page of another site. Use our own page.';
  throw new Problem(403, 'Cross-site request', detail);
}

/**
 * Stricter with a cookie, beside its own SameSite=Strict: a change must say that it comes from our page,
 * and whoever says that another page reads gets nothing. Throws Problem 403.
 */
export function refuseOthersWithCookie({ isChange, ...sent }: SentWithCookie): void {
  const { secFetchSite, origin } = sent;
  const saysNothing = secFetchSite === undefined && origin === undefined;
  if (saysNothing && isChange) {
    const detail =
      'A change with a cookie needs Sec-Fetch-Site or Origin, which browsers send. Programs use the token.';
    throw new Problem(403, 'Cross-site request', detail);
  }
  // A page of ours that reads sends an Origin with changes alone.
  if (isChange || secFetchSite !== undefined) refuseOtherSites(sent);
}
