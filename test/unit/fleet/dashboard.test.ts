// SPDX-License-Identifier: Apache-2.0
// The dashboard has the shape that Grafana's schema asks for (grafana/grafana, kinds/dashboard/dashboard_kind.cue): what
// an import would refuse or silently leave out. fleet.test.ts has what it asks Prometheus.

import { readFileSync } from 'node:fs';
import t from 'tap';

// biome-ignore lint/suspicious/noExplicitAny: each of its parts is judged here.
type Json = any;

const text = readFileSync('config/fleet/spliced-dashboard.json', 'utf8');
const columns = 24;
const panelTypes = ['row', 'stat', 'timeseries', 'table'];
const variableTypes = ['query', 'constant', 'datasource', 'interval', 'textbox', 'custom'];
/** Grafana's own. */
const builtIn = /^__/;
const source = { type: 'prometheus', uid: `$\{source}` };

const isWhole = (value: Json, min: number, max = Infinity): boolean =>
  Number.isInteger(value) && value >= min && value <= max;
const isSource = (value: Json): boolean => JSON.stringify(value) === JSON.stringify(source);
const isUnique = (values: Json[]): boolean => new Set(values).size === values.length;

function isPlaced({ gridPos: at }: Json): boolean {
  const { x, y, w, h } = at ?? {};
  return isWhole(x, 0, columns - 1) && isWhole(y, 0) && isWhole(h, 1) && isWhole(w, 1, columns - x);
}

function areApart({ gridPos: a }: Json, { gridPos: b }: Json): boolean {
  return a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
}

function areThresholds({ mode, steps }: Json): boolean {
  const values: Json[] = steps.map(({ value }: Json) => value);
  const isSorted = values.every((value, i) =>
    i === 0 ? value === null : value > (values[i - 1] ?? -Infinity),
  );
  return (
    ['absolute', 'percentage'].includes(mode) &&
    isSorted &&
    steps.every(({ color }: Json) => typeof color === 'string')
  );
}

/** What is wrong with a panel that shows figures. */
function faultsOfPanel({ title, datasource, targets, fieldConfig }: Json): string[] {
  const wrong: string[] = [];
  if (!isSource(datasource)) wrong.push(`${title}: datasource`);
  if (!Array.isArray(targets) || !isUnique(targets.map(({ refId }: Json) => refId)))
    wrong.push(`${title}: targets`);
  for (const { refId, expr, datasource: of } of targets ?? []) {
    if (!/^[A-Z]$/.test(refId) || typeof expr !== 'string' || !isSource(of))
      wrong.push(`${title}: target ${refId}`);
  }
  if (!Array.isArray(fieldConfig?.overrides)) wrong.push(`${title}: overrides`);
  const thresholds = fieldConfig?.defaults?.thresholds;
  if (thresholds !== undefined && !areThresholds(thresholds)) wrong.push(`${title}: thresholds`);
  return wrong;
}

function faultsOf(dashboard: Json): string[] {
  const { id, uid, title, schemaVersion, time, refresh, templating, panels } = dashboard;
  const wrong: string[] = [];
  const must = (isRight: boolean, what: string): void => {
    if (!isRight) wrong.push(what);
  };
  must(id === undefined, 'id: it is of one Grafana');
  must(/^[\w-]{8,40}$/.test(uid), 'uid');
  must(typeof title === 'string' && title !== '', 'title');
  must(isWhole(schemaVersion, 30, 65_535), 'schemaVersion');
  must(/^now(-\d+[smhd])?$/.test(time?.from) && time?.to === 'now', 'time');
  must(/^\d+[smhd]$/.test(refresh), 'refresh');
  const variables: Json[] = templating?.list ?? [];
  for (const { name, type, datasource } of variables) {
    must(variableTypes.includes(type) && /^\w+$/.test(name), `variable ${name}`);
    must(type !== 'query' || isSource(datasource), `datasource of ${name}`);
  }
  const names = variables.map(({ name }) => name);
  must(isUnique(names), 'variables: twice');
  for (const [, name = ''] of JSON.stringify(dashboard).matchAll(/\$\{?(\w+)/g)) {
    must(builtIn.test(name) || names.includes(name), `$${name}: no such variable`);
  }
  for (const [i, panel] of panels.entries()) {
    must(
      panelTypes.includes(panel.type) && isWhole(panel.id, 1) && typeof panel.title === 'string',
      `panel ${panel.title}`,
    );
    must(isPlaced(panel), `${panel.title}: gridPos`);
    for (const other of panels.slice(0, i))
      must(areApart(panel, other), `${panel.title}: over ${other.title}`);
    if (panel.type !== 'row') wrong.push(...faultsOfPanel(panel));
    else must(panel.collapsed === false && panel.panels?.length === 0, `row ${panel.title}`);
  }
  return wrong;
}

t.test('it has the shape of the schema', async (t) => {
  t.same(faultsOf(JSON.parse(text)), []);
});

t.test('and what has not is found', async (t) => {
  const faults: [string, (dashboard: Json) => void][] = [
    ['id: it is of one Grafana', (d) => Object.assign(d, { id: 7 })],
    ['uid', (d) => Object.assign(d, { uid: 'a b' })],
    ['title', (d) => delete d.title],
    ['schemaVersion', (d) => Object.assign(d, { schemaVersion: '36' })],
    ['time', (d) => delete d.time],
    ['refresh', (d) => Object.assign(d, { refresh: 60 })],
    ['variable source', (d) => Object.assign(d.templating.list[0], { type: 'prometheus' })],
    ['datasource of instance', (d) => delete d.templating.list[1].datasource],
    ['$source: no such variable', (d) => d.templating.list.shift()],
    ['Devices that answer: gridPos', (d) => Object.assign(d.panels[1].gridPos, { x: 21 })],
    [
      'Devices that do not: over Devices that answer',
      (d) => Object.assign(d.panels[2].gridPos, { x: 3 }),
    ],
    [
      'Devices that answer: datasource',
      (d) => Object.assign(d.panels[1], { datasource: 'Prometheus' }),
    ],
    ['Devices that answer: target undefined', (d) => delete d.panels[1].targets[0].refId],
    ['Devices that answer: targets', (d) => d.panels[1].targets.push(d.panels[1].targets[0])],
    ['Devices that answer: overrides', (d) => delete d.panels[1].fieldConfig.overrides],
    [
      'Devices that do not: thresholds',
      (d) => d.panels[2].fieldConfig.defaults.thresholds.steps.reverse(),
    ],
    ['panel Devices that answer', (d) => Object.assign(d.panels[1], { type: 'singlestat' })],
    ['row The fleet', (d) => delete d.panels[0].panels],
  ];
  for (const [fault, make] of faults) {
    const dashboard = JSON.parse(text);
    make(dashboard);
    t.ok(faultsOf(dashboard).includes(fault), fault);
  }
});
