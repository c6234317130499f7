// SPDX-License-Identifier: Apache-2.0
// The claim of a device: by its code, once, within minutes of a start; the maker's code or its own.

import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Claim, claimBounds, codeFault, plainCode } from '../../../../src/api/people/claim.js';
import { delayBounds } from '../../../../src/api/people/delays.js';
import { forgetPeople, readPeople } from '../../../../src/api/people/file.js';
import { readClaimCode } from '../../../../src/serving/claim-code.js';
import { ask, from, json, post } from '../client.js';
import { type Scene, startScene } from '../scene.js';

const password = 'four words are good';
const who = { name: 'ada', password };

const claim = (
  { proxy }: Scene,
  code: string | undefined,
  more: object = {},
  address = '192.0.2.1',
) => {
  const body = JSON.stringify({ code, ...who, ...more });
  return ask(proxy, '/claim', { method: 'POST', headers: { ...from(address), ...json }, body });
};

t.test('whoever has the code is the first administrator, and the only one by it', async (t) => {
  const scene = await startScene(t);
  await scene.people.start();
  t.match(scene.lines, [{ event: 'device_unclaimed', by: 'spliced claim', secondsLeft: 900 }]);
  const shown = (await ask(scene.local, '/claim')).json;
  t.match(shown, { isClaimed: false, isMakers: false, code: /^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/ });
  t.equal((await ask(scene.proxy, '/claim', { headers: from('127.0.0.1') })).status, 403);
  t.match((await ask(scene.proxy, '/session', { headers: from('192.0.2.1') })).json, {
    claim: 'open',
  });
  const none = await ask(scene.proxy, '/session', {
    method: 'POST',
    headers: { ...from('192.0.2.1'), ...json },
    body: JSON.stringify(who),
  });
  t.match(none, { status: 401, json: { detail: /Nobody can sign in by name yet/ } });
  t.match(await claim(scene, 'AAAA-BBBB-CCCC'), { status: 403 });
  t.match(await claim(scene, String(shown.code), { password: 'short' }), { status: 422 });
  const typed = String(shown.code).toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o');
  const done = await claim(scene, typed);
  t.match(done, { status: 201, json: { name: 'ada', role: 'administer' } });
  t.match(done.headers['set-cookie'], [/^__Host-spliced=/]);
  t.match(await claim(scene, String(shown.code), { name: 'eve' }), { status: 409 });
  t.same(
    (await readPeople(scene.directory)).people.map(({ name }) => name),
    ['ada'],
  );
  t.match((await ask(scene.local, '/claim')).json, { isClaimed: true, code: null });
  t.match(
    scene.lines.find(({ event }) => event === 'device_claimed'),
    {
      who: 'person ada',
      role: 'administer',
      address: '192.0.2.1',
    },
  );
  for (const secret of [String(shown.code), plainCode(String(shown.code)), password])
    t.notOk(JSON.stringify(scene.lines).includes(secret));
});

t.test('two at once: one', async (t) => {
  const scene = await startScene(t);
  const code = scene.people.code;
  const all = await Promise.all(['ada', 'bob', 'eve'].map((name) => claim(scene, code, { name })));
  t.same(all.map(({ status }) => status).sort(), [201, 409, 409]);
  t.equal((await readPeople(scene.directory)).people.length, 1);
});

t.test('the time is over, and wrong codes wait', async (t) => {
  const scene = await startScene(t);
  for (let i = 0; i <= delayBounds.freeMax; i += 1) await claim(scene, 'wrong code');
  t.match(await claim(scene, scene.people.code), { status: 429 });
  scene.pass(claimBounds.windowMs - 1);
  t.match((await ask(scene.local, '/claim')).json, { code: String, secondsLeft: 1 });
  scene.pass(1);
  t.match(await claim(scene, scene.people.code), { status: 409, json: { detail: /restart/ } });
  t.match((await ask(scene.local, '/claim')).json, {
    isClaimed: false,
    secondsLeft: 0,
    code: null,
  });
});

t.test("the maker's code is not shown, and is good once for the device's life", async (t) => {
  const makersCode = 'Label-Code-77';
  const scene = await startScene(t, { makersCode });
  t.match((await ask(scene.local, '/claim')).json, { isMakers: true, code: null });
  t.match(await claim(scene, 'labe1code77'), { status: 201 });
  await forgetPeople(scene.directory);
  t.match(await claim(scene, makersCode), { status: 409 }, 'not in this run');
  const again = new Claim(makersCode);
  t.ok(again.isCode('LABEL CODE 77'));
  t.equal(again.code, undefined);
});

t.test('an error gives the code back', async (t) => {
  const scene = await startScene(t);
  const file = join(scene.directory, 'people.new');
  mkdirSync(file);
  t.equal((await claim(scene, scene.people.code)).status, 500);
  rmdirSync(file);
  t.equal((await claim(scene, scene.people.code)).status, 201);
  t.equal((await post(scene.local, '/claim', { code: 'x', ...who })).status, 409);
});

t.test('where the code comes from', async (t) => {
  const directory = t.testdir({ good: ' GATE-1234-5678\n', short: '1234\n' });
  const lines: unknown[] = [];
  const log = { error: (line: unknown) => lines.push(line) } as never;
  t.equal(readClaimCode('', codeFault, log), undefined);
  t.equal(readClaimCode(join(directory, 'good'), codeFault, log), 'GATE-1234-5678');
  t.same(lines, []);
  t.equal(readClaimCode(join(directory, 'short'), codeFault, log), undefined);
  t.equal(readClaimCode(join(directory, 'absent'), codeFault, log), undefined);
  t.equal(readClaimCode('credential:claim', codeFault, log), undefined);
  t.match(lines, [
    { event: 'claim_code_unusable', reason: /8 to 128/ },
    { event: 'claim_code_unusable', reason: /ENOENT/ },
    { event: 'claim_code_unusable', reason: /no credentials/ },
  ]);
  writeFileSync(join(directory, 'good'), 'x'.repeat(129));
  t.equal(readClaimCode(join(directory, 'good'), codeFault, log), undefined);
});
