// SPDX-License-Identifier: Apache-2.0
// Which file an index is, as `spliced update wait-good` compares it.

import t from 'tap';
import { fileOf } from '../../../src/commands/update-good.js';

const route = (path: string, more = {}) => ({
  path,
  host: '',
  action: 'static',
  root: '',
  index: 'index.html',
  ...more,
});

t.test('without routes', async (t) => {
  t.equal(fileOf('/', '/srv', []), '/srv/index.html');
  t.equal(fileOf('/ui/', '/srv', []), '/srv/ui/index.html');
  t.equal(fileOf('/a.js', '/srv', []), '/srv/a.js');
});

t.test('by the longest route, in whole segments', async (t) => {
  const routes = [
    route('/', { index: 'main.html' }),
    route('/ui', { root: '/data/ui' }),
    route('/ui', { root: '/data/other', host: 'other.example' }),
    route('/api', { action: 'respond' }),
  ];
  t.equal(fileOf('/', '/srv', routes), '/srv/main.html');
  t.equal(fileOf('/ui/', '/srv', routes), '/data/ui/index.html');
  t.equal(fileOf('/ui/a.js', '/srv', routes), '/data/ui/a.js');
  t.equal(fileOf('/uix/', '/srv', routes), '/srv/uix/main.html');
  t.equal(fileOf('/api', '/srv', routes), undefined, 'no file');
  t.equal(fileOf('/x', '/srv', [route('/ui')]), undefined, 'no route');
});
