// SPDX-License-Identifier: Apache-2.0
// What the doctor says of the state directory.

import t from 'tap';
import { probeState } from '../../../src/doctor/probes/state.js';
import { boardOf } from './board.js';

const statuses = {
  '/state': { mode: 0o700, uid: 100 },
  '/state/service.json': { mode: 0o600, uid: 100 },
  '/state/certificates/key.pem': { mode: 0o600, uid: 100 },
};
const files = { '/state/service.json': '{}', '/state/certificates/key.pem': 'x' };

t.test('nothing to say', async (t) => {
  t.same(probeState(boardOf({ statuses, files })), []);
  t.same(probeState(boardOf({ writeRefusal: () => 'ENOENT' })), [], 'there is none yet');
  t.same(probeState(boardOf({ settings: { error: 'x' } })), []);
});

t.test('a file system that is read-only, and a directory for others', async (t) => {
  const [finding] = probeState(boardOf({ statuses, writeRefusal: () => 'EROFS' }));
  t.match(finding, { id: 'state.writable', level: 'problem', title: /mounted read-only/ });
  const [other] = probeState(boardOf({ statuses, writeRefusal: () => 'EACCES' }));
  t.match(other, { id: 'state.writable', level: 'info', advice: /as root/ });
});

t.test('a full one', async (t) => {
  const full = (bytes: number, files?: number) =>
    boardOf({ statuses, space: () => ({ bytes, files }) });
  t.match(probeState(full(4096)), [{ id: 'state.space', level: 'problem', title: /4 KiB left/ }]);
  t.match(probeState(full(1 << 30, 0)), [{ id: 'state.space', title: /no inode left/ }]);
  t.same(probeState(full(1 << 30, 1)), []);
  t.same(probeState(boardOf({ statuses, space: () => undefined })), []);
});

t.test('files of somebody else', async (t) => {
  const key = '/state/certificates/key.pem';
  const foreign = { ...statuses, [key]: { mode: 0o600, uid: 0 } };
  const [finding] = probeState(boardOf({ statuses: foreign, files }));
  t.match(finding, { id: 'state.owner', level: 'warning', advice: 'chown -R 100 /state' });
  t.match(finding?.detail, `${key} (user 0)`);
});

t.test('what the running service could not do', async (t) => {
  const undone = ['writing service.json: EIO'];
  const found = [{ id: 'state.housekeeping', level: 'warning', detail: /service\.json: EIO/ }];
  t.match(probeState(boardOf({ undone })), found);
  t.match(probeState(boardOf({ statuses, undone })), found);
});
