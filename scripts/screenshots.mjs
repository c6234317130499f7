// SPDX-License-Identifier: Apache-2.0
// `npm run screenshots [-- [--whole] DIRECTORY]`: makes docs/images/ui-*.png, the pictures of the page.
import { spawnSync } from 'node:child_process';
import { compileTests } from './compile.mjs';
import { projectDir, runScript, setUp } from './setup.mjs';
import { screenshotPackages } from './system.mjs';

await runScript(async () => {
  await setUp(screenshotPackages);
  const [program] = await compileTests(projectDir, ['test/ui/screenshots.ts'], 'build/screenshots');
  const args = [program, ...process.argv.slice(2)];
  return spawnSync(process.execPath, args, { cwd: projectDir, stdio: 'inherit' }).status ?? 1;
});
