// SPDX-License-Identifier: Apache-2.0
// What the README and docs/ tell people to type. Every shell block is run here or by the test that
// `runElsewhere` names, or its first line says why not: "# not run by a test: ...". What is called
// there must exist: commands of spliced with their actions and options, npm's scripts, our files.

import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import { socketOf } from './api.js';
import { runCli, type Server, startServer } from './server.js';

const files = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync('docs').map((name) => `docs/${name}`),
]
  .filter((path) => path.endsWith('.md'))
  .sort();
const textOf = (path: string): string => readFileSync(path, 'utf8');
const blocksOf = (path: string): string[] =>
  [...textOf(path).matchAll(/^```(?:sh|bash)\n(.*?)^```$/gms)].map(([, block = '']) => block);

const runElsewhere: Record<string, string> = {
  'docs/RELEASES.md': 'test/unit/release-signature.test.ts',
  'docs/SYSTEMD.md': 'test/guest/systemd.test.ts',
};
const runHere = new Set(['docs/API.md', 'docs/UPLOAD.md', 'docs/CLIENT-CERTIFICATES.md']);
const reason = /^# not run by a test: \S.*/;

t.test('every block is run, or says why not', async (t) => {
  for (const path of files) {
    for (const block of blocksOf(path)) {
      const name = `${path}: ${block.split('\n', 1)[0]}`;
      const { status, stderr } = spawnSync('bash', ['-n'], { input: block, encoding: 'utf8' });
      t.equal(status, 0, `${name}: ${stderr}`);
      const isRun = runHere.has(path) || existsSync(runElsewhere[path] ?? '');
      t.ok(isRun || reason.test(block), name);
    }
  }
});

const helps = new Map<string, string>();

async function helpOf(command: string): Promise<string> {
  const known = helps.get(command) ?? (await runCli([command, '--help'])).stdout;
  helps.set(command, known);
  return known;
}

const withActions = ['config', 'certificate', 'device', 'update'];

/** What is wrong with a command line of spliced; empty: nothing. Also for a usage, with [] and |. */
async function troubleWith(line: string): Promise<string> {
  const [command = '', ...words] = line
    .replace(/\s#.*$/, '')
    .split(/[\s[\]]+/)
    .filter(Boolean);
  if (command.startsWith('--') || command === 'COMMAND') return '';
  const help = await helpOf(command);
  if (!help.startsWith('Usage:')) return `there is no command ${command}`;
  for (const [, option] of line.matchAll(/(?<=[\s[|])(--[a-z][\w-]*)/g)) {
    if (!help.includes(option ?? '')) return `${command} has no ${option}`;
  }
  const [actions = ''] = words;
  if (!withActions.includes(command) || !/^[a-z-]+(\|[a-z-]+)*$/.test(actions)) return '';
  const unknown = actions.split('|').find((one) => !new RegExp(`\\b${one}\\b`).test(help));
  return unknown === undefined ? '' : `${command} has no ${unknown}`;
}

t.test('commands of spliced', async (t) => {
  let count = 0;
  for (const path of files) {
    const text = textOf(path);
    const inText = [...text.matchAll(/`(?:node dist\/cli\.js|spliced) ([^`\n]+)`/g)];
    const fenced = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block]) => block).join('');
    const indented = [...text.matchAll(/^ {4}\S.*$/gm)].map(([line]) => line.trim()).join('\n');
    const inBlocks = [
      ...`${fenced}\n${indented}`.matchAll(/^(?:.*&& )?(?:spliced|node dist\/cli\.js) (.+)$/gm),
    ];
    for (const [, line = ''] of [...inText, ...inBlocks]) {
      if (!/^[a-z-]/.test(line) || /^[a-z]+\.\w/.test(line)) continue;
      count += 1;
      t.equal(await troubleWith(line), '', `${path}: spliced ${line}`);
    }
  }
  t.ok(count > 60, `${count} of them`);
  t.match(await troubleWith('status --jsom'), /no --jsom/, 'the judge judges');
  t.match(await troubleWith('certificate shw'), /no shw/);
  t.match(await troubleWith('statsu'), /no command/);
});

t.test("npm's scripts, and files of the repository", async (t) => {
  const { scripts } = JSON.parse(textOf('package.json'));
  for (const path of files) {
    for (const [, name = ''] of textOf(path).matchAll(/\bnpm run ([\w:-]+)/g)) {
      t.ok(Object.hasOwn(scripts, name), `${path}: npm run ${name}`);
    }
    for (const block of blocksOf(path)) {
      const ours = /(?<![\w/.$-])(?:test|scripts|bench|dist)\/[\w./-]+/g;
      for (const [file] of block.matchAll(ours)) t.ok(existsSync(file), `${path}: ${file}`);
    }
  }
});

interface Scene {
  directory: string;
  state: string;
  server: Server;
  /** Runs a script as an operator's shell would, and answers with what it shows. */
  shell(script: string): Promise<string>;
}

async function startScene(t: Test, settings: string): Promise<Scene> {
  // Short, for the sockets' paths.
  const directory = mkdtempSync(join(tmpdir(), 'spliced-docs-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const state = join(directory, 'state');
  mkdirSync(join(directory, 'www/private'), { recursive: true });
  writeFileSync(join(directory, 'www/private/index.html'), 'private\n');
  writeFileSync(
    join(directory, 'spliced'),
    `#!/bin/sh\nexec "${process.execPath}" "${resolve('dist/cli.js')}" "$@"\n`,
    { mode: 0o755 },
  );
  const config = join(directory, 'spliced.toml');
  writeFileSync(
    config,
    `root = "${directory}/www"\nstate_dir = "${state}"\nlisten = ["127.0.0.1:0"]\n${settings}`,
  );
  const command = [process.execPath, 'dist/cli.js', 'serve', '--config', config];
  const server = await startServer(command, {}, 60_000);
  t.teardown(() => server.child.kill('SIGKILL'));
  await socketOf(state, 'api.sock');
  const env = { ...process.env, PATH: `${directory}:${process.env.PATH}`, SPLICED_CONFIG: config };
  const shell = (script: string): Promise<string> => {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let shown = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        shown += data;
      });
    }
    return new Promise((settle) => {
      child.on('close', (code) => {
        t.equal(code, 0, `the script ends well: ${code === 0 ? '' : `${script}\n${shown}`}`);
        settle(shown);
      });
    });
  };
  return { directory, state, server, shell };
}

