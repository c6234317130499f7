// SPDX-License-Identifier: Apache-2.0
// Where values come from: the files, then SPLICED_* variables, then options; the later wins. Gives
// every assignment with its origin, and what is wrong with the layers themselves: unknown keys,
// broken files, keys that are there twice. Called by configuration.ts, which judges the values.

import { type ConfigText, configVariable, readConfigFiles } from './files.js';
import { nearest } from './nearest.js';
import { routeSchema } from './routes.js';
import type { Setting } from './setting.js';
import { readToml, type TomlDocument } from './toml.js';

export type Origin =
  | { kind: 'default' }
  | { kind: 'file'; path: string; line: number }
  | { kind: 'environment'; name: string }
  | { kind: 'option'; name: string };

export interface Assignment {
  key: string;
  value: unknown;
  origin: Origin;
}

/** A finding: the whole line for the user, and its place; without one it comes first. */
export interface Problem {
  text: string;
  origin?: Origin;
  /** The setting, or what was taken for one. */
  key?: string;
}

/** Options as node:util parseArgs returns them, by the name that the user types. */
export type CommandOptions = Record<string, string | (string | boolean)[] | boolean | undefined>;

/** A [[route]] table: what it sets, by its keys within the table. */
export interface RouteLayer {
  origin: Origin;
  assignments: Assignment[];
}

export interface Layers {
  assignments: Assignment[];
  routes: RouteLayer[];
  /** The files that were read, in order. */
  files: string[];
  problems: Problem[];
  /** What is probably a mistake and stops nothing. */
  warnings: string[];
}

export const routeTable = 'route';

type Settings = ReadonlyMap<string, Setting>;

