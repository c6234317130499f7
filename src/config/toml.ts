// SPDX-License-Identifier: Apache-2.0
// A TOML file as a list of assignments, each with its line. The library (smol-toml) reads values but
// gives no positions and stops at its first error; so a scanner that knows only strings, comments
// and brackets cuts the text into statements, and the library reads each alone. What is left for it
// to judge is the whole: without a finding it reads the file once more. Called by layers.ts.

import { parse, TomlError } from 'smol-toml';

/** A value and where it stands. `line` counts from 1. */
export interface TomlEntry {
  key: string;
  value: unknown;
  line: number;
}

/** A finding: `key` is "" where the text is too broken to name one. */
export interface TomlProblem {
  key: string;
  line: number;
  message: string;
}

export interface TomlDocument {
  entries: TomlEntry[];
  /** Headers such as [tls], by name, also without a key below. */
  tables: { key: string; line: number }[];
  /** Headers such as [[route]], each with the values below it; their keys are within the table. */
  elements: { key: string; line: number; entries: TomlEntry[] }[];
  problems: TomlProblem[];
}

interface Statement {
  text: string;
  line: number;
  /** Where its first "=" is; undefined in a header. */
  equals: number | undefined;
}

// Inline tables and arrays in each other; no setting needs more than one.
const depthMax = 16;

/** Behind the string that begins at `start`; an unfinished one-line string ends with its line. */
function endOfString(text: string, start: number): number {
  const quote = text[start] ?? '';
  const isMultiLine = text.startsWith(quote.repeat(3), start);
  const closing = isMultiLine ? quote.repeat(3) : quote;
  let at = start + closing.length;
  while (at < text.length) {
    if (text[at] === '\\' && quote === '"') at += 2;
    else if (!isMultiLine && text[at] === '\n') return at;
    else if (text.startsWith(closing, at)) {
      at += closing.length;
      // Up to two quotes may stand before the closing three.
      for (let more = 0; isMultiLine && more < 2 && text[at] === quote; more += 1) at += 1;
      return at;
    } else at += 1;
  }
  return text.length;
}

function endOfComment(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end;
}

/** The statement that begins at `start`: it ends with its line, or with its last bracket. */
function statementAt(text: string, start: number, line: number): Statement {
  const isHeader = text[start] === '[';
  let equals: number | undefined;
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text[at];
    if (char === '\n' && (isHeader || depth <= 0)) break;
    if (char === '#') at = endOfComment(text, at);
    else if (char === '"' || char === "'") at = endOfString(text, at);
    else {
      if (char === '=' && !isHeader) equals ??= at - start;
      if (char === '[' || char === '{') depth += 1;
      if (char === ']' || char === '}') depth -= 1;
      at += 1;
    }
  }
  const isCrLf = text[at] === '\n' && text[at - 1] === '\r';
  return { text: text.slice(start, isCrLf ? at - 1 : at), line, equals };
}

function* statementsOf(text: string): Generator<Statement> {
  let line = 1;
  let at = text.startsWith('\ufeff') ? 1 : 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (char === '#') at = endOfComment(text, at);
    else if (char === '\n' || char === '\r' || char === ' ' || char === '\t') {
      if (char === '\n') line += 1;
      at += 1;
    } else {
      const statement = statementAt(text, at, line);
      yield statement;
      line += statement.text.split('\n').length - 1;
      at += statement.text.length;
    }
  }
}

type Table = Record<string, unknown>;

function isTable(value: unknown): value is Table {
  const isObject = typeof value === 'object' && value !== null;
  return isObject && !Array.isArray(value) && !(value instanceof Date);
}

/** The key as TOML writes it: a part that is no bare key is quoted. */
function keyName(path: string[]): string {
  return path.map((part) => (/^[\w-]+$/.test(part) ? part : JSON.stringify(part))).join('.');
}

function parseTable(text: string): Table {
  return parse(text, { maxDepth: depthMax }) as Table;
}

