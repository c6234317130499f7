// SPDX-License-Identifier: Apache-2.0
// People on the page, by the real service: the claim of a fresh device, signing in by name, what a role
// sees, waits after wrong passwords, one's own password, sessions that others end, people kept.

import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { socketOf } from '../cli/api.js';
import { launch, Tab } from '../cli/chromium.js';
import { runCli, startServer } from '../cli/server.js';
import { quiet, says, temporaryDirectory, until, watchPolicy } from './page.js';

const password = 'four words are good';
const next = 'five words are better yet';

interface Device {
  url: string;
  port: number;
  own: string[];
  directory: string;
}

async function serve(t: Test): Promise<Device> {
  const directory = temporaryDirectory(t);
  const stateDir = join(directory, 'state');
  const own = ['--state-dir', stateDir];
  const args = ['dist/cli.js', 'serve', '--listen', '127.0.0.1:0', ...own];
  const { child, port } = await startServer([process.execPath, ...args]);
  t.teardown(() => child.kill('SIGKILL'));
  await socketOf(stateDir);
  return { url: `https://127.0.0.1:${port}/.spliced/ui/`, port, own, directory };
}

/** A browser of its own: the cookie is in no other. */
async function browser(t: Test, { directory, port }: Device, name: string) {
  return launch(t, join(directory, name), port);
}

async function openIn(context: BrowserContext, { url }: Device): Promise<Tab> {
  const tab = await Tab.open(context);
  await watchPolicy(tab.page);
  await tab.page.goto(url);
  await says(tab.page, '#verdict', /All is well|to look at/);
  return tab;
}

async function claim({ page }: Tab, { own }: Device): Promise<void> {
  const { stdout } = await runCli(['claim', ...own]);
  await page.click('#session');
  await page.fill('#code', stdout.trim().toLowerCase().replaceAll('-', ' '));
  await page.fill('#new-name', 'ada');
  await page.fill('#new-password', password);
  await page.fill('#new-password-again', password);
  await page.click('#sign-in-send');
  await says(page, '#who', /^ada · administer$/);
}

async function typeName(page: Page, name: string, typed: string): Promise<void> {
  await page.fill('#name', name);
  await page.fill('#password', typed);
  await page.keyboard.press('Enter');
}

async function signIn(page: Page, name: string, typed = password): Promise<void> {
  await page.click('#session');
  await typeName(page, name, typed);
  await says(page, '#who', new RegExp(`^${name} · `));
}

async function add(page: Page, name: string, role: string): Promise<void> {
  await page.click('#people-card > details > summary');
  await page.fill('#new-person-name', name);
  await page.selectOption('#new-person-role', role);
  await page.fill('#new-person-password', password);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await says(page, '#people-result', new RegExp(`^${name} can sign in`));
  await says(page, '#people-list', new RegExp(name));
}

t.test('a fresh device: claimed by its code, once', async (t) => {
  const device = await serve(t);
  const tab = await openIn(await browser(t, device, 'first'), device);
  const { page } = tab;
  await says(page, '#session', /^Claim$/);
  const other = await openIn(await browser(t, device, 'second'), device);
  await page.click('#session');
  await says(page, '#sign-in-title', /Claim this device/);
  await says(page, '#claim-form', /For another 15 min/);
  t.equal(await page.evaluate('document.activeElement.id'), 'code', 'by the keyboard at once');
  const code = (await runCli(['claim', ...device.own])).stdout.trim();
  for (const [given, again, typed, error] of [
    ['AAAA-BBBB-CCCC', password, password, /That is not the code of this device/],
    [code, 'another five words', password, /The passwords differ/],
    [code, 'short', 'short', /A password has 12 to 256 characters/],
  ] as const) {
    await page.fill('#code', given);
    await page.fill('#new-name', 'Ada');
    await page.fill('#new-password', typed);
    await page.fill('#new-password-again', again);
    await page.keyboard.press('Enter');
    await says(page, '#sign-in-error', error);
  }
  t.ok(await page.isHidden('#who'));
  await page.click('#sign-in-cancel');
  await claim(tab, device);
  t.ok(await page.isHidden('#sign-in'));
  await says(page, '#you', /^ada$/);
  await says(page, '#people-list', /ada administer you/);
  await says(page, '#session-list', /ada.*this browser/);
  t.notOk(await page.isDisabled('#install-button'));

  // Somebody who had the page open before.
  await other.page.click('#session');
  for (const id of ['code', 'new-name']) await other.page.fill(`#${id}`, 'AAAABBBBCCCC');
  for (const id of ['new-password', 'new-password-again'])
    await other.page.fill(`#${id}`, password);
  await other.page.click('#sign-in-send');
  await says(other.page, '#sign-in-title', /^Sign in$/);
  await says(other.page, '#sign-in-error', /claimed already/);
  await typeName(other.page, 'ada', password);
  await says(other.page, '#who', /^ada · administer$/);
  await page.reload();
  await says(page, '#who', /^ada · administer$/);
  t.equal(await page.evaluate("sessionStorage.getItem('spliced-token')"), null, 'by the cookie');
  t.equal(await page.evaluate('document.cookie'), '', 'which no script can read');
  await page.click('#session');
  await says(page, '#session', /^Sign in$/);
  for (const one of [tab, other]) quiet(t, one);
});

