// SPDX-License-Identifier: Apache-2.0
// The scripts that judge everything else: TAP is counted right, above all where something is
// missing, and each tidy rule finds what it is for.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { countTap, runTapFiles } from '../../scripts/tap.mjs';
import { findCycle, findingsIn, importsOf, missingFiles } from '../../scripts/tidy.mjs';

const tap = (...lines: string[]): string => `TAP version 14\n${lines.join('\n')}\n`;

t.test('counting TAP', async (t) => {
  const good = countTap(tap('    ok 1 - deep', '    1..1', 'ok 1 - one # time=3ms', '1..1'), 'f');
  t.match(good, { passed: 1, failures: { length: 0 }, skipped: { length: 0 } });
  const bad = countTap(tap('ok 1 - one', 'not ok 2 - two # time=3ms', '1..2'), 'f');
  t.equal(bad.passed, 1);
  t.same(bad.failures, ['f: two']);
  const skipped = countTap(tap('ok 1 - one # SKIP no kernel: apt-get install x', '1..1'), 'f');
  t.same(skipped.skipped, [{ name: 'f: one', reason: 'no kernel: apt-get install x' }]);
  t.equal(skipped.passed, 0);
  const deep = countTap(
    tap('    ok 1 - inner # SKIP why', '    1..1', 'ok 1 - outer', '1..1'),
    'f',
  );
  t.same(deep.skipped, [{ name: 'f: inner', reason: 'why' }]);
  t.equal(deep.passed, 1);
});

t.test('a failure names what failed deeper, and only what is its own', async (t) => {
  const lines = [
    '    not ok 1 - inner',
    'not ok 1 - one',
    '    ok 1 - fine',
    'not ok 2 - two',
    '1..2',
  ];
  t.same(countTap(tap(...lines), 'f').failures, ['f: one: inner', 'f: two']);
});

t.test('silence never passes', async (t) => {
  const cases = ['', tap('ok 1 - one'), tap('1..0'), tap('ok 1 - one', '1..2'), 'Bail out! x\n'];
  for (const text of cases) t.ok(countTap(text, 'f').failures.length > 0, JSON.stringify(text));
});

t.test('files that die, that hang, that say nothing', async (t) => {
  const directory = t.testdir();
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return name;
  };
  const ok = "console.log('ok 1 - one\\n1..1')";
  const run = async (path: string, timeoutS: number) =>
    runTapFiles([path], {
      cwd: directory,
      jobs: 1,
      timeoutS,
      onLine: undefined,
      onFile: undefined,
    });
  t.equal((await run(file('good.mjs', ok), 5)).failures.length, 0);
  t.match((await run(file('exit.mjs', `${ok}; process.exit(3)`), 5)).failures, [/exit code 3/]);
  const killed = `${ok}; process.kill(process.pid, 'SIGSEGV'); setInterval(() => {}, 1e6)`;
  t.match((await run(file('signal.mjs', killed), 5)).failures, [/SIGSEGV/]);
  t.match((await run(file('empty.mjs', ''), 5)).failures, [/before its plan/, /no tests/]);
  const hanging = `${ok}; setInterval(() => {}, 1e6)`;
  t.match((await run(file('hang.mjs', hanging), -14)).failures, [/killed after 1 s/]);
});

