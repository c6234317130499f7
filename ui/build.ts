// SPDX-License-Identifier: Apache-2.0
// Which build of the page this tab runs, and whether the device has another one by now: after an
// update, or a restart of the service. Then the tab loads that, as soon as nothing is lost by it.

import { visible } from '../src/base/visible.js';
import { byId } from './dom.js';

const metaPattern = /<meta name="build" content="([0-9a-f]+)">/;
const noteKey = 'spliced-note';

const own = (): string =>
  document.querySelector<HTMLMetaElement>('meta[name="build"]')?.content ?? '';

/** The build that the device has; undefined when it does not say. */
async function served(): Promise<string | undefined> {
  try {
    const response = await fetch(location.pathname, { cache: 'no-cache' });
    return response.ok ? metaPattern.exec(await response.text())?.[1] : undefined;
  } catch {
    return undefined;
  }
}

/** Why the page is another one than before: shown once, after the reload. */
export function takeNote(): string | undefined {
  const text = sessionStorage.getItem(noteKey) ?? undefined;
  sessionStorage.removeItem(noteKey);
  return text;
}

export function showNotice(text: string | undefined): void {
  byId('notice').hidden = text === undefined;
  byId('notice-text').textContent = visible(text ?? '');
}

/** `isBusy`: a reload would cost somebody their work now; ask again later. */
export async function reloadWhenNewer(isBusy: () => boolean): Promise<void> {
  const there = await served();
  if (there === undefined || there === own() || own() === 'BUILD') return;
  if (isBusy()) {
    showNotice('The device has a newer version of this page. It loads when the upload is over.');
    return;
  }
  sessionStorage.setItem(noteKey, 'The device has new software. This is its page.');
  location.reload();
}
