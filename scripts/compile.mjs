// SPDX-License-Identifier: Apache-2.0
// TypeScript to JavaScript by esbuild: the server as an entry and the parts that it loads when
// they are needed, the library as one file, each test as one file beside its sources. Types are checked apart (`npm run check`,
// and as a suite of `npm test`). Called by scripts/setup.mjs and scripts/test.mjs once node_modules
// exists.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { bundledPackages, noticesOf } from './bundled.mjs';
import { compileUi } from './compile-ui.mjs';

// SOURCE_DATE_EPOCH makes the bundle reproducible: https://reproducible-builds.org/specs/source-date-epoch/
const nowSeconds = () => Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000));

function commonOptions(projectDir, epochSeconds = nowSeconds()) {
  const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));
  return {
    absWorkingDir: projectDir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
    define: {
      SPLICED_VERSION: JSON.stringify(version),
      SPLICED_BUILD_DATE_MS: String(epochSeconds * 1000),
    },
  };
}

/** esbuild's metafile of the last compileServer(). */
export const bundleReport = 'build/bundle.json';

const license = '// SPDX-License-Identifier: Apache-2.0';

// Where a file of the bundle is, as import.meta.url says it in the source.
const ownUrl = 'fileUrlOfBundle';
const ownUrlLine = `const ${ownUrl} = require('node:url').pathToFileURL(__filename).href;`;

/** A file of the bundle as CommonJS: Node starts without its loader for modules (docs/PERFORMANCE.md). */
async function toCommonJs({ transform }, { path, text }) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    // Else an import() would bring that loader back.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': ownUrl },
    legalComments: 'eof',
    banner: text.includes('import.meta.url') ? `${license}\n${ownUrlLine}` : license,
  });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code);
}

/** What is run: it asks for the version before Node reads anything that an old one cannot parse. */
function entryText(projectDir) {
  const guard = readFileSync(join(projectDir, 'scripts/node-version.cjs'), 'utf8');
  return `#!/usr/bin/env node\n${guard}if (major >= needed) require('./program.js');\n`;
}

/** Writes the server and its page to `directory`, with the licences of what is in it; the answer is that list. */
export async function compileServer(
  projectDir,
  directory = join(projectDir, 'dist'),
  epochSeconds = undefined,
) {
  const esbuild = await import('esbuild');
  rmSync(directory, { recursive: true, force: true });
  const { outputFiles, metafile } = await esbuild.build({
    ...commonOptions(projectDir, epochSeconds),
    entryPoints: ['src/cli.ts'],
    outdir: directory,
    // What import() reaches becomes a file of its own: what nobody asks for is not even read.
    // esbuild does that in this format alone; toCommonJs() makes the other one of it.
    splitting: true,
    write: false,
    metafile: true,
    chunkNames: 'chunks/[name]-[hash]',
    // acme-client asks over our own exchange (src/certificates/acme.ts): axios's adapters, of which
    // its other build has the big ones, are never called.
    alias: { axios: 'axios/dist/browser/axios.cjs' },
    legalComments: 'eof',
  });
  for (const file of outputFiles) await toCommonJs(esbuild, file);
  // Apart, so that the server's start does not read parts that it would share with the library.
  const library = await esbuild.build({
    ...commonOptions(projectDir, epochSeconds),
    entryPoints: ['src/index.ts'],
    outdir: directory,
    write: false,
    metafile: true,
    legalComments: 'eof',
  });
  for (const file of library.outputFiles) await toCommonJs(esbuild, file);
  // What is in which file of this checkout's bundle, for the tests; not for a device.
  if (directory === join(projectDir, 'dist')) {
    mkdirSync(join(projectDir, 'build'), { recursive: true });
    writeFileSync(join(projectDir, bundleReport), JSON.stringify(metafile));
  }
  // The project's own package.json says otherwise.
  writeFileSync(join(directory, 'package.json'), '{ "type": "commonjs" }\n');
  const cli = join(directory, 'cli.js');
  renameSync(cli, join(directory, 'program.js'));
  writeFileSync(cli, entryText(projectDir));
  chmodSync(cli, 0o755);
  await compileUi(projectDir, join(directory, 'ui'), cli);
  const outputs = { ...metafile.outputs, ...library.metafile.outputs };
  const packages = bundledPackages(projectDir, { outputs });
  writeFileSync(join(directory, 'THIRD-PARTY-NOTICES'), noticesOf(packages));
  return packages;
}

// A test of a script imports the script itself: bundled, it would take itself for the main program.
const scriptsStayOutside = {
  name: 'scripts-stay-outside',
  setup(builder) {
    builder.onResolve({ filter: /\/scripts\/[^/]+\.mjs$/ }, ({ path, resolveDir }) => ({
      path: resolve(resolveDir, path),
      external: true,
    }));
  },
};

/** Compiles the given test files to `directory`/**; the answer is the list of compiled paths. */
export async function compileTests(projectDir, testFiles, directory = 'build/test') {
  const { build } = await import('esbuild');
  rmSync(join(projectDir, directory), { recursive: true, force: true });
  await build({
    ...commonOptions(projectDir),
    entryPoints: testFiles,
    outbase: 'test',
    outdir: directory,
    packages: 'external',
    plugins: [scriptsStayOutside],
    sourcemap: 'inline',
  });
  return testFiles.map((path) => path.replace(/^test/, directory).replace(/\.ts$/, '.js'));
}
