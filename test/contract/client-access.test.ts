// SPDX-License-Identifier: Apache-2.0
// What becomes of the settings for clients' certificates while time passes: dates count only while
// the clock is believable, and what goes out of date is said once.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ClientCertificates } from '../../src/engine/native.js';
import type { Log } from '../../src/log/log.js';
import { ClientAccess, readClientCertificates } from '../../src/serving/client-certificates.js';
import type { Prepared } from '../../src/serving/reload.js';
import { Authority, after } from './pki.js';

const authority = await Authority.create('Site CA', undefined, { days: 20 });

async function writeFiles(t: Test) {
  const directory = t.testdir();
  const [ca, crl] = [join(directory, 'ca.pem'), join(directory, 'crl.pem')];
  writeFileSync(ca, authority.pem);
  writeFileSync(crl, await authority.revoke([], { nextUpdateMs: after(7) }));
  return { ca, crl, require: ['/private'] };
}

function recorder() {
  const lines: Record<string, unknown>[] = [];
  const take = (line: Record<string, unknown>): void => void lines.push(line);
  return { lines, log: { info: take, warn: take, error: take } as unknown as Log };
}

t.test('what the files amount to', async (t) => {
  const files = await writeFiles(t);
  const judged = readClientCertificates(files);
  t.match(judged, {
    settings: { ca: authority.pem, require: ['/private'], checkTimes: true },
    report: { authorities: 1, revocationLists: 1 },
  });
  const { caNotAfterMs, crlNextUpdateMs } = judged?.report ?? {};
  t.ok(Math.abs((caNotAfterMs ?? 0) - after(20)) < 60_000, 'the end of the CA');
  t.ok(Math.abs((crlNextUpdateMs ?? 0) - after(7)) < 60_000, 'the end of the list');
  t.match(readClientCertificates({ ...files, crl: undefined }), {
    settings: { crl: '' },
    report: { revocationLists: 0, crlNextUpdateMs: null },
  });
  t.equal(readClientCertificates(undefined), undefined);
});

t.test('a clock that is wrong, set, and jumps; each warning once', async (t) => {
  const files = await writeFiles(t);
  const { lines, log } = recorder();
  let nowMs = 0;
  const access = new ClientAccess(files, log, () => nowMs);
  t.equal(access.settings?.checkTimes, false, 'in 1970 no date counts');
  const replaced: (ClientCertificates | undefined)[] = [];
  t.teardown(
    access.serve({ replaceClientCertificates: (settings) => void replaced.push(settings) }),
  );
  access.look();
  t.equal(replaced.length, 0, 'nothing has changed');
  nowMs = Date.now();
  access.look();
  access.look();
  t.match(replaced, [{ checkTimes: true, require: ['/private'] }]);
  t.equal(replaced.length, 1);
  nowMs = after(8);
  for (let i = 0; i < 3; i += 1) access.look();
  nowMs = after(50 * 365);
  for (let i = 0; i < 3; i += 1) access.look();
  nowMs = 0;
  access.look();
  t.match(replaced[1], { checkTimes: false });
  t.same(
    lines.map(({ event, datesCount }) => [event, datesCount]),
    [
      ['client_certificates', false],
      ['client_certificates', true],
      ['client_certificates_crl_expired', undefined],
      ['client_certificates_ca_expired', undefined],
      ['client_certificates', false],
    ],
  );
});

t.test('a reload: prepared, put into effect, taken back', async (t) => {
  const files = await writeFiles(t);
  const { log } = recorder();
  const access = new ClientAccess(files, log);
  const replaced: (ClientCertificates | undefined)[] = [];
  t.teardown(
    access.serve({ replaceClientCertificates: (settings) => void replaced.push(settings) }),
  );
  const prepare = (clientCertificates: typeof files | undefined) =>
    access.participant.prepare({ configuration: { clientCertificates } } as never) as Prepared;
  prepare(files).commit();
  t.equal(replaced.length, 0, 'the same is no change');
  const next = prepare({ ...files, require: ['/'] });
  t.equal(replaced.length, 0, 'only prepared');
  next.commit();
  t.match(replaced.at(-1), { require: ['/'] });
  next.rollBack();
  t.match(replaced.at(-1), { require: ['/private'] });
  const off = prepare(undefined);
  off.commit();
  t.equal(replaced.at(-1), undefined);
  t.equal(access.settings, undefined);
  access.look();
  t.throws(() => prepare({ ...files, ca: '/absent' }), /client_certificates\.ca: .absent cannot/);
});
