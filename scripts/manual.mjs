// SPDX-License-Identifier: Apache-2.0
// The manual pages spliced(1) and spliced.toml(5), and the completion for bash: from the help texts of
// the commands (`--help` of dist/cli.js) and from the schema of the configuration. Written by `npm run
// docs`; a test compares, so that they cannot go stale. Pages are in man(7), for mandoc and groff.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Where `npm run docs` writes them. */
export const manualPaths = {
  command: 'man/spliced.1',
  configuration: 'man/spliced.toml.5',
  completion: 'man/spliced.bash',
};

/** What `--help` prints, of every command by its name; "" has the list of them. */
export function helpTexts(projectDir) {
  const ask = (...command) => {
    const args = [join(projectDir, 'dist/cli.js'), ...command, '--help'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`spliced ${command.join(' ')} --help: ${stderr}`);
    return stdout;
  };
  const all = ask();
  const names = [...all.matchAll(/^ {2}([a-z][\w-]*) {2,}\S/gm)].map(([, name]) => name);
  return new Map([['', all], ...names.map((name) => [name, ask(name)])]);
}

/** Text as roff takes it: a backslash, a hyphen that may be copied, a dot at the beginning of a line. */
const roff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');

const bold = (text) => `\\fB${roff(text)}\\fR`;

