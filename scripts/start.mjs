// SPDX-License-Identifier: Apache-2.0
// `npm start [-- OPTIONS]`: set up what is missing, then be the server. The server runs in this
// very process, so that signals and the exit code need no forwarding.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectDir, runScript, setUp } from './setup.mjs';

await runScript(async () => {
  await setUp();
  const cli = join(projectDir, 'dist/cli.js');
  process.argv = [process.execPath, cli, 'serve', ...process.argv.slice(2)];
  await import(pathToFileURL(cli).href);
  return process.exitCode;
});
