// SPDX-License-Identifier: Apache-2.0
// The manual pages and the completion are what `npm run docs` makes of the commands' help and of the
// schema, have every command, option and setting, are good man(7) by mandoc's judgement, and complete
// in a real bash.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { renderManuals } from '../../scripts/docs.mjs';
import { helpTexts, manualPaths } from '../../scripts/manual.mjs';
import { routeSchema } from '../../src/config/routes.js';
import { schema, settingsOf } from '../../src/config/schema.js';

const pages = [manualPaths.command, manualPaths.configuration];
const shown = (page: string): string => {
  const { stdout } = spawnSync('mandoc', ['-T', 'utf8', '-O', 'width=500', page], {
    encoding: 'utf8',
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: mandoc overstrikes what is bold.
  return stdout.replaceAll(/.\x08/g, '');
};

t.test('the files are current', async (t) => {
  for (const [path, text] of Object.entries(renderManuals(settingsOf(schema), routeSchema))) {
    const advice = 'is not stale: otherwise "npm run build && npm run docs" writes it anew';
    t.equal(readFileSync(path, 'utf8'), text, `${path} ${advice}`);
  }
});

t.test('mandoc finds nothing', async (t) => {
  for (const page of pages) {
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], {
      encoding: 'utf8',
    });
    // A date would differ with every build.
    t.same(
      stdout.split('\n').filter((line) => line !== '' && !line.includes('missing date')),
      [],
    );
  }
});

t.test('nothing is missing', async (t) => {
  const commands = shown(manualPaths.command);
  for (const [name, help] of helpTexts(process.cwd())) {
    t.match(commands, name || 'spliced', `spliced ${name}`.trim());
    for (const [option] of help.matchAll(/--[a-z][\w-]+/g)) t.match(commands, option, option);
  }
  const configuration = shown(manualPaths.configuration);
  for (const [key, { env }] of settingsOf(schema)) {
    t.match(configuration, `${key} = `);
    t.match(configuration, env);
  }
  for (const key of Object.keys(routeSchema)) t.match(configuration, `${key} = `);
});

const complete = (...words: string[]): string[] => {
  const script = `. ${manualPaths.completion}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spliced; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['-c', script, 'bash', 'spliced', ...words];
  const { stdout, stderr } = spawnSync('bash', args, { encoding: 'utf8' });
  t.equal(stderr, '');
  return stdout.trim().split('\n');
};

t.test('bash completes', async (t) => {
  t.same(complete('cert'), ['certificate']);
  t.same(complete('update', 'ins'), ['install']);
  t.same(complete('serve', '--tls'), ['--tls-offload']);
  t.same(complete('serve', '--tls-offload', ''), ['auto', 'off']);
  t.same(complete('certificate', 'install', 'README'), ['README.md'], 'a file');
});
