// SPDX-License-Identifier: Apache-2.0
// TypeScript to JavaScript by esbuild: the server as an entry and the parts that it loads when
// they are needed, each test as one file beside its sources. Types are checked apart (`npm run check`, and as a suite of `npm test`). Called by
// scripts/setup.mjs and scripts/test.mjs once node_modules exists.
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundledPackages, noticesOf } from './bundled.mjs';

function commonOptions(projectDir) {
  const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));
  // SOURCE_DATE_EPOCH makes the bundle reproducible: https://reproducible-builds.org/specs/source-date-epoch/
  const epochSeconds = Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000));
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

/** Writes the server to `directory`, with the licences of what is in it; the answer is that list. */
export async function compileServer(projectDir, directory = join(projectDir, 'dist')) {
  const { build } = await import('esbuild');
  rmSync(directory, { recursive: true, force: true });
  const { metafile } = await build({
    ...commonOptions(projectDir),
    entryPoints: ['src/cli.ts'],
    outdir: directory,
    metafile: true,
    // What import() reaches becomes a file of its own: what nobody asks for is not even read.
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    // acme-client asks over our own exchange (src/certificates/acme.ts): axios's adapters, of which
    // its other build has the big ones, are never called.
    alias: { axios: 'axios/dist/browser/axios.cjs' },
    legalComments: 'eof',
    banner: {
      // The CommonJS packages in the bundle call require() for Node's own modules.
      js: [
        '// SPDX-License-Identifier: Apache-2.0',
        "import { createRequire as createRequireForBundle } from 'node:module';",
        'const require = createRequireForBundle(import.meta.url);',
      ].join('\n'),
    },
  });
  chmodSync(join(directory, 'cli.js'), 0o755);
  const packages = bundledPackages(projectDir, metafile);
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

/** Compiles the given test files to build/test/**; the answer is the list of compiled paths. */
export async function compileTests(projectDir, testFiles) {
  const { build } = await import('esbuild');
  rmSync(join(projectDir, 'build/test'), { recursive: true, force: true });
  await build({
    ...commonOptions(projectDir),
    entryPoints: testFiles,
    outbase: 'test',
    outdir: 'build/test',
    packages: 'external',
    plugins: [scriptsStayOutside],
    sourcemap: 'inline',
  });
  return testFiles.map((path) => path.replace(/^test\//, 'build/test/').replace(/\.ts$/, '.js'));
}
