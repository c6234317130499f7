// SPDX-License-Identifier: Apache-2.0
// The page in faces that browsers may have, and what does not fit in them. The faces are installed by
// scripts/system.mjs, so that a machine without them cannot pass by accident.

import type { Page } from 'playwright-core';

export interface Face {
  name: string;
  /** Full names of the faces, as local() wants them. */
  sans: string;
  bold: string;
  mono: string;
  /** Times its own width (and height). */
  times?: number;
}

const dejaVu = { sans: 'DejaVu Sans', bold: 'DejaVu Sans Bold', mono: 'DejaVu Sans Mono' };
const liberation = {
  sans: 'Liberation Sans',
  bold: 'Liberation Sans Bold',
  mono: 'Liberation Mono',
};

export const faces: Face[] = [
  { name: 'DejaVu', ...dejaVu },
  { name: 'Liberation', ...liberation },
  { name: 'Noto', sans: 'Noto Sans Regular', bold: 'Noto Sans Bold', mono: dejaVu.mono },
  { name: 'Inter', sans: 'Inter Regular', bold: 'Inter Bold', mono: liberation.mono },
  // Wider than any face that a system has as its own.
  { name: 'DejaVu at 1.2', ...dejaVu, times: 1.2 },
];

/**
 * Through the object model, as the page's policy forbids a <style>. Fails when the face is not there:
 * then the browser would take another one without a word.
 */
export async function dress(page: Page, face: Face, textPercent: number): Promise<void> {
  const { sans, bold, mono, times = 1 } = face;
  const wanted = [
    ['probe', sans, '100 550'],
    ['probe', bold, '551 900'],
    ['probe-mono', mono, '100 900'],
  ];
  const sheet = `
    html { font-size: ${textPercent}% }
    :root { --mono: "probe-mono" !important }
    body { font-family: "probe" !important }`;
  await page.evaluate(`(async () => {
    const made = ${JSON.stringify(wanted)}.map(([family, local, weight]) => {
      const sizeAdjust = '${times * 100}%';
      return new FontFace(family, 'local("' + local + '")', { weight, sizeAdjust });
    });
    document.fonts.clear();
    for (const face of made) document.fonts.add(await face.load());
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(${JSON.stringify(sheet)});
    document.adoptedStyleSheets = [sheet];
    await document.fonts.ready;
  })()`);
}

/**
 * What is wider than the screen or than the box that it is in, in words. What may be scrolled sideways
 * is the navigation alone, which shows that it goes on.
 */
export async function misfits(page: Page): Promise<string[]> {
  const found = await page.evaluate(`(() => {
    const found = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push('the page: ' + scrollWidth + ' of ' + clientWidth);
    const native = 'input, select, progress, option, .unseen, .sprite *, svg *, #sections';
    for (const element of document.body.querySelectorAll('*')) {
      if (element.closest(native) || !element.checkVisibility()) continue;
      if (!(element instanceof HTMLElement) || getComputedStyle(element).display === 'inline') continue;
      const { scrollWidth, clientWidth, id, className, tagName } = element;
      // A pixel for rounding.
      if (scrollWidth <= clientWidth + 1 || clientWidth === 0) continue;
      const text = element.textContent.trim().slice(0, 40);
      found.push(tagName + '#' + id + '.' + className + ': ' + scrollWidth + ' of ' + clientWidth + ': ' + text);
    }
    return found;
  })()`);
  return found as string[];
}
