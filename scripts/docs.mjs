// SPDX-License-Identifier: Apache-2.0
// `npm run docs`: writes docs/CONFIGURATION.md and config/spliced.toml from the schema of the
// configuration (src/config/schema.ts) and the prose in CONFIGURATION.md.in, and man/ from the schema and
// the commands' help (manual.mjs). Unit tests compare the files with what the functions here make, so
// that they cannot go stale. Run `npm run build` first: the help is that of dist/cli.js.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  helpTexts,
  manualPaths,
  renderCommandManual,
  renderCompletion,
  renderConfigurationManual,
} from './manual.mjs';

const projectDir = dirname(dirname(fileURLToPath(import.meta.url)));
export const documentPath = 'docs/CONFIGURATION.md';
export const examplePath = 'config/spliced.toml';
const lineWidth = 98;

const tableOf = (key) => (key.includes('.') ? key.slice(0, key.lastIndexOf('.')) : '');
const nameOf = (key) => key.slice(key.lastIndexOf('.') + 1);

/** JSON writes strings, whole numbers and arrays of strings as TOML does. */
const tomlOf = (value) => JSON.stringify(value).replaceAll('","', '", "');

/** The settings by table, in the order of the schema; "" is the top level. */
function groupsOf(settings) {
  const groups = new Map();
  for (const [key, setting] of settings) {
    const table = tableOf(key);
    groups.set(table, [...(groups.get(table) ?? []), [nameOf(key), setting]]);
  }
  return groups;
}

const formatWords = {
  path: 'a path',
  'path or nothing': 'a path, or `""` for none',
  'file or nothing': 'a path or `credential:NAME`, or `""` for none',
  'text or nothing': 'one line, or `""` for none',
  'https URL or nothing': 'a URL with https, or `""` for none',
  'e-mail address or nothing': 'an e-mail address, or `""` for none',
  'listen addresses': '1 to 8 addresses',
  'listen addresses or none': 'up to 8 addresses',
  'certificate pairs': 'up to 16 pairs',
  'group names': '1 to 16 names',
  names: 'up to 100 names',
  'subjects or fingerprints': 'up to 64 of them',
  'path prefixes': 'up to 64 paths that begin with `/`',
  'route path': 'a path that begins with `/`',
  'file name or nothing': 'a file below the directory, or `""` for none',
  'field names': 'up to 16 names of fields',
  'request path or nothing': 'a path that begins with `/`, or `""` for none',
  'upstream or nothing': '`unix:/PATH`, `tcp:ADDRESS:PORT`, or `""` for none',
  'field value': 'up to 128 visible characters',
  'location or nothing': 'a URL, or a path that begins with `/`',
  'header fields': 'up to 32 of `Name: value`',
  program: 'a program and its arguments',
  methods: 'GET, HEAD, POST, PUT, PATCH, DELETE',
  body: 'at most 8 KiB',
};

function allowedOf({ format, min, max }) {
  if (Array.isArray(format)) return format.map((word) => `\`${tomlOf(word)}\``).join(', ');
  if (format === 'rate') return `0, or ${min} to ${max}`;
  if (min !== undefined) return `${min} to ${max}`;
  return formatWords[format] ?? format;
}

function rowOf([name, setting]) {
  const option = setting.option ? `\`--${setting.option}\`` : '';
  const cells = [
    `\`${name}\``,
    `\`${tomlOf(setting.default)}\``,
    allowedOf(setting),
    `${option}${option ? '<br>' : ''}\`${setting.env}\``,
    `${setting.doc}${setting.isLive ? ' Live.' : ''}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function routeRowOf([name, setting]) {
  const cells = [`\`${name}\``, `\`${tomlOf(setting.default)}\``, allowedOf(setting), setting.doc];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The text of docs/CONFIGURATION.md. `routes` are the settings of a [[route]] by their names. */
export function renderDocument(settings, routes) {
  const template = readFileSync(join(projectDir, 'scripts/CONFIGURATION.md.in'), 'utf8');
  const parts = [...groupsOf(settings)].map(([table, rows]) =>
    [
      `### ${table === '' ? 'Top level' : `\`[${table}]\``}`,
      '',
      '| key | default | allowed | option, variable | meaning |',
      '|---|---|---|---|---|',
      ...rows.map(rowOf),
    ].join('\n'),
  );
  const routeTable = [
    '| key | default | allowed | meaning |',
    '|---|---|---|---|',
    ...Object.entries(routes).map(routeRowOf),
  ].join('\n');
  return template
    .replace('{{settings}}', () => parts.join('\n\n'))
    .replace('{{routes}}', () => routeTable);
}

/** A comment of TOML, wrapped at words. */
function commentOf(text) {
  const lines = ['#'];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line.length + 1 + word.length > lineWidth) lines.push(`# ${word}`);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join('\n');
}

function exampleOf([name, setting]) {
  const { doc, default: fallback, isLive } = setting;
  const bounds = commentOf(`Allowed: ${allowedOf(setting).replaceAll('`', '')}.`);
  const live = isLive ? ' A reload puts it into effect.' : '';
  const text = commentOf(`${doc.replaceAll('`', '')}${live}`);
  return [text, bounds, `#${name} = ${tomlOf(fallback)}`].join('\n');
}

/** The text of config/spliced.toml: every key with its default, commented out. */
export function renderExample(settings) {
  const head = [
    '# SPDX-License-Identifier: Apache-2.0',
    '# Configuration of spliced, as /etc/spliced/spliced.toml. Every key is here with its default,',
    '# commented out. Check a change with "spliced config check". Relative paths are',
    '# taken from the working directory of the server: write absolute ones.',
    '# Made by "npm run docs" from src/config/schema.ts; docs/CONFIGURATION.md explains the layers.',
  ].join('\n');
  const parts = [...groupsOf(settings)].flatMap(([table, rows]) => [
    ...(table === '' ? [] : [`[${table}]`]),
    ...rows.map(exampleOf),
  ]);
  return `${[head, ...parts].join('\n\n')}\n`;
}

/** The files of man/ by their paths. */
export function renderManuals(settings, routes) {
  const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));
  const helps = helpTexts(projectDir);
  const words = { allowedOf, tomlOf };
  return {
    [manualPaths.command]: renderCommandManual(helps, version),
    [manualPaths.configuration]: renderConfigurationManual(settings, routes, version, words),
    [manualPaths.completion]: renderCompletion(helps),
  };
}

async function load(path) {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    absWorkingDir: projectDir,
    entryPoints: [path],
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { schema, settingsOf } = await load('src/config/schema.ts');
  const { routeSchema } = await load('src/config/routes.ts');
  const settings = settingsOf(schema);
  const files = {
    [documentPath]: renderDocument(settings, routeSchema),
    [examplePath]: renderExample(settings),
    ...renderManuals(settings, routeSchema),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(projectDir, dirname(path)), { recursive: true });
    writeFileSync(join(projectDir, path), text);
    console.log(`${path}: written`);
  }
}