t.test('roles, waits, passwords, sessions, people', async (t) => {
  const device = await serve(t);
  const home = await browser(t, device, 'home');
  const ada = await openIn(home, device);
  await claim(ada, device);
  await add(ada.page, 'bob', 'view');

  const context = await browser(t, device, 'away');
  const bob = await openIn(context, device);
  const { page } = bob;
  await page.click('#session');
  await page.evaluate(`(() => {
    const send = document.getElementById('sign-in-send');
    globalThis.words = [];
    new MutationObserver(() => words.push([send.textContent, send.disabled]))
      .observe(send, { childList: true, characterData: true, subtree: true });
  })()`);
  // The first cost nothing; then the device does not listen for longer and longer.
  const said = () => page.textContent('#sign-in-error');
  for (let i = 0; !/seconds/.test(String(await said())); i += 1) {
    await typeName(page, 'bob', `wrong ${i}`);
    await says(page, '#sign-in-error', /\./);
    if (i < 3) await says(page, '#sign-in-error', /^Name or password is wrong\.$/);
  }
  t.match(await said(), /^There were wrong attempts before\. Try again in \d+ seconds\.$/);
  await until(page, "!document.getElementById('sign-in-send').disabled");
  const words = (await page.evaluate('words')) as [string, boolean][];
  t.match(words.slice(-2), [
    ['Wait 1 s', true],
    ['Sign in', false],
  ]);
  await typeName(page, 'bob', password);
  await says(page, '#who', /^bob · view$/);

  const limit = /This needs the role “operate”, and yours is “view”\./;
  await says(page, '#update-open > .limit', limit);
  await says(page, '#system .limit', limit);
  await says(page, '#install', /Check and install/);
  for (const id of ['install-button', 'chain', 'request-names'])
    t.ok(await page.isDisabled(`#${id}`), id);
  t.ok(await page.getByRole('button', { name: 'Restart the device' }).isDisabled());
  t.ok(await page.getByRole('button', { name: 'Renew now' }).isHidden());
  t.notOk(await page.getByRole('button', { name: 'Download the authority' }).isDisabled());
  await says(page, '#line-list', /signed_in/);
  t.ok(await page.isHidden('#people-card'));
  await says(page, '#people-kept', /kept by those who administer/);
  t.notMatch(await page.textContent('#session-list'), /ada/, 'one’s own sessions alone');

  // Bob's password, from another window of the same browser: this one stays signed in.
  const second = await openIn(context, device);
  await says(second.page, '#who', /^bob · view$/);
  const change = async (current: string, again: string) => {
    await second.page.fill('#own-current', current);
    await second.page.fill('#own-next', next);
    await second.page.fill('#own-again', again);
    await second.page.click('#own-send');
  };
  await change(password, password);
  await says(second.page, '#own-result', /The new passwords differ/);
  await change('wrong', next);
  await says(second.page, '#own-result', /The present password is wrong/);
  await change(password, next);
  // This address was wrong often, and has to wait.
  const result = () => second.page.textContent('#own-result');
  while (!/It is changed\./.test(String(await result()))) {
    await until(second.page, "!document.getElementById('own-send').disabled");
    await second.page.click('#own-send');
    await until(second.page, "document.getElementById('own-result').textContent !== 'Changing…'");
  }
  await says(second.page, '#who', /^bob · view$/);
  await page.bringToFront();
  const sent = await page.textContent('#sent');
  await until(page, `document.getElementById('sent').textContent !== '${sent}'`);
  await says(page, '#who', /^bob · view$/);
  t.ok(await page.isHidden('#sign-in'), 'nobody is asked again');

  // Ada gives him another role, and ends his session.
  ada.page.on('dialog', (dialog) => void dialog.accept());
  await ada.page.bringToFront();
  const ofBob = ada.page.locator('#people-list li', { hasText: 'bob' });
  await ofBob.locator('summary').click();
  await ofBob.locator('select').selectOption('operate');
  await ofBob.getByRole('button', { name: 'Change the role' }).click();
  await says(ada.page, '#people-result', /bob has the role “operate”/);
  await says(page, '#session', /^Sign in$/);
  await signIn(page, 'bob', next);
  await says(page, '#who', /^bob · operate$/);
  t.ok(await page.isHidden('#update-open > .limit'), 'and may more');
  t.ok(await page.isDisabled('#install-button'));
  const end = ada.page.getByRole('button', { name: /^End the session of bob/ });
  await end.click({ timeout: 30_000 });
  await says(ada.page, '#sessions-result', /The session of bob from 127\.0\.0\.1 is over/);
  await says(page, '#session', /^Sign in$/);
  await says(page, '#people-locked', /Sign in to see who has signed in/);
  t.equal(await page.textContent('#session-list'), '', 'nothing is left');
  await ofBob.locator('summary').click();
  await ofBob.locator('input').fill(password);
  await ofBob.getByRole('button', { name: 'Set it' }).click();
  await says(ada.page, '#people-result', /bob has another password/);
  await until(ada.page, "document.getElementById('password-of-bob').value === ''");
  await signIn(page, 'bob');
  const ofAda = ada.page.locator('#people-list li', { hasText: 'ada' });
  await ofAda.locator('summary').click();
  await ofAda.getByRole('button', { name: 'Remove ada' }).click();
  await says(ada.page, '#people-result', /the last who may administer the device/);
  await ofBob.getByRole('button', { name: 'Remove bob' }).click();
  await says(ada.page, '#people-result', /bob is removed/);
  await says(page, '#session', /^Sign in$/);
  await says(ada.page, '#line-list', /people_changed.*who=person ada.*removed/s);
  for (const one of [ada, bob, second]) quiet(t, one);
});

