// SPDX-License-Identifier: Apache-2.0
// The licences of what others wrote and a release carries: the packages that esbuild put into
// dist/, and what the addon is compiled with. Called by scripts/release.mjs.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const licenceFile = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** A package's own directory: the last node_modules/NAME or node_modules/@SCOPE/NAME of a path. */
function packageDirectoryOf(path) {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

function describe(projectDir, directory) {
  const text = readFileSync(join(projectDir, directory, 'package.json'), 'utf8');
  const { name, version, license, licenses } = JSON.parse(text);
  const files = readdirSync(join(projectDir, directory)).filter((file) => licenceFile.test(file));
  const texts = files.sort().map((file) => {
    return readFileSync(join(projectDir, directory, file), 'utf8')
      .replaceAll('\r\n', '\n')
      .trim();
  });
  // `licenses` is how npm said it before SPDX.
  const licence = license ?? licenses?.map(({ type }) => type).join(' | ');
  return { name, version, licence, directory, texts };
}

/**
 * The packages of an esbuild metafile and of `more` directories, by name: { name, version, licence
 * (SPDX), directory, texts }. Throws when one does not say its licence: someone has to look.
 */
export function thirdPartyOf(projectDir, metafile, more = []) {
  const directories = new Set(more);
  for (const path of Object.keys(metafile.inputs)) {
    const directory = packageDirectoryOf(path);
    if (directory && existsSync(join(projectDir, directory, 'package.json'))) {
      directories.add(directory);
    }
  }
  const packages = [...directories].map((directory) => describe(projectDir, directory));
  const silent = packages.find(({ licence }) => typeof licence !== 'string');
  if (silent) throw new Error(`${silent.directory}/package.json does not name a licence (SPDX)`);
  return packages.sort((a, b) => (a.directory < b.directory ? -1 : 1));
}

/** The text of THIRD-PARTY-NOTICES. */
export function renderNotices(packages) {
  const head = [
    'Software by others in this release, with its licences: packages that are bundled into dist/, and',
    'node-addon-api, whose headers the addon is compiled with. A build with io_uring also holds',
    'liburing (MIT, or LGPL-2.1-only), which comes from the system that compiles it.',
  ].join('\n');
  const parts = packages.map(({ name, version, licence, texts }) =>
    [`${'='.repeat(80)}\n${name} ${version}: ${licence}`, ...texts].join('\n\n'),
  );
  return `${[head, ...parts].join('\n\n')}\n`;
}

/** What a recipe's LICENSE says: every licence once, ours first. */
export function licenceExpression(own, packages) {
  const others = new Set(packages.map(({ licence }) => licence));
  others.delete(own);
  return [own, ...[...others].sort()].join(' & ');
}
