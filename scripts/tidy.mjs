// SPDX-License-Identifier: Apache-2.0
// The rules of the project that no compiler knows, held by a test: headers, who may include or
// import whom, banned calls, file length, and nothing of one machine in a committed file. Every
// rule is a function from a file to findings. Run by scripts/check.mjs.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectDir } from './setup.mjs';

const linesMax = 400;
const sourceName =
  /(\.(ts|mjs|js|cpp|hpp|cc|c|h|sh|py|gyp|css|html)|(^|\/)Makefile|\.mk|\.ci\/run)$/;

// Which rooms of native/ a room may include besides itself. ARCHITECTURE.md says why.
const nativeRooms = {
  base: [],
  os: ['base'],
  ring: ['base', 'os', 'files'],
  http: ['base'],
  tls: ['base', 'os'],
  files: ['base', 'os', 'http'],
  upload: ['base', 'os', 'tls'],
  h2: ['base'],
  conn: ['base', 'os', 'ring', 'http', 'tls', 'files', 'upload', 'h2'],
  engine: ['base', 'os', 'ring', 'http', 'tls', 'files', 'upload', 'h2', 'conn'],
  experiment: ['base', 'os', 'tls'],
  selfcheck: ['base', 'os', 'tls'],
  seam: ['base', 'os', 'upload', 'engine', 'experiment', 'selfcheck'],
};
// Which rooms of src/ a room may import besides itself, where it is not what every room may (base) or
// a room that puts others together.
const scriptRooms = {
  log: ['base', 'engine'],
  files: ['base', 'log'],
  tls: ['base', 'engine'],
  site: ['base', 'files'],
  library: ['base', 'types'],
  serving: 'all but daemon commands',
  daemon: 'all but commands',
  commands: 'all',
};
const commonRooms = ['base', 'log', 'files', 'tls', 'power'];
const entryPoints = ['src/cli.ts', 'src/index.ts', 'src/globals.d.ts'];
const soleIncluders = [
  { header: /^<?"?(napi|node_api|js_native_api)\.h/, room: 'seam' },
  { header: /^<?"?liburing(\.h|\/)/, room: 'ring' },
  { header: /^<?"?openssl\//, room: 'tls' },
  { header: /^<?"?nghttp2\//, room: 'none: h2/abi.hpp declares it' },
];

const roomOf = (path, top) => {
  const parts = path.split('/');
  return parts[0] === top && parts.length > 2 ? parts[1] : undefined;
};

/** The text with comments blanked, lines kept: a rule about code must not read prose. */
function withoutComments(text) {
  const blank = (match) => match.replaceAll(/[^\n]/g, ' ');
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, blank).replaceAll(/(^|\s)\/\/[^\n]*/g, blank);
}

function* matches(text, pattern) {
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const match = pattern.exec(line);
    if (match) yield { line: index + 1, match };
  }
}

// A kernel module uses what the kernel exports to the GPL alone; it is for tests and never shipped.
const licenceOf = (path) =>
  path.startsWith('test/guest/caam-standin/') ? 'GPL-2.0' : 'Apache-2.0';

function* licenceRule(path, text) {
  if (!sourceName.test(path)) return;
  const head = text.split('\n', 3).join('\n');
  const line = `SPDX-License-Identifier: ${licenceOf(path)}`;
  if (!head.includes(line)) yield { line: 1, message: `the first lines need "${line}"` };
}

function* lengthRule(path, text) {
  const lines = text.split('\n').length - 1;
  if (sourceName.test(path) && lines > linesMax) {
    yield { line: lines, message: `${lines} lines; at most ${linesMax}: split the file` };
  }
}

function* includeRule(path, text) {
  const room = roomOf(path, 'native');
  if (room === undefined || !/\.(cpp|hpp|h)$/.test(path)) return;
  for (const { line, match } of matches(text, /^\s*#\s*include\s+([<"][^>"]+)/)) {
    const header = match[1];
    const rule = soleIncluders.find((entry) => entry.header.test(header));
    if (rule && rule.room !== room) {
      yield { line, message: `only native/${rule.room} includes ${header.slice(1)}` };
    }
    const target = header.startsWith('"') ? header.slice(1).split('/')[0] : undefined;
    const isRoom = target !== undefined && target in nativeRooms && header.includes('/');
    if (isRoom && target !== room && !nativeRooms[room]?.includes(target)) {
      yield { line, message: `native/${room} must not include native/${target}` };
    }
  }
}

// What decides about a request knows it, and not what it came over: HTTP/2 has many over one.
const requestFolders = /^native\/conn\/(request|file|proxy|upload)\//;
const requestHeaders =
  /^((request|file|proxy|upload)\/.*|accounts\/refusal_log|buffer|services|state|transport)\.hpp$/;

function* requestRule(path, text) {
  const folder = requestFolders.exec(path)?.[0];
  if (folder === undefined) return;
  for (const { line, match } of matches(text, /^\s*#\s*include\s+"conn\/([^"]+)"/)) {
    const header = match[1];
    if (!requestHeaders.test(header)) {
      yield { line, message: `${folder} must not include conn/${header}` };
    }
  }
  if (path === 'native/conn/request/request.hpp') return;
  for (const { line } of matches(withoutComments(text), /\bConnection\b|(->|\.)connection\b/)) {
    yield { line, message: `${folder} asks its connection by conn/transport.hpp` };
  }
}

function* closeRule(path, text) {
  const isAllowed = path.startsWith('native/os/') || basename(path).startsWith('closer');
  if (!path.startsWith('native/') || isAllowed) return;
  for (const { line } of matches(withoutComments(text), /(^|[^\w:])::close\s*\(/)) {
    yield { line, message: 'a bare ::close( belongs to native/os and the closer' };
  }
}

function* scriptRule(path, text) {
  if (!path.startsWith('src/')) return;
  const code = withoutComments(text);
  for (const { line } of matches(code, /\bconsole\.\w+\s*\(/)) {
    yield { line, message: 'src/ logs through log.ts; the command line writes to its streams' };
  }
  if (path !== 'src/cli.ts') {
    for (const { line } of matches(code, /\bprocess\.exit\s*\(/)) {
      yield { line, message: 'only src/cli.ts may end the process' };
    }
  }
  if (!['doctor', 'library'].includes(roomOf(path, 'src'))) {
    for (const { line } of matches(code, /\brmSync\s*\(/)) {
      yield { line, message: 'rmSync tells no errno since Node 24: remove by remove-file.ts' };
    }
  }
  // A new file is O_EXCL ('wx'), which follows no link; doctor's are in a directory of its own.
  if (roomOf(path, 'src') !== 'doctor') {
    const follows = /(^|[^.\w])writeFile(Sync)?\s*\(|\bopen(Sync)?\([^)]*, '(w|a)\+?'/;
    for (const { line } of matches(code, follows)) {
      yield { line, message: "write by replace-file.ts, or open with 'wx': a link may be planted" };
    }
  }
  if (path.endsWith('.ts') && roomOf(path, 'src') === undefined && !entryPoints.includes(path)) {
    yield { line: 1, message: 'the top of src/ is for entry points: put it into a room' };
  }
}

function* scriptRoomRule(path, text) {
  const room = roomOf(path, 'src');
  if (room === undefined) return;
  const allowed = scriptRooms[room] ?? commonRooms;
  const mayImport = (other) => {
    if (typeof allowed !== 'string') return allowed.includes(other);
    return !allowed.split(' ').slice(2).includes(other);
  };
  for (const { line, match } of matches(text, /(?:from |import\()'(\.[^']+)'/)) {
    const other = roomOf(join(dirname(path), match[1]), 'src');
    if (other !== undefined && other !== room && !mayImport(other)) {
      const message = `src/${room} must not import src/${other}: src/serving and src/daemon connect rooms`;
      yield { line, message };
    }
  }
}

// Hosts of package registries and mirrors, absolute paths of one machine. Patterns, not names.
const mirrorHost =
  /\/\/[\w.-]*\b(registry|mirrors?|proxy|artifactory|nexus|npm|pypi|deb|archive|ports|security)\b[\w-]*\.[\w.-]+/;
const bareRegistry = /\bregistry[\w-]*\.[\w-]+\.(com|org|net|io|dev|internal|local)\b/;
const registryHost = new RegExp(`${mirrorHost.source}|${bareRegistry.source}`, 'i');
const machinePath = /(^|[\s"'`=(:,])\/(?:work|root|home\/\w+|Users\/\w+)\/(?=[\w.-])/;

function* machineRule(path, text) {
  if (path === 'LICENSE') return;
  for (const { line } of matches(text, registryHost)) {
    yield { line, message: 'names the host of a package registry or mirror' };
  }
  for (const { line } of matches(text, machinePath)) {
    yield { line, message: 'holds an absolute path of one machine' };
  }
  if (basename(path) === 'package-lock.json') {
    for (const { line } of matches(text, /"resolved":/)) {
      yield { line, message: 'the lock file must not say where packages came from (.npmrc)' };
    }
  }
}

/** The files of src/ that a file's text imports when it is loaded; what import() reaches comes later. */
export function importsOf(path, text) {
  const froms = text.matchAll(/^(?:import|export)\b[^;]*? from '(\.[^']+)\.js'/gms);
  return [...froms].map(([, from]) => `${join(dirname(path), from)}.ts`);
}

/** A way along `graph` (a map of each file's imports) that ends where it began; undefined: none. */
export function findCycle(graph) {
  const done = new Set();
  const way = [];
  const visit = (path) => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return undefined;
    way.push(path);
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    way.pop();
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path);
    if (cycle) return cycle;
  }
  return undefined;
}

const documentOfCode = /^ARCHITECTURE\.md$|^(native|src|ui)\/(.*\/)?README\.md$/;
const namedSource = /`([\w./-]+\.(?:cpp|hpp|c|ts|mjs))(?::[^`]*)?`/g;

/** What the documents of the code call a file, by its path or the end of it, is one of `files`. */
export function* missingFiles(path, text, files) {
  if (!documentOfCode.test(path)) return;
  for (const { 1: name, index } of text.matchAll(namedSource)) {
    if (files.some((file) => file === name || file.endsWith(`/${name}`))) continue;
    const line = text.slice(0, index).split('\n').length;
    yield { line, message: `names ${name}: there is no such file` };
  }
}

const rules = [
  licenceRule,
  lengthRule,
  includeRule,
  requestRule,
  closeRule,
  scriptRule,
  scriptRoomRule,
  machineRule,
];

/** Files of the project: what git tracks and what it would add. */
function projectFiles() {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const result = spawnSync('git', args, { cwd: projectDir, encoding: 'utf8', maxBuffer: 64 << 20 });
  if (result.status !== 0) throw new Error(`git ls-files: ${result.stderr || result.error}`);
  return [...new Set(result.stdout.split('\0').filter(Boolean))].sort();
}

/** What the rules say about one file. The unit test calls this with files that break each rule. */
export function findingsIn(path, text) {
  return rules.flatMap((rule) => [...rule(path, text)]);
}

function checkProject() {
  let count = 0;
  const graph = new Map();
  // Not what is deleted, and not yet committed.
  const files = projectFiles().filter((path) => existsSync(join(projectDir, path)));
  for (const path of files) {
    const content = readFileSync(join(projectDir, path));
    if (content.includes(0)) continue; // Binary.
    const text = content.toString('utf8');
    if (/^src\/.*\.ts$/.test(path)) graph.set(path, importsOf(path, text));
    const findings = [...findingsIn(path, text), ...missingFiles(path, text, files)];
    for (const { line, message } of findings) {
      console.log(`${path}:${line}: ${message}`);
      count += 1;
    }
  }
  const cycle = findCycle(graph);
  if (cycle) console.log(`${cycle.join(' imports ')}: move what both need into a file of its own`);
  return count === 0 && !cycle ? 0 : 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = checkProject();
}
