// SPDX-License-Identifier: Apache-2.0
// The navigation where it is wider than the screen.

import t from 'tap';
import { dress, faces } from './fonts.js';
import { open, quiet, says, until } from './page.js';

const height = 800;

t.test('the navigation shows that it goes on, and where one is', async (t) => {
  const { page, tab } = await open(t);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await says(page, '#verdict', /All is well/);
  await page.setViewportSize({ width: 1280, height: 1_600 });
  await page.reload();
  await says(page, '#verdict', /All is well/);
  t.equal(await page.getAttribute('#sections [aria-current]', 'href'), '#overview', 'at the top');
  const isSeen = (text: string) => `(() => {
    const link = [...document.querySelectorAll('#sections a')].find((a) => a.textContent === '${text}');
    const { left, right } = link.getBoundingClientRect();
    return left >= 0 && right <= innerWidth;
  })()`;
  for (const width of [320, 390]) {
    await page.setViewportSize({ width, height });
    for (const face of faces.slice(0, 1)) await dress(page, face, 100);
    await page.evaluate('scrollTo(0, 0)');
    await until(page, "!document.getElementById('sections-on').hidden");
    t.ok(await page.isHidden('#sections-back'), 'nothing before the first');
    t.notOk(await page.evaluate(isSeen('Log')), 'the last is beyond the edge');
    while (await page.isVisible('#sections-on'))
      await page.evaluate("document.getElementById('sections-on').click()");
    t.ok(await page.evaluate(isSeen('Log')), 'and is reached by the arrow');
    await until(page, "!document.getElementById('sections-back').hidden");
    await page.evaluate('scrollTo(0, document.body.scrollHeight)');
    await until(page, "document.querySelector('#sections [aria-current]')?.hash === '#log'");
    t.ok(await page.evaluate(isSeen('Log')), 'the section that is read is in sight');
    await page.evaluate('scrollTo(0, 0)');
    await until(page, "document.querySelector('#sections [aria-current]')?.hash === '#overview'");
    t.ok(await page.evaluate(isSeen('Overview')));
  }
  await page.setViewportSize({ width: 1280, height });
  await until(page, "document.getElementById('sections-on').hidden");
  quiet(t, tab);
});