t.test('by token beside people, and by the cookie again', async (t) => {
  const device = await serve(t);
  const tab = await openIn(await browser(t, device, 'own'), device);
  const { page } = tab;
  await claim(tab, device);
  await page.click('#session');
  await says(page, '#session', /^Sign in$/);
  const { stdout } = await runCli(['token', ...device.own]);
  await page.click('#session');
  await page.click('#sign-in-other');
  await page.fill('#token', 'wrong');
  await page.keyboard.press('Enter');
  await says(page, '#sign-in-error', /The token is wrong/);
  await page.fill('#token', /^[\w-]{40,}$/m.exec(stdout)?.[0] ?? '');
  await page.keyboard.press('Enter');
  await says(page, '#who', /^by token · administer$/);
  await says(page, '#you', /Somebody with the token/);
  t.ok(await page.isHidden('#own-password'), 'which has no password');
  await says(page, '#people-list', /ada/);
  await page.click('#session');
  await says(page, '#session', /^Sign in$/);
  await page.click('#session');
  await page.click('#sign-in-other');
  await page.click('#sign-in-other');
  await says(page, '#sign-in-title', /^Sign in$/);
  await typeName(page, 'ada', password);
  await says(page, '#who', /^ada · administer$/);
  quiet(t, tab);
});
