// SPDX-License-Identifier: Apache-2.0
// Many windows of one device in one browser, over HTTP/1.1: its six connections are enough for all.
// And the words for when they are not, because something else holds them.

import type { Page } from 'playwright-core';
import t from 'tap';
import { Tab } from '../cli/chromium.js';
import { open, quiet, says, token, until, urlOf } from './page.js';

const windows = 10;

t.test('ten windows side by side', async (t) => {
  const { page, device, tab } = await open(t);
  const tabs = [tab];
  await says(page, '#line-list', /api_token_refused/);
  while (tabs.length < windows) {
    const next = await Tab.open(page.context());
    await next.page.addInitScript(`sessionStorage.setItem('spliced-token', '${token}')`);
    await next.page.goto(urlOf(device));
    tabs.push(next);
  }
  const everywhere = (what: (page: Page) => Promise<void>) =>
    Promise.all(tabs.map((one) => what(one.page)));
  await everywhere((one) => says(one, '#verdict', /All is well/));
  // What was said before a window was opened, once.
  await everywhere((one) => says(one, '#line-list', /api_token_refused/));
  t.same(
    await Promise.all(tabs.map(({ page: one }) => one.locator('#line-list li').count())),
    Array(windows).fill(8),
  );
  t.same(device.followed, { events: 1, log: 1 }, 'one window reads for all');

  const tell = async (event: string): Promise<void> => {
    device.tell({ level: 'info', time: new Date().toISOString(), event });
    device.set({ state: 'failed', error: `for ${event}` });
    await everywhere((one) => says(one, '#line-list li:last-child', new RegExp(event)));
    await everywhere((one) => says(one, '#update-panel', new RegExp(`for ${event}`)));
  };
  await tell('first');
  // Whoever reads is closed; another one goes on where it stood.
  for (const event of ['second', 'third']) {
    const [leader] = tabs.splice(0, 1);
    if (leader === undefined) throw new Error('ten windows');
    await leader.page.close();
    quiet(t, leader);
    while (device.followed.log !== 1 || device.followed.events !== 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await tell(event);
  }
  const counts = await Promise.all(
    tabs.map(({ page: one }) => one.locator('#line-list li').count()),
  );
  t.same(counts, Array(windows - 2).fill(11), 'no line is lost, none comes twice');
  await everywhere(async (one) => {
    t.ok(await one.isHidden('#offline'), 'and every one is connected');
  });
  for (const one of tabs) quiet(t, one);
});

t.test('a window with another token hears nothing of the others', async (t) => {
  const { page, device, tab } = await open(t);
  await says(page, '#line-list', /ready/);
  const other = await Tab.open(page.context());
  await other.page.goto(urlOf(device));
  await says(other.page, '#log-locked', /Sign in/);
  // It knows the lock, as every page of this host does, and not the channel.
  const names = await other.page.evaluate(`(async () => {
    const { held } = await navigator.locks.query();
    window.heard = [];
    for (const { name } of held) new BroadcastChannel(name).onmessage = ({ data }) => heard.push(data);
    return held.length;
  })()`);
  t.equal(names, 2);
  device.tell({ level: 'info', time: new Date().toISOString(), event: 'secret' });
  await says(page, '#line-list', /secret/);
  t.same(await other.page.evaluate('window.heard'), []);
  quiet(t, tab);
});

t.test('no connection is left: not the device is to blame', async (t) => {
  const { page, device, tab } = await open(t);
  await says(page, '#verdict', /All is well/);
  const greedy = await Tab.open(page.context());
  await greedy.page.goto(new URL('/none', urlOf(device)).href);
  await greedy.page.evaluate(`(() => {
    const headers = { Authorization: 'Bearer ${token}' };
    window.held = Array.from({ length: 6 }, (_, i) =>
      fetch('/.spliced/api/v1/events?' + i, { headers, cache: 'no-store' }));
  })()`);
  await says(page, '#offline', /no connection left for the device.*The device answers\./);
  await says(page, '#link-text', /No connection left/);
  await greedy.page.close();
  await says(page, '#verdict', /All is well/);

  device.isSilent = true;
  await says(page, '#offline', /The device does not answer\./);
  await says(page, '#link-text', /No answer/);
  device.isSilent = false;
  await until(page, "document.getElementById('offline').hidden");
  const unmeant = tab.errors.filter((text) => !/WebSocket/.test(text));
  t.same(unmeant, [], 'nothing else on the console');
});
