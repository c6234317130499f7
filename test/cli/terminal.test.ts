// SPDX-License-Identifier: Apache-2.0
// A server at a terminal speaks to a person; anywhere else, and when it is asked to, in JSON. The
// terminal is a pseudo-terminal of terminal.py.

import { spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { logLines, startCli } from './server.js';

/** Runs to READY, ends it by Ctrl-C, and answers with all that the terminal has shown. */
async function atTerminal(
  t: Test,
  command: string[],
  env: NodeJS.ProcessEnv,
  readyWord: RegExp,
): Promise<{ code: number | null; text: string }> {
  const child = spawn('python3', ['test/cli/terminal.py', ...command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (data) => {
    const wasReady = readyWord.test(text);
    text += data;
    if (!wasReady && readyWord.test(text)) child.kill('SIGTERM');
  });
  const code = await new Promise<number | null>((settle) => child.on('close', settle));
  return { code, text: text.replaceAll('\r', '') };
}

const serve = (directory: string): string[] => [
  process.execPath,
  'dist/cli.js',
  'serve',
  '--listen',
  '127.0.0.1:0',
  '--state-dir',
  `${directory}/state`,
];

t.test('in words', async (t) => {
  const directory = t.testdir();
  const { code, text } = await atTerminal(t, serve(directory), {}, /^stop +Ctrl-C/m);
  t.equal(code, 0);
  t.equal(logLines(text).length, 0, 'no JSON');
  const place = `--state-dir ${directory}/state`;
  t.match(
    text,
    /^certificate +the device's own, until \d{4}-\d\d-\d\d; .*: node dist\/cli\.js certificate ca /m,
  );
  t.match(text, /^serving +https:\/\/127\.0\.0\.1:\d+\/ \(the files of .*public\)$/m);
  t.match(text, /^page +https:\/\/127\.0\.0\.1:\d+\/\.spliced\/ui\/$/m);
  t.match(text, /^sign in +.*: node dist\/cli\.js token /m);
  t.ok(text.includes(`token ${place}\n`), 'a command that can be pasted');
  t.match(text, /^(\^C)?stopping +/m);
  t.match(text, /^stopped +0 requests answered, 0 connections aborted$/m);
  // The claim is told once the API is there, which may be too late here.
  const lines = text.split('\n').filter((line) => !/^(\^C)?(claim .*)?$/.test(line));
  t.equal(lines.length, 7, text);
});

t.test('JSON when it is asked for, and without a terminal', async (t) => {
  const directory = t.testdir();
  const env = { SPLICED_LOG_FORMAT: 'json' };
  const { code, text } = await atTerminal(t, serve(directory), env, /"event":"ready"/);
  t.equal(code, 0);
  t.match(
    logLines(text).map(({ event }) => event),
    ['certificate', 'started', 'ready'],
  );
  const server = await startCli(directory, []);
  t.teardown(() => server.child.kill('SIGKILL'));
  t.equal(server.ready.event, 'ready');
  server.child.kill('SIGTERM');
  t.equal((await server.ended).code, 0);
});

t.test('words without a terminal when they are asked for', async (t) => {
  const directory = t.testdir();
  const [program = '', ...args] = serve(directory);
  const child = spawn(program, args, {
    env: { ...process.env, SPLICED_LOG_FORMAT: 'text' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
    if (/^stop /m.test(text)) child.kill('SIGTERM');
  });
  await new Promise((settle) => child.on('close', settle));
  t.match(text, /^page +https/m);
});