/** How a user finds the place again: FILE:LINE, the variable's name, or the option. */
export function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.path}:${origin.line}`;
    case 'environment':
      return origin.name;
    case 'option':
      return `--${origin.name}`;
  }
}

/** The beginning of an error: in a file the key is named too, elsewhere the place says it. */
export function labelOf(key: string, origin: Origin): string {
  if (origin.kind === 'default') return key;
  const place = originText(origin);
  return origin.kind === 'file' ? `${place}: ${key}` : place;
}

const lastPart = (key: string): string => key.slice(key.lastIndexOf('.') + 1);
const variablePart = (env: string): string => env.replace(/^SPLICED_/, '');

/** The tables of the schema: "tls", "limits" and so on. */
function tablesOf(settings: Settings): Set<string> {
  const keys = [...settings.keys()].filter((key) => key.includes('.'));
  return new Set(keys.map((key) => key.slice(0, key.lastIndexOf('.'))));
}

function suggestion(name: string | undefined, otherwise: string): string {
  return name === undefined ? otherwise : `did you mean ${name}?`;
}

/** What is wrong with a key that is no setting; undefined when nothing is. */
function unknownKey(key: string, value: unknown, settings: Settings): string | undefined {
  const tables = tablesOf(settings);
  if (tables.has(key)) {
    const isEmpty = typeof value === 'object' && Object.keys(value as object).length === 0;
    return isEmpty ? undefined : `is a table: write [${key}] and its keys below`;
  }
  const owner = [...settings.keys()].find((name) => key.startsWith(`${name}.`));
  if (owner !== undefined) return `${owner} holds a value and is no table`;
  const likely = nearest(key, settings.keys(), (name) => [
    name,
    lastPart(name),
    variablePart(settings.get(name)?.env ?? ''),
  ]);
  const table = key.includes('.') ? key.slice(0, key.lastIndexOf('.')) : '';
  const allowed = [...settings.keys(), ...(table === '' ? tables : [])]
    .filter((name) => (table === '' ? !name.includes('.') : name.startsWith(`${table}.`)))
    .map((name) => (table === '' ? name : lastPart(name)));
  const place = table === '' ? 'the top level' : `[${table}]`;
  return `there is no such key; ${suggestion(likely, `${place} has ${allowed.join(', ')}`)}`;
}

/** One file's assignments; a table that does not exist is named once, not for each of its keys. */
function fromFile(path: string, document: TomlDocument, settings: Settings, into: Layers): void {
  const report = (line: number, key: string, message: string): void => {
    const origin = { kind: 'file', path, line } as const;
    const text =
      key === '' ? `${originText(origin)}: ${message}` : `${labelOf(key, origin)}: ${message}`;
    into.problems.push(key === '' ? { text, origin } : { text, origin, key });
  };
  for (const { key, line, message } of document.problems) report(line, key, message);
  const tables = tablesOf(settings);
  const unknownTables: string[] = [];
  for (const { key, line } of document.tables) {
    if (tables.has(key) || unknownTables.some((table) => key.startsWith(`${table}.`))) continue;
    unknownTables.push(key);
    const known = [...tables].map((name) => `[${name}]`);
    const likely = nearest(key, tables);
    const hint = suggestion(likely && `[${likely}]`, `there are ${known.join(', ')}`);
    const message = settings.has(key)
      ? `holds a value and is no table: write ${key} = ... above the first table`
      : `there is no table [${key}]; ${hint}`;
    report(line, key, message);
  }
  for (const { key, line, entries } of document.elements) {
    if (key !== routeTable) {
      report(line, key, `there are no tables [[${key}]]; there is [[${routeTable}]]`);
      continue;
    }
    const origin = { kind: 'file', path, line } as const;
    const assignments: Assignment[] = [];
    for (const entry of entries) {
      if (Object.hasOwn(routeSchema, entry.key)) {
        assignments.push({ ...entry, origin: { kind: 'file', path, line: entry.line } });
        continue;
      }
      const names = Object.keys(routeSchema);
      const hint = suggestion(nearest(entry.key, names), `[[route]] has ${names.join(', ')}`);
      report(entry.line, `${routeTable}.${entry.key}`, `there is no such key; ${hint}`);
    }
    into.routes.push({ origin, assignments });
  }
  for (const { key, value, line } of document.entries) {
    if (unknownTables.some((table) => key.startsWith(`${table}.`))) continue;
    if (settings.has(key)) {
      into.assignments.push({ key, value, origin: { kind: 'file', path, line } });
      continue;
    }
    const message = unknownKey(key, value, settings);
    if (message !== undefined) report(line, key, message);
  }
}

function fromEnvironment(env: NodeJS.ProcessEnv, settings: Settings, into: Layers): void {
  const names = new Map([...settings].map(([key, { env: name }]) => [name, key]));
  for (const [name, key] of names) {
    const value = env[name];
    if (value === undefined) continue;
    into.assignments.push({ key, value, origin: { kind: 'environment', name } });
  }
  // Others may use the same prefix (a container's links, our own scripts): only what looks like a
  // slip is worth a word, and it never stops the start.
  for (const name of Object.keys(env)) {
    if (!name.startsWith('SPLICED_') || names.has(name) || name === configVariable) continue;
    const likely = nearest(variablePart(name), names.keys(), (known) => [variablePart(known)]);
    const isNear = likely !== undefined && likely.length - name.length <= 2;
    if (isNear) into.warnings.push(`${name}: there is no such variable; did you mean ${likely}?`);
  }
}

function fromOptions(options: CommandOptions, settings: Settings, into: Layers): void {
  for (const [key, { option }] of settings) {
    const value = option === undefined ? undefined : options[option];
    if (option === undefined || value === undefined) continue;
    into.assignments.push({ key, value, origin: { kind: 'option', name: option } });
  }
}

/** By layer, in a file by line. */
export function inOrder({ files, problems }: Layers): Problem[] {
  const rankOf = ({ origin }: Problem): [layer: number, line: number] => {
    if (origin === undefined || origin.kind === 'default') return [-1, 0];
    if (origin.kind === 'file') return [files.indexOf(origin.path), origin.line];
    return [files.length + (origin.kind === 'option' ? 1 : 0), 0];
  };
  const compare = (a: Problem, b: Problem): number => {
    const [[layerA, lineA], [layerB, lineB]] = [rankOf(a), rankOf(b)];
    return layerA - layerB || lineA - lineB;
  };
  return [...problems].sort(compare);
}

function addFile({ path, text }: ConfigText, settings: Settings, layers: Layers): void {
  layers.files.push(path);
  const document = readToml(text, (key) => settings.has(key));
  fromFile(path, document, settings, layers);
}

/** A text as if it were the only file, without variables and options. */
export function layersOfText(file: ConfigText, settings: Settings): Layers {
  const layers: Layers = { assignments: [], routes: [], files: [], problems: [], warnings: [] };
  addFile(file, settings, layers);
  return layers;
}

/** Reads every layer, the weakest first. Problems are lines for the user, none is thrown. */
export function readLayers(
  settings: Settings,
  options: CommandOptions,
  env: NodeJS.ProcessEnv,
  defaultPath?: string,
): Layers {
  const layers: Layers = { assignments: [], routes: [], files: [], problems: [], warnings: [] };
  const named = (options.config as string | undefined) ?? env[configVariable];
  if (named === '') {
    const place = options.config === undefined ? configVariable : '--config';
    layers.problems.push({ text: `${place}: must be the path of a file` });
  } else {
    const { files, problems } = readConfigFiles(named, defaultPath);
    layers.problems.push(...problems.map((text) => ({ text })));
    for (const file of files) addFile(file, settings, layers);
  }
  fromEnvironment(env, settings, layers);
  fromOptions(options, settings, layers);
  return layers;
}