/** `code` in a description becomes bold. */
const prose = (text) =>
  text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? bold(part) : roff(part)))
    .join('')
    .replace(/^([.'])/, '\\&$1');

const head = (name, section, version) =>
  [
    '.\\" SPDX-License-Identifier: Apache-2.0',
    '.\\" Made by "npm run docs".',
    `.TH ${name} ${section} "" "spliced ${version}"`,
  ].join('\n');

/** A help text in its parts: the usage, paragraphs, and rows of a word and what it means. */
export function parseHelp(text) {
  const [, usage = '', rest = ''] = /^Usage: ([\s\S]*?)\n\n([\s\S]*)$/.exec(text) ?? [];
  const parts = [];
  for (const line of rest.split('\n')) {
    const row =
      /^ {0,2}(\S(?:.*?\S)?) {2,}(\S.*)$/.exec(line) ?? /^ {2}(-\S+ \S+) (\S.*)$/.exec(line);
    const last = parts.at(-1);
    if (line === '') parts.push({ kind: 'gap' });
    else if (row) parts.push({ kind: 'row', word: row[1], text: row[2] });
    else if (/^ {3,}\S/.test(line) && last?.kind === 'row') last.text += ` ${line.trim()}`;
    else if (last?.kind === 'text') last.text += ` ${line.trim()}`;
    else parts.push({ kind: 'text', text: line.trim() });
  }
  return {
    usage: usage.split('\n').map((line) => line.trim()),
    parts: parts.filter(({ kind }) => kind !== 'gap'),
  };
}

const partOf = ({ kind, word, text }) =>
  kind === 'row' ? `.TP\n${bold(word)}\n${roff(text)}` : `.PP\n${roff(text)}`;

/** What every command has, and the page says once. */
const common = ['--help', '--version'];

/** A section for a command, or for several that share their help. */
function sectionOf(text, names) {
  const help = parseHelp(text);
  const title = names.map((name) => `spliced ${roff(name)}`).join(', ');
  const usage = help.usage.map((line) => `.B ${roff(line)}`).join('\n.br\n');
  const parts = help.parts.filter(({ word }) => !common.includes(word));
  return [`.SS ${title}`, usage, ...parts.map(partOf)].join('\n');
}

/** The text of spliced(1). */
export function renderCommandManual(helps, version) {
  const { parts } = parseHelp(helps.get(''));
  const [about] = parts;
  const sections = new Map();
  for (const [name, text] of helps) {
    if (name !== '') sections.set(text, [...(sections.get(text) ?? []), name]);
  }
  return `${[
    head('SPLICED', 1, version),
    '.SH NAME',
    'spliced \\- HTTPS service of an embedded appliance',
    '.SH SYNOPSIS',
    '.B spliced',
    '.I COMMAND',
    '.RI [ OPTIONS ]',
    '.SH DESCRIPTION',
    roff(about.text),
    '.PP',
    'What a command shows or changes is the service that runs on this device, or is installed on it.',
    '.SH COMMANDS',
    ...[...sections].map(([text, names]) => sectionOf(text, names)),
    '.PP\nEvery command has',
    `${bold('--help')}; ${bold('spliced --version')} prints the version.`,
    '.SH EXIT STATUS',
    '.TP\n.B 0\nDone; nothing was lost.',
    '.TP\n.B 1\nSomething was lost, refused or failed.',
    '.TP\n.B 2\nWrong usage or configuration; a line on standard error says what to do.',
    '.SH SIGNALS',
    '.TP\n.B SIGTERM, SIGINT\nNo new connections; active responses are finished, and the encrypted backlog of every socket is sent. A second one ends the wait.',
    '.TP\n.B SIGHUP\nReads the configuration and the certificates again. A mistake changes nothing.',
    '.SH FILES',
    '.TP\n.I /etc/spliced/spliced.toml, /etc/spliced/spliced.d/*.toml\nThe configuration.',
    '.TP\n.I /var/lib/spliced\nThe state of the installed service: its certificates and keys, updates, sockets.',
    '.SH SEE ALSO',
    '.BR spliced.toml (5),',
    '.BR systemctl (1),',
    '.BR journalctl (1)',
  ].join('\n')}\n`;
}

const settingOf = ([key, { doc, default: fallback, option, env, isLive }], allowed, toml) =>
  [
    '.TP',
    `${bold(key)} = ${roff(toml(fallback))}`,
    `${prose(doc)}${isLive ? ' A reload puts it into effect.' : ''}`,
    `Allowed: ${prose(allowed)}.`,
    ...(env ? [`Also: ${option ? `${bold(`--${option}`)}, ` : ''}${bold(env)}.`] : []),
  ].join('\n');

/** The text of spliced.toml(5). `words` has how docs.mjs names formats and writes values. */
export function renderConfigurationManual(settings, routes, version, { allowedOf, tomlOf }) {
  const row = (entry) => settingOf(entry, allowedOf(entry[1]), tomlOf);
  return `${[
    head('SPLICED.TOML', 5, version),
    '.SH NAME',
    'spliced.toml \\- configuration of spliced',
    '.SH SYNOPSIS',
    '.I /etc/spliced/spliced.toml',
    '.br',
    '.I /etc/spliced/spliced.d/*.toml',
    '.SH DESCRIPTION',
    'A file in TOML. A later layer wins: the defaults, this file, the files of the directory in the order',
    'of their names, environment variables, options of the command line.',
    '.B spliced config check',
    'tells every mistake at once with its file and line, and',
    '.B spliced config show',
    'where each value comes from.',
    '.SH SETTINGS',
    'With their defaults.',
    ...[...settings].map(row),
    '.SH ROUTES',
    'The keys of a',
    `${bold('[[route]]')}.`,
    ...Object.entries(routes).map(row),
    '.SH SEE ALSO',
    '.BR spliced (1)',
  ].join('\n')}\n`;
}

/** The words of a usage line's "a|b|c" behind the command. */
function subcommandsOf(name, { usage }) {
  const words = usage.flatMap((line) => {
    const [, word = ''] = new RegExp(`^spliced ${name} ([a-z][\\w|-]*)`).exec(line) ?? [];
    return word.split('|');
  });
  return [...new Set(words)].filter((word) => word !== '');
}

/** The text of the completion: bash(1), "Programmable Completion". */
export function renderCompletion(helps) {
  const names = [...helps.keys()].filter((name) => name !== '');
  const cases = names.map((name) => {
    const help = parseHelp(helps.get(name));
    const options = help.parts.flatMap(({ kind, word }) =>
      kind === 'row' && word.startsWith('--') ? [word.split(' ')[0]] : [],
    );
    const words = [...subcommandsOf(name, help), ...new Set(options)];
    return `    ${name}) words='${words.join(' ')}' ;;`;
  });
  return `# SPDX-License-Identifier: Apache-2.0
# Completion of spliced for bash. Made by "npm run docs".
_spliced() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} words=''
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W '${names.join(' ')} --help --version' -- "$current"))
    return
  fi
  case $previous in
    --tls-offload) COMPREPLY=($(compgen -W 'auto off' -- "$current")); return ;;
    --root | --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
    --config | --certificate | --private-key) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # What is no word of ours may be a file.
  [ \${#COMPREPLY[@]} != 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -o filenames -F _spliced spliced
`;
}
