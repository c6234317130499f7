// SPDX-License-Identifier: Apache-2.0
// The page behind an application's session (docs/AUTHORIZE.md): it shows whom that has let pass, ends no
// session that is not its own, and is loaded again when that one is over. test/cli/application.test.ts has a
// real one.

import t from 'tap';
import type { FakeDevice } from './device.js';
import { open, quiet, says, token } from './page.js';

/** Whom the application has let pass. */
const carol = {
  isSignedIn: false,
  prepare: ({ people }: FakeDevice) => {
    people.by = 'application';
    people.enter('Carol Example', 'operate', []);
  },
};

t.test('while it does not answer one signs in here', async (t) => {
  const scene = await open(t, {
    isSignedIn: false,
    prepare: ({ people }) => {
      people.isApplicationSilent = true;
    },
  });
  const { page } = scene;
  await page.locator('#session').click();
  await says(page, '#application-silent', /does not answer\. Sign in here/);
  await page.locator('#token').fill(token);
  await page.locator('#sign-in-send').click();
  await says(page, '#who', /^by token · administer$/);
  t.ok(await page.isHidden('#sign-in'));
  quiet(t, scene.tab);
});

t.test('while it does not answer, whom it has let pass stays', async (t) => {
  const scene = await open(t, carol);
  const { page, device } = scene;
  await says(page, '#who', /^Carol Example · operate$/);
  await page.evaluate(`{
    const who = document.getElementById('who');
    globalThis.lost = 0;
    new MutationObserver(() => (globalThis.lost += who.hidden ? 1 : 0)).observe(who, { attributes: true });
  }`);
  device.people.signedIn = undefined;
  device.people.isApplicationSilent = true;
  const asks = () => device.asked.filter((one) => one.endsWith('/session')).length;
  const before = asks();
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  while (asks() === before) await page.waitForTimeout(20);
  device.people.isApplicationSilent = false;
  device.people.enter('Carol Example', 'administer', []);
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  await says(page, '#who', /^Carol Example · administer$/);
  t.equal(await page.evaluate('globalThis.lost'), 0, 'was never somebody else');
  quiet(t, scene.tab);
});

t.test('shown as the application says; loaded again, once, when its session is over', async (t) => {
  const scene = await open(t, carol);
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
  t.ok(await page.isHidden('#application-silent'), 'it has answered');
  t.ok(await page.isHidden('#who'));
  device.people.isSentToSignIn = false;
  device.people.enter('Carol Example', 'operate', []);
  await page.reload();
  await says(page, '#who', /^Carol Example · operate$/);
  quiet(t, scene.tab);
});

t.test('whoever has signed in here meanwhile signs in here again', async (t) => {
  const scene = await open(t, carol);
  const { page, device } = scene;
  await says(page, '#who', /^Carol Example · operate$/);
  const looks = () => page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  device.people.by = 'person';
  device.people.enter('alice', 'operate', []);
  await looks();
  await says(page, '#who', /^alice · operate$/);
  const loads = () => device.asked.filter((one) => one === 'GET /.spliced/ui/').length;
  const before = loads();
  device.people.signedIn = undefined;
  await looks();
  await says(page, '#session', /^Sign in$/);
  await page.locator('#session').click();
  await page.locator('#sign-in').waitFor();
  t.equal(loads(), before, 'no application has a page for that');
  quiet(t, scene.tab);
});