t.test('each tidy rule finds what it is for', async (t) => {
  const licence = '// SPDX-License-Identifier: Apache-2.0\n';
  // Put together here, so that this file does not break the rule itself.
  const machine = ['', 'home', 'ann', 'x'].join('/');
  const registry = ['https:/', `registry.${'example'}.org`, 'x'].join('/');
  const cases: [string, string, RegExp][] = [
    ['src/base/a.ts', 'export {};\n', /SPDX/],
    ['src/base/a.ts', licence + 'x;\n'.repeat(400), /at most 400/],
    ['src/base/a.ts', `${licence}process.exit(1);\n`, /may end the process/],
    ['src/base/a.ts', `${licence}rmSync(path);\n`, /tells no errno/],
    ['src/base/a.ts', `${licence}console.log(1);\n`, /logs through log\.ts/],
    [
      'src/engine/a.ts',
      `${licence}import x from '../config/y.js';\n`,
      /must not import src\/config/,
    ],
    ['src/engine/a.ts', `${licence}await import('../config/y.js');\n`, /must not import src/],
    ['native/conn/a.cpp', `${licence}#include <napi.h>\n`, /only native\/seam/],
    ['native/conn/a.cpp', `${licence}#include <liburing.h>\n`, /only native\/ring/],
    ['native/http/a.cpp', `${licence}#include <openssl/ssl.h>\n`, /only native\/tls/],
    ['native/http/a.cpp', `${licence}#include "conn/conn.hpp"\n`, /must not include native\/conn/],
    ['native/base/a.hpp', `${licence}#include "os/fd.hpp"\n`, /must not include native\/os/],
    ['native/conn/a.cpp', `${licence}  ::close(fd);\n`, /bare ::close/],
    [
      'native/conn/request/a.cpp',
      `${licence}#include "conn/stream.hpp"\n`,
      /must not include conn\/stream/,
    ],
    [
      'native/conn/proxy/a.cpp',
      `${licence}#include "conn/connection.hpp"\n`,
      /must not include conn\/connection/,
    ],
    [
      'native/conn/request/a.cpp',
      `${licence}  send(r.connection->socket);\n`,
      /asks its connection by conn\/transport/,
    ],
    ['docs/a.md', `see ${machine}\n`, /path of one machine/],
    ['docs/a.md', `see ${registry}\n`, /package registry/],
    ['package-lock.json', '"resolved": "x"\n', /lock file/],
  ];
  for (const [path, text, expected] of cases) {
    const found = findingsIn(path, text).map(({ message }) => message);
    t.match(found, [expected], `${path}: ${expected}`);
    t.equal(found.length, 1, `${path}: nothing else`);
  }
  const allowed: [string, string][] = [
    ['src/cli.ts', `${licence}process.exit(1);\n`],
    ['src/commands/a.ts', `${licence}import x from '../config/y.js';\n`],
    ['native/os/fd.cpp', `${licence}::close(fd);\n`],
    ['native/conn/a.cpp', `${licence}// never a bare ::close( here\nFd::close();\n`],
    [
      'native/conn/request/a.cpp',
      `${licence}#include "conn/transport.hpp"\n#include "conn/upload/upload.hpp"\n// its Connection\n`,
    ],
    ['native/conn/a.cpp', `${licence}#include "conn/stream.hpp"\nsend(r.connection->socket);\n`],
    ['native/seam/a.cpp', `${licence}#include <napi.h>\n#include "engine/engine.hpp"\n`],
    ['docs/a.md', 'https://nodejs.org/api/tls.html /usr/include /etc/spliced\n'],
  ];
  for (const [path, text] of allowed) t.same(findingsIn(path, text), [], path);
});

t.test('what the documents of the code call a file is one', async (t) => {
  const files = ['native/conn/drain.cpp', 'src/cli.ts'];
  const found = (path: string, text: string) => [...missingFiles(path, text, files)];
  t.same(found('ARCHITECTURE.md', '`conn/drain.cpp: settle`, `src/cli.ts`, `cli.ts`'), []);
  t.same(found('docs/A.md', '`none.ts`'), [], 'the rest speaks of more than our files');
  t.match(found('src/x/README.md', 'one\n`cli.ts` `conn/none.cpp`'), [
    { line: 2, message: /conn\/none\.cpp/ },
  ]);
});

t.test('files that import each other are found', async (t) => {
  const text =
    "import type { A } from './b.js';\nexport * from '../c/d.js';\nawait import('./e.js');\n";
  t.same(importsOf('src/x/a.ts', text), ['src/x/b.ts', 'src/c/d.ts']);
  const graph = (...edges: [string, string[]][]) => new Map(edges);
  t.equal(findCycle(graph(['a', ['b', 'c']], ['b', ['c']], ['c', []])), undefined);
  t.same(findCycle(graph(['a', ['b']], ['b', ['c']], ['c', ['b']])), ['b', 'c', 'b']);
});
