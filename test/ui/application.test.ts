// SPDX-License-Identifier: Apache-2.0
// The page behind an application's session (docs/AUTHORIZE.md): it shows whom that has let pass, ends no
// session that is not its own, and is loaded again when that one is over. test/cli/application.test.ts has a
// real one.

import t from 'tap';
import { open, quiet, says } from './page.js';

t.test('shown as the application says; loaded again, once, when its session is over', async (t) => {
  const scene = await open(t, {
    isSignedIn: false,
    prepare: ({ people }) => {
      people.by = 'application';
      people.enter('Carol Example', 'operate', []);
    },
  });
  const { page, device } = scene;
  await says(page, '#who', /^Carol Example · operate$/);
  await says(page, '#you', /^Carol Example$/);
  t.ok(await page.isHidden('#session'), 'its session is not ours to end');
  t.ok(await page.isHidden('#own-password'));
  t.ok(await page.isHidden('#sign-in'));
  t.ok(await page.isDisabled('#install-button'));
  const loads = () => device.asked.filter((one) => one === 'GET /.spliced/ui/').length;
  const before = loads();
  device.people.signedIn = undefined;
  device.people.isSentToSignIn = true;
  await page.locator('#sign-in').waitFor();
  t.equal(loads(), before + 1, 'where the application would have shown its page');
  t.ok(await page.isHidden('#who'));
  device.people.isSentToSignIn = false;
  device.people.enter('Carol Example', 'operate', []);
  await page.reload();
  await says(page, '#who', /^Carol Example · operate$/);
  quiet(t, scene.tab);
});
