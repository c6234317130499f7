// SPDX-License-Identifier: Apache-2.0
// `npm run release`: makes build/release/spliced-VERSION.tar.gz, from which a distribution builds
// without a network (scripts/package.sh): what git tracks, the bundled dist/, node-addon-api's headers,
// and the licence of the table of media types. The same sources give the same bytes. Then writes the tarball's checksums of licences
// into the recipe, should they have changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describePackage } from './bundled.mjs';
import { compileServer } from './compile.mjs';
import { sourceDateEpoch } from './pack.mjs';
import { projectDir, runScript, setUp } from './setup.mjs';
import { SetupError } from './system.mjs';

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

function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (result.status === 0) return result.stdout;
  const reason = result.stderr?.trim() || result.error?.message || `exit code ${result.status}`;
  throw new SetupError(`${command} ${args[0]}: ${reason}`);
}

const git = (...args) => capture('git', args, { cwd: projectDir });

/** Modes and times must not depend on umask or on when a file was checked out. */
function normalise(path) {
  const status = statSync(path);
  if (status.isDirectory()) for (const name of readdirSync(path)) normalise(join(path, name));
  chmodSync(path, status.isDirectory() || status.mode & 0o100 ? 0o755 : 0o644);
}

/** Lays the release out in `stage`; the answer is the recipe's LICENSE. */
async function layOut(stage) {
  const tracked = git('ls-files', '-z', '--', ...trackedPaths)
    .split('\0')
    .filter(Boolean);
  for (const path of tracked) {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    cpSync(join(projectDir, path), join(stage, path));
  }
  for (const name of readdirSync(join(projectDir, headersDirectory))) {
    if (!headerFiles.test(name)) continue;
    cpSync(join(projectDir, headersDirectory, name), join(stage, headersDirectory, name));
  }
  const licence = join(mediaTypesDirectory, 'LICENSE');
  cpSync(join(projectDir, licence), join(stage, licence));
  const bundled = await compileServer(projectDir, join(stage, 'dist'));
  normalise(stage);
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
export async function makeRelease(directory) {
  const work = mkdtempSync(join(tmpdir(), 'spliced-release-'));
  try {
    const epoch = String(sourceDateEpoch());
    process.env.SOURCE_DATE_EPOCH = epoch;
    const stage = join(work, releaseName);
    mkdirSync(stage);
    const expression = await layOut(stage);
    mkdirSync(directory, { recursive: true });
    const tarball = join(directory, `${releaseName}.tar.gz`);
    const tar = ['--create', '--sort=name', '--format=ustar', `--mtime=@${epoch}`];
    const owner = ['--owner=0', '--group=0', '--numeric-owner'];
    const compress = '--use-compress-program=gzip -9 -n';
    capture('tar', [...tar, ...owner, compress, `--file=${tarball}`, '-C', work, releaseName]);
    return { tarball, licences: licenceLines(stage, expression) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    await setUp();
    const { tarball, licences } = await makeRelease(join(projectDir, 'build/release'));
    const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
    console.log(`${tarball}: ${statSync(tarball).size} bytes, sha256 ${sha256}`);
    if (git('status', '--porcelain', '--', ...trackedPaths, 'src').trim() !== '') {
      console.log('there are changes that are not committed: this is no release yet');
    }
    const recipe = readFileSync(join(projectDir, recipePath), 'utf8');
    const updated = withLicences(recipe, licences);
    if (updated === recipe) return 0;
    writeFileSync(join(projectDir, recipePath), updated);
    console.log(`${recipePath}: licences have changed; look at them and commit`);
    return 0;
  });
}
