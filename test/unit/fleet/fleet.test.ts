// SPDX-License-Identifier: Apache-2.0
// config/fleet: Prometheus' own tool reads the rules and plays them through, and every metric and label
// of rules and dashboard is one that the service exports.

import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { metricsOf } from '../../../src/api/metrics.js';
import { certificate } from '../api/scene.js';
import { statusJson } from '../api/status.js';

const rulesPath = 'config/fleet/spliced-rules.yml';

/** By name, the labels that its samples have. */
const exported = new Map<string, Set<string>>([['up', new Set(['job', 'instance'])]]);
for (const line of metricsOf(statusJson, [certificate]).split('\n')) {
  const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
  if (name === undefined) continue;
  const found = exported.get(name) ?? new Set(['instance']);
  for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) found.add(label);
  exported.set(name, found);
}

interface Panel {
  id: number;
  type: string;
  title: string;
  targets?: { expr: string; legendFormat: string }[];
}

const dashboard = JSON.parse(readFileSync('config/fleet/spliced-dashboard.json', 'utf8')) as {
  panels: Panel[];
  templating: { list: { query: unknown }[] };
};
const rules = readFileSync(rulesPath, 'utf8');
const recorded = new Set([...rules.matchAll(/- record: (\S+)/g)].map(([, name]) => name));

/** What is wrong with an expression's names; in `where`. */
function strangers(expr: string): string[] {
  const wrong: string[] = [];
  for (const [, name = '', matchers = ''] of expr.matchAll(
    /(?<![\w:])((?:spliced|process)_\w+|up)\b(?:\{([^}]*)\})?/g,
  )) {
    const labels = exported.get(name);
    if (labels === undefined) wrong.push(name);
    for (const [, label = ''] of matchers.matchAll(/(\w+)=/g)) {
      if (labels?.has(label) === false) wrong.push(`${name}{${label}}`);
    }
  }
  for (const [, names = ''] of expr.matchAll(/\b(?:by|without) \(([^)]*)\)/g)) {
    const first = /(?:spliced|process)_\w+/.exec(expr)?.[0] ?? '';
    for (const label of names.split(/, */)) {
      if (exported.get(first)?.has(label) === false) wrong.push(`by ${label} of ${first}`);
    }
  }
  for (const [name] of expr.matchAll(/\b\w+:\w+(?::\w+)?/g)) {
    if (!recorded.has(name)) wrong.push(name);
  }
  return wrong;
}

t.test('the rules are good, and say what they should of devices', async (t) => {
  const promtool = join(
    execFileSync('test/unit/fleet/get-promtool', { encoding: 'utf8' }).trim(),
    'promtool',
  );
  const cwd = t.testdir();
  copyFileSync(rulesPath, join(cwd, 'spliced-rules.yml'));
  copyFileSync('config/fleet/prometheus.yml', join(cwd, 'prometheus.yml'));
  copyFileSync('test/unit/fleet/rules-test.yml', join(cwd, 'rules-test.yml'));
  const run = (...args: string[]): string =>
    execFileSync(promtool, args, { cwd, encoding: 'utf8' });
  t.match(run('check', 'rules', 'spliced-rules.yml'), /SUCCESS/);
  t.match(run('test', 'rules', 'rules-test.yml'), /SUCCESS/);
  t.match(run('check', 'config', '--syntax-only', 'prometheus.yml'), /SUCCESS/);
});

t.test('rules and dashboard name what is exported', async (t) => {
  const each = rules.split(/^ +- (?=alert:|record:)/m).slice(1);
  t.ok(each.length > 15);
  for (const rule of each) t.same(strangers(rule.replace(/^record: .*/, '')), [], rule);
  t.match(strangers('rate(spliced_no_such_total{a="b"}[5m])'), ['spliced_no_such_total']);
  t.match(strangers('sum by (colour) (spliced_connections{x="y"})'), [/\{x\}/, /by colour/]);
  let expressions = 0;
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat } of targets) {
      expressions += 1;
      const legends = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      const name = /(?:spliced|process)_\w+/.exec(expr)?.[0] ?? 'up';
      t.same(strangers(expr), [], title);
      t.same(
        legends.filter((label) => exported.get(name)?.has(label) === false),
        [],
        `the legend of ${title}`,
      );
    }
  }
  t.ok(expressions > 25);
  t.same(strangers(JSON.stringify(dashboard.templating.list.map(({ query }) => query))), []);
});

t.test('the dashboard: each panel once, none without a figure', async (t) => {
  const { panels } = dashboard;
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  t.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
  for (const { type, title, targets = [] } of panels) {
    t.ok(type === 'row' || targets.length > 0, title);
  }
});
