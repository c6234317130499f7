// SPDX-License-Identifier: Apache-2.0
// `npm run pack`: the package for boards, build/package/spliced-VERSION.tgz, and its bill of materials
// beside it (CycloneDX). The same commit gives the same bytes: times come from SOURCE_DATE_EPOCH, or
// from the commit. `npm install --offline` of it compiles nothing and downloads nothing.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { prebuildPath, targets } from '../cross/targets.mjs';
import { normalise } from './archive.mjs';
import { compileServer } from './compile.mjs';
import { ensurePrebuilds, insidePrebuilds } from './prebuild.mjs';
import { billOfMaterials } from './sbom.mjs';
import { listFiles, projectDir, run, runScript } from './setup.mjs';
import { SetupError } from './system.mjs';

const packageDir = join(projectDir, 'build/package');

/** Seconds of the epoch that stand for "now" in what is shipped. */
export function sourceDateEpoch() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) {
    if (/^\d{1,11}$/.test(given)) return Number(given);
    throw new SetupError(`SOURCE_DATE_EPOCH must be seconds of the epoch, not "${given}".`);
  }
  const git = ['log', '-1', '--format=%ct'];
  const { status, stdout } = spawnSync('git', git, { cwd: projectDir, encoding: 'utf8' });
  if (status === 0) return Number(stdout);
  throw new SetupError('This is no clone: set SOURCE_DATE_EPOCH to the seconds of the release.');
}

/**
 * The manifest of a board: nothing to install, nothing to run at install. `private` keeps a checkout
 * from being published; this package may be, to a registry of the user's own.
 */
function boardManifest() {
  const {
    private: _,
    scripts,
    devDependencies,
    overrides,
    gypfile,
    ...rest
  } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));
  return rest;
}

/**
 * Lays out what the package holds in an empty directory: what `files` of package.json says, with
 * today's prebuilds alone and a bundle of its own. The answer is what is in the bundle.
 */
async function stage(directory, epochSeconds) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const manifest = boardManifest();
  const made = ['dist/', 'prebuilds/'];
  const directories = manifest.files.filter((path) => /^\w+\/$/.test(path) && !made.includes(path));
  const documents = listFiles('docs').filter((path) => path.endsWith('.md'));
  const prebuilds = [...targets.map(prebuildPath), 'prebuilds/THIRD-PARTY-NOTICES'];
  for (const path of [...directories, ...documents, ...prebuilds, 'LICENSE', 'README.md']) {
    cpSync(join(projectDir, path), join(directory, path), { recursive: true });
  }
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return compileServer(projectDir, join(directory, 'dist'), epochSeconds);
}

/** Makes the package and its bill of materials; the answer has their paths. */
export async function makePackage() {
  await ensurePrebuilds();
  const epochSeconds = sourceDateEpoch();
  const staged = join(packageDir, 'stage');
  const bundled = await stage(staged, epochSeconds);
  normalise(staged);
  const { name, version } = JSON.parse(readFileSync(join(staged, 'package.json'), 'utf8'));
  const archive = join(packageDir, `${name}-${version}.tgz`);
  rmSync(archive, { force: true });
  run('npm pack', 'npm', ['pack', '--ignore-scripts', '--pack-destination', packageDir, staged]);
  const bill = join(packageDir, `${name}-${version}.cdx.json`);
  writeFileSync(
    bill,
    billOfMaterials({ archive, bundled, epochSeconds, native: insidePrebuilds() }),
  );
  return { archive, bill };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    for (const file of Object.values(await makePackage())) {
      console.log(`${(statSync(file).size / 1024).toFixed(0).padStart(5)} KiB  ${file}`);
    }
    return 0;
  });
}
