// SPDX-License-Identifier: Apache-2.0
// The metrics, read by Prometheus' own parser in Python, and held against its naming conventions.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import { Exposition } from '../../../src/api/exposition.js';
import { metricsOf } from '../../../src/api/metrics.js';
import { certificate } from './scene.js';
import { statusJson } from './status.js';

interface Family {
  name: string;
  type: string;
  help: string;
  samples: [name: string, labels: Record<string, string>, value: number][];
}

const script = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
print(json.dumps([
    {"name": f.name, "type": f.type, "help": f.documentation,
     "samples": [[s.name, s.labels, s.value] for s in f.samples]}
    for f in parse(sys.stdin.read())]))
`;

/** Debian's interpreter: the parser is a package of the distribution. */
function parse(text: string): Family[] {
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-c', script], { input: text });
  if (status !== 0) throw new Error(String(stderr));
  return JSON.parse(String(stdout));
}

t.test('every family is what it says', async (t) => {
  const text = metricsOf(statusJson, [certificate], Date.parse('2026-06-01T00:00:00Z'));
  const families = parse(text);
  t.ok(families.length > 40, `${families.length} families`);
  const names = families.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'each once');
  for (const { name, type, help, samples } of families) {
    t.match(name, /^(spliced|process)_[a-z0-9_]+$/);
    t.match(help, /^[A-Z0-9].*\.$/, name);
    t.ok(samples.length > 0, name);
    t.ok(type === 'counter' || type === 'gauge', `${name} is a ${type}`);
    for (const [sample, , value] of samples) {
      // The parser takes _total off the family's name.
      t.equal(sample, type === 'counter' ? `${name}_total` : name);
      t.ok(Number.isFinite(value), `${name} ${value}`);
    }
    t.notMatch(name, /_(ms|kb|kib|milliseconds|percent)(_|$)/, 'base units');
    t.equal(/_total$/.test(name), false, 'only counters end so');
  }
});

t.test('the figures are those of the status', async (t) => {
  const samples = parse(metricsOf(statusJson, [certificate])).flatMap((one) => one.samples);
  const figureOf = (name: string, labels: Record<string, string> = {}) =>
    samples.find(
      (one) => one[0] === name && JSON.stringify(one[1]) === JSON.stringify(labels),
    )?.[2];
  t.equal(figureOf('spliced_build_info', { version: '0.1.0', ring: 'io_uring' }), 1);
  t.equal(figureOf('spliced_uptime_seconds'), 2.01);
  t.equal(figureOf('spliced_kernel_tls_usable', { mode: 'auto' }), 1);
  t.equal(figureOf('spliced_cipher_driver_info', { name: 'gcm-aes-caam', async: 'true' }), 1);
  const cipher = { version: 'TLSv1.3', cipher: 'AES-128-GCM' };
  t.equal(figureOf('spliced_connections_promoted_total', cipher), 7);
  t.equal(figureOf('spliced_tls_groups_total', { group: 'X25519MLKEM768' }), 6);
  t.equal(figureOf('spliced_responses_total', { code: '404' }), 1);
  t.equal(figureOf('spliced_connections', { state: 'splice' }), 2);
  t.equal(figureOf('spliced_engines'), 2);
  t.equal(figureOf('spliced_engine_connections', { engine: '0' }), 2);
  t.equal(figureOf('spliced_engine_sent_bytes_total', { engine: '1' }), 400);
  t.equal(figureOf('spliced_sent_bytes_total'), 1000);
  t.equal(figureOf('spliced_upstream_connections', { state: 'busy' }), 3);
  t.equal(figureOf('spliced_upstream_failures_total', { reason: 'truncated' }), 1);
  t.equal(figureOf('spliced_websockets'), 3);
  t.equal(figureOf('spliced_drain_duration_max_seconds'), 1.5);
  t.equal(figureOf('spliced_canary_requests_total', { result: 'failed' }), 1);
  t.equal(figureOf('spliced_watchdog_healthy'), 1);
  t.equal(figureOf('spliced_housekeeping_failing'), 3);
  t.equal(figureOf('spliced_log_lines_dropped_total'), 7);
  const { source, subject, fingerprint } = certificate;
  const name = 'spliced_certificate_not_after_timestamp_seconds';
  t.equal(
    figureOf(name, { source, subject, fingerprint }),
    Date.parse(certificate.notAfter) / 1000,
  );
  const started = figureOf('process_start_time_seconds') ?? 0;
  t.ok(Math.abs(started - Date.now() / 1000) < 3600);
  t.ok((figureOf('process_open_fds') ?? 0) > 3);
});

t.test('what is not there has no family', async (t) => {
  const status = JSON.parse(statusJson);
  for (const name of ['canary', 'watchdog', 'housekeeping', 'log']) delete status[name];
  status.offload.driver = null;
  status.offload.suspended = 'wrong bytes';
  const families = parse(metricsOf(JSON.stringify(status), []));
  const names = families.map(({ name }) => name);
  for (const absent of [/canary/, /watchdog/, /driver/, /certificate_not_after/]) {
    t.notOk(
      names.some((name) => absent.test(name)),
      String(absent),
    );
  }
  const usable = families.find(({ name }) => name === 'spliced_kernel_tls_usable');
  t.equal(usable?.samples[0]?.[2], 0);
});

t.test('what a label and a help text may hold', async (t) => {
  const to = new Exposition();
  const odd = 'C:\\dir "x"\nnext {a="b"} ä';
  to.gauge('odd', 'Back\\slash\nand line.', [[{ odd }, 1]]);
  to.counter('none_total', 'Without samples.', []);
  const families = parse(to.toString());
  t.equal(families.length, 1);
  t.match(families, [{ help: 'Back\\slash\nand line.', samples: [['odd', { odd }, 1]] }]);
});