/** The library's reason without its drawing, and the line counted from the statement's own. */
function problemOf(error: unknown, key: string, line: number): TomlProblem {
  if (!(error instanceof TomlError)) throw error;
  const [reason = ''] = error.message.replace('Invalid TOML document: ', '').split('\n', 1);
  return { key, line: line + error.line - 1, message: `is not TOML: ${reason}` };
}

/** The names down to the first that does not hold exactly one other. */
function onlyPath(table: Table): string[] {
  const [[name, inner] = [], more] = Object.entries(table);
  if (name === undefined || more !== undefined) return [];
  const first = Array.isArray(inner) ? inner[0] : inner;
  return isTable(first) ? [name, ...onlyPath(first)] : [name];
}

function keyOf({ text, equals }: Statement): string {
  if (equals === undefined) return '';
  try {
    return keyName(onlyPath(parseTable(`${text.slice(0, equals)}= 0`)));
  } catch {
    return '';
  }
}

/** Every value in a table, down to the settings: what is inside of one of these is its value. */
function* leavesOf(
  table: Table,
  prefix: string[],
  isSetting: (key: string) => boolean,
): Generator<[key: string, value: unknown]> {
  for (const [name, value] of Object.entries(table)) {
    const path = [...prefix, name];
    const key = keyName(path);
    const isInner = isTable(value) && Object.keys(value).length > 0 && !isSetting(key);
    if (isInner) yield* leavesOf(value, path, isSetting);
    else yield [key, value];
  }
}

/** Collects the statements of one file. */
class Reader {
  readonly document: TomlDocument = { entries: [], tables: [], elements: [], problems: [] };
  readonly #isSetting: (key: string) => boolean;
  #element: TomlEntry[] | undefined;
  readonly #lines = new Map<string, number>();
  #header: string[] = [];

  constructor(isSetting: (key: string) => boolean) {
    this.#isSetting = isSetting;
  }

  take(statement: Statement): void {
    const { text, line, equals } = statement;
    try {
      const table = parseTable(text);
      if (equals === undefined) this.#takeHeader(text, table, line);
      else this.#takePair(table, line);
    } catch (error) {
      const inner = keyOf(statement);
      const header = keyName(this.#header);
      const key = inner === '' || header === '' ? inner : `${header}.${inner}`;
      this.document.problems.push(problemOf(error, key, line));
    }
  }

  #takeHeader(text: string, table: Table, line: number): void {
    this.#header = onlyPath(table);
    const key = keyName(this.#header);
    this.#element = undefined;
    if (text.startsWith('[[')) {
      this.#element = [];
      this.document.elements.push({ key, line, entries: this.#element });
      return;
    }
    this.#once(`[${key}]`, key, line, 'the table');
    this.document.tables.push({ key, line });
  }

  #takePair(table: Table, line: number): void {
    if (this.#element !== undefined) {
      const within = this.#element;
      for (const [key, value] of leavesOf(table, [], () => true)) {
        const first = within.find((entry) => entry.key === key);
        if (first === undefined) within.push({ key, value, line });
        else {
          const message = `the key is there twice; the first is in line ${first.line}`;
          this.document.problems.push({ key: `${keyName(this.#header)}.${key}`, line, message });
        }
      }
      return;
    }
    for (const [key, value] of leavesOf(table, this.#header, this.#isSetting)) {
      this.#once(key, key, line, 'the key');
      this.document.entries.push({ key, value, line });
    }
  }

  #once(name: string, key: string, line: number, what: string): void {
    const first = this.#lines.get(name);
    if (first === undefined) this.#lines.set(name, line);
    else {
      const message = `${what} is there twice; the first is in line ${first}`;
      this.document.problems.push({ key, line, message });
    }
  }
}

/** Reads the text; never throws for what a user wrote. `isSetting` knows the keys that hold values. */
export function readToml(text: string, isSetting: (key: string) => boolean): TomlDocument {
  const reader = new Reader(isSetting);
  for (const statement of statementsOf(text)) reader.take(statement);
  const { document } = reader;
  if (document.problems.length === 0) {
    try {
      parseTable(text);
    } catch (error) {
      document.problems.push(problemOf(error, '', 1));
    }
  }
  return document;
}