t.test('docs/API.md', async (t) => {
  const { state, server, shell } = await startScene(t, '');
  const script = blocksOf('docs/API.md').join('\n').replaceAll('/var/lib/spliced', state);
  const shown = await shell(script);
  t.match(shown, /-----BEGIN CERTIFICATE REQUEST/);
  t.match(shown, /did you mean root/);
  t.equal((await server.ended).code, 0, 'drained');
});

t.test('docs/UPLOAD.md', async (t) => {
  const settings = '[update]\nadapter = "command"\ncommand = ["/bin/true"]\n';
  const { directory, state, server, shell } = await startScene(t, settings);
  const bundle = join(directory, 'bundle.raucb');
  writeFileSync(bundle, 'a bundle');
  const blocks = blocksOf('docs/UPLOAD.md');
  t.equal(blocks.length, 2);
  const [first = '', second = ''] = blocks.map((block) =>
    block
      .replaceAll('/var/lib/spliced', state)
      .replaceAll('/path/of/bundle.raucb', bundle)
      .replaceAll('DEVICE', `localhost:${server.port}`)
      .replaceAll('/upload/ID', '/upload/$id'),
  );
  // The person who pastes takes the ID from the answer.
  const announced = /^api --json .*$/m;
  const take = `id=$(printf %s "$answer" | grep -o 'upload/[^"]*' | cut -d/ -f2)`;
  const announce = (block: string): string =>
    block.replace(announced, (line) => `answer=$(${line})\n${take}`);
  const again = announced.exec(first)?.[0] ?? 'false';
  const script = `${announce(first)}\n${announce(again)}\noffset=0\n${second}`;
  const shown = await shell(script);
  t.match(shown, /"name":"bundle\.raucb","length":8,"sha256"/);
  t.match(shown, /"uploads":\[\]/);
});

t.test('docs/CLIENT-CERTIFICATES.md', async (t) => {
  const [block = '', ...more] = blocksOf('docs/CLIENT-CERTIFICATES.md');
  t.same(more, []);
  const at = block.indexOf('curl ');
  const directory = mkdtempSync(join(tmpdir(), 'spliced-clients-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const made = spawnSync('bash', ['-euo', 'pipefail', '-c', block.slice(0, at)], {
    cwd: directory,
    encoding: 'utf8',
  });
  t.equal(made.status, 0, made.stderr);
  const settings = `[client_certificates]\nca = "${directory}/clients-ca.pem"\nrequire = ["/private"]\n`;
  const { server, shell } = await startScene(t, settings);
  const curl = block
    .slice(at)
    .replace('//device:8443', `//localhost:${server.port}`)
    .replace('curl', 'curl -sS --fail');
  const shown = await shell(`cd ${directory}\nspliced certificate ca >device-ca.pem\n${curl}`);
  t.equal(shown, 'private\n');
});
