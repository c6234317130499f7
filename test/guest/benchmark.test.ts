// SPDX-License-Identifier: Apache-2.0
// `spliced doctor --benchmark` where there is kernel TLS with an asynchronous cipher: it compares what
// it says it compares, and sees the work that the cipher's own threads do.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import type { Report } from '../../src/doctor/report.js';
import { prepare } from './host/prepare.js';

const unable = prepare();
t.test('the benchmark in a guest', { skip: unable ?? false }, async (t) => {
  const guest = ['-k', '6.12', '-a', '-M', 'tls', '-m', '1024', '-t', '240'];
  const command = [process.execPath, 'dist/cli.js', 'doctor', '--benchmark', '--json'];
  const { stdout, stderr } = spawnSync('test/guest/lab/run-guest', [...guest, '--', ...command], {
    encoding: 'utf8',
  });
  const begin = stdout.search(/^\{$/m);
  if (!t.ok(begin >= 0, 'a report')) return t.comment(stdout + stderr);
  const { benchmark, findings } = JSON.parse(stdout.slice(begin)) as Report;
  if (benchmark === null) throw new Error(JSON.stringify(findings));
  t.match(benchmark.driver, { name: /^cryptd\(/, async: true });
  t.equal(benchmark.promoted, benchmark.expected, 'all of the one side, none of the other');
  for (const workload of [benchmark.small, benchmark.large]) {
    for (const { mibPerS, processCpuMsPerMib, systemCpuMsPerMib } of [
      workload.kernel,
      workload.userSpace,
    ]) {
      t.ok(Number(mibPerS) > 0);
      t.ok(Number(processCpuMsPerMib) > 0);
      t.ok(Number(systemCpuMsPerMib) > 0);
    }
    t.ok(workload.cpuRatio !== null && workload.throughputRatio !== null);
  }
  const { kernel } = benchmark.large;
  const unseen = Number(kernel.systemCpuMsPerMib) / Number(kernel.processCpuMsPerMib);
  t.ok(unseen > 1.2, `cryptd's threads: the system took ${unseen.toFixed(2)} times the process`);
  t.match(
    findings.map(({ id }) => id).filter((id) => id.startsWith('benchmark.')),
    ['benchmark.small', 'benchmark.large', 'benchmark.choice'],
  );
});
