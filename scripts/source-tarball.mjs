// SPDX-License-Identifier: Apache-2.0
// `npm run tarball`: makes build/release/spliced-VERSION.tar.gz, from which a distribution builds
// without a network (scripts/package.sh): what git tracks, the bundled dist/, node-addon-api's headers,
// and the licence of the table of media types. Then writes the tarball's checksums of licences into the
// recipe, should they have changed. `npm run release` has it among its files.
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { archive, copyInto, copyTracked, git } from './archive.mjs';
import { describePackage } from './bundled.mjs';
import { compileServer } from './compile.mjs';
import { sourceDateEpoch } from './pack.mjs';
import { ensureModules, projectDir, runScript } from './setup.mjs';

const { version, license } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));
export const releaseName = `spliced-${version}`;
export const recipePath = `yocto-layer/recipes-spliced/spliced/spliced_${version}.bb`;

// What git tracks beneath these is in a release; sources of the tests and of dist/ are not.
const trackedPaths = [
  'LICENSE',
  'README.md',
  'ARCHITECTURE.md',
  'binding.gyp',
  'package.json',
  'config',
  'docs',
  'man',
  'native',
  'public',
  'scripts/package.sh',
  'systemd',
  'test/ptest',
];
const headersDirectory = 'node_modules/node-addon-api';
const mediaTypesDirectory = 'node_modules/mime-db';
const headerFiles = /^(LICENSE\.md|package\.json|index\.js|.*\.gypi?|.*\.h|nothing\.c)$/;

/** Lays the tarball out in `stage`; the answer is the recipe's LICENSE. */
async function layOut(stage, epochSeconds) {
  copyTracked(stage, ...trackedPaths);
  for (const name of readdirSync(join(projectDir, headersDirectory))) {
    if (headerFiles.test(name)) copyInto(stage, join(headersDirectory, name));
  }
  copyInto(stage, join(mediaTypesDirectory, 'LICENSE'));
  const bundled = await compileServer(projectDir, join(stage, 'dist'), epochSeconds);
  const inAddon = [headersDirectory, mediaTypesDirectory].map((path) => join(projectDir, path));
  const packages = [...bundled, ...inAddon.map(describePackage)];
  const others = new Set(packages.map(({ licence }) => licence));
  others.delete(license);
  return [license, ...[...others].sort()].join(' & ');
}

/** The lines about licences in the recipe of this version. */
function licenceLines(stage, expression) {
  const md5 = (name) =>
    createHash('md5')
      .update(readFileSync(join(stage, name)))
      .digest('hex');
  const names = [
    'LICENSE',
    'dist/THIRD-PARTY-NOTICES',
    `${headersDirectory}/LICENSE.md`,
    `${mediaTypesDirectory}/LICENSE`,
  ];
  const sums = names.map((name) => `    file://${name};md5=${md5(name)} \\\n`);
  return `LICENSE = "${expression}"\nLIC_FILES_CHKSUM = "\\\n${sums.join('')}"\n`;
}

/** The recipe's text with the lines about licences replaced. */
export function withLicences(recipe, lines) {
  return recipe.replace(/^LICENSE = .*\nLIC_FILES_CHKSUM = "\\\n(?: .*\n)*"\n/m, () => lines);
}

/**
 * Writes `${directory}/spliced-VERSION.tar.gz`; the answer is its path, and the lines that its
 * recipe must have.
 */
export async function makeTarball(directory) {
  const work = mkdtempSync(join(tmpdir(), 'spliced-tarball-'));
  try {
    const epoch = sourceDateEpoch();
    const stage = join(work, releaseName);
    mkdirSync(stage);
    const expression = await layOut(stage, epoch);
    const tarball = join(directory, `${releaseName}.tar.gz`);
    archive(tarball, work, releaseName, epoch);
    return { tarball, licences: licenceLines(stage, expression) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes the lines into the recipe, and says so, where they have changed. */
export function updateRecipe(licences) {
  const recipe = readFileSync(join(projectDir, recipePath), 'utf8');
  const updated = withLicences(recipe, licences);
  if (updated === recipe) return;
  writeFileSync(join(projectDir, recipePath), updated);
  console.log(`${recipePath}: licences have changed; look at them and commit`);
}

/** Whether everything that a release is made from is committed. */
export const isCommitted = () => git('status', '--porcelain').trim() === '';

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    await ensureModules();
    const { tarball, licences } = await makeTarball(join(projectDir, 'build/release'));
    const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
    console.log(`${tarball}: ${statSync(tarball).size} bytes, sha256 ${sha256}`);
    if (!isCommitted()) {
      console.log('there are changes that are not committed: this is no release yet');
    }
    updateRecipe(licences);
    return 0;
  });
}
