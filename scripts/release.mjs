// SPDX-License-Identifier: Apache-2.0
// `npm run release [-- --key FILE]`: everything of a release, in build/release/: the source tarball, the
// npm package with its bill of materials, the prebuilds, the Yocto layer, what it was built with
// (BUILDINFO), and SHA256SUMS over all of them, signed with the releaser's key. The same commit, Node
// and compilers give the same bytes (test/release/reproducible.test.ts). docs/RELEASES.md says how it is
// made, verified and built again.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { prebuildPath, targets } from '../cross/targets.mjs';
import { archive, capture, copyInto, copyTracked, git } from './archive.mjs';
import { makePackage, sourceDateEpoch } from './pack.mjs';
import { sysrootOf } from './prebuild.mjs';
import { ensureModules, projectDir, runScript } from './setup.mjs';
import { judgeKey, sign, signaturePackages } from './signature.mjs';
import { isCommitted, makeTarball, releaseName, updateRecipe } from './source-tarball.mjs';
import { ensurePackages, SetupError } from './system.mjs';

const version = releaseName.replace(/^spliced-/, '');

/** An archive of what `fill` puts into the directory `name`. */
function archiveOf(directory, name, epochSeconds, fill) {
  const work = mkdtempSync(join(tmpdir(), 'spliced-release-'));
  try {
    const stage = join(work, name);
    mkdirSync(stage);
    fill(stage);
    archive(join(directory, `${name}.tar.gz`), work, name, epochSeconds);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What the bytes depend on besides the commit, a line each. */
function buildInfo(epochSeconds) {
  const firstLine = (command) => capture(command, ['--version']).split('\n')[0];
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const lines = [
    `spliced ${version}`,
    `commit ${git('rev-parse', 'HEAD').trim()}`,
    `SOURCE_DATE_EPOCH ${epochSeconds}`,
    `system ${system}`,
    `node ${process.version}`,
    `npm ${firstLine('npm')}`,
    ...['tar', 'gzip'].map(firstLine),
  ];
  for (const target of targets) {
    const list = readFileSync(join(sysrootOf(target), 'packages'), 'utf8');
    const liburing = /^liburing-dev (\S+) /m.exec(list)?.[1];
    lines.push(`${target.name}: ${firstLine(`${target.triplet}-g++`)}, liburing-dev ${liburing}`);
  }
  return `${lines.join('\n')}\n`;
}

/** SHA256SUMS of every file in `directory`, as sha256sum writes and reads it; the answer is its path. */
export function writeSums(directory) {
  const sums = join(directory, 'SHA256SUMS');
  rmSync(sums, { force: true });
  const lines = readdirSync(directory)
    .sort()
    .map((name) => {
      const digest = createHash('sha256')
        .update(readFileSync(join(directory, name)))
        .digest('hex');
      return `${digest}  ${name}\n`;
    });
  writeFileSync(sums, lines.join(''));
  return sums;
}

/** Makes every file of a release in `directory`, which is emptied first; the answer is SHA256SUMS' path. */
async function makeRelease(directory) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const epochSeconds = sourceDateEpoch();
  const { licences } = await makeTarball(directory);
  updateRecipe(licences);
  for (const path of Object.values(await makePackage())) {
    copyFileSync(path, join(directory, basename(path)));
  }
  archiveOf(directory, `${releaseName}-prebuilds`, epochSeconds, (stage) => {
    for (const target of targets) copyInto(stage, prebuildPath(target));
    for (const path of ['prebuilds/THIRD-PARTY-NOTICES', 'LICENSE']) copyInto(stage, path);
  });
  archiveOf(directory, `meta-spliced-${version}`, epochSeconds, (stage) => {
    copyTracked(stage, 'yocto-layer', 'LICENSE', 'docs/YOCTO.md');
  });
  writeFileSync(join(directory, 'BUILDINFO'), buildInfo(epochSeconds));
  return writeSums(directory);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    const { key } = parseArgs({ options: { key: { type: 'string' } } }).values;
    if (key !== undefined) judgeKey(key);
    if (key !== undefined) ensurePackages(signaturePackages);
    await ensureModules();
    const directory = join(projectDir, 'build/release');
    const sums = await makeRelease(directory);
    // After makeRelease(), which may have changed the recipe.
    const isComplete = isCommitted();
    if (key !== undefined && !isComplete) {
      throw new SetupError(
        'There are changes that are not committed; nothing was signed. Commit them.',
      );
    }
    const signed = key === undefined ? undefined : sign(sums, key);
    for (const name of readdirSync(directory).sort()) {
      const kib = Math.ceil(statSync(join(directory, name)).size / 1024);
      console.log(`${String(kib).padStart(6)} KiB  ${join(directory, name)}`);
    }
    if (!isComplete)
      console.log('there are changes that are not committed: this is no release yet');
    console.log(
      signed ? `signed with ${signed.fingerprint}` : 'not signed: give your key by --key FILE',
    );
    return 0;
  });
}
