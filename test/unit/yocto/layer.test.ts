// SPDX-License-Identifier: Apache-2.0
// The layer's files beside each other: the recipe has the version of package.json, every kernel
// feature has its fragment, both glue drop-ins are what systemd understands, and no task could ask
// a network. bitbake itself judges the rest: test/yocto/parse-layer.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { recipePath } from '../../../scripts/source-tarball.mjs';
import { readRecipe, words } from './layer.js';

const layer = 'yocto-layer';
const text = (path: string) => readFileSync(join(layer, path), 'utf8');
const recipes = 'recipes-spliced/spliced';

t.test('one recipe, of this version, that fetches nothing by itself', async (t) => {
  const found = readdirSync(join(layer, recipes)).filter((name) => name.endsWith('.bb'));
  t.same(found, [recipePath.split('/').at(-1)]);
  const all = `${text(`${recipes}/spliced.inc`)}${readFileSync(recipePath, 'utf8')}`;
  t.notMatch(all, /\b(npm|npmsw|git|https?):\/\//, 'no fetcher with a network');
  t.notMatch(all, /\[network\]/, 'no task with a network');
  t.notMatch(all, /\binherit\b.*\bnpm\b/);
});

t.test('every kernel feature has what it names, and is asked for somewhere', async (t) => {
  const directory = 'recipes-kernel/linux/spliced-kmeta/features/spliced';
  const names = readdirSync(join(layer, directory));
  const asked = `${text('recipes-kernel/linux/spliced-kernel.inc')}${text('recipes-kernel/linux/spliced-caam.inc')}`;
  const patches: string[] = [];
  for (const name of names.filter((name) => name.endsWith('.scc'))) {
    const added = [...text(`${directory}/${name}`).matchAll(/^patch (\S+)$/gm)];
    patches.push(...added.map(([, patch = '']) => patch));
    const fragments = [
      ...text(`${directory}/${name}`).matchAll(/^kconf (?:non-)?hardware (\S+)$/gm),
    ];
    t.equal(fragments.length, added.length > 0 ? 0 : 1, name);
    for (const [, fragment = ''] of fragments) {
      t.ok(names.includes(fragment), fragment);
      const lines = text(`${directory}/${fragment}`).trim().split('\n');
      for (const line of lines)
        t.match(line, /^(#.*|CONFIG_[A-Z0-9_]+=(y|m|\d+))$/, `${fragment}: ${line}`);
    }
    t.ok(asked.includes(`features/spliced/${name}`), name);
  }
  t.match(text(`${directory}/ktls.cfg`), /^CONFIG_TLS=y$/m);
  const found = names.filter((name) => name.endsWith('.patch'));
  t.same(patches.sort(), found.sort(), 'each patch belongs to a feature, and is there');
  for (const name of found) {
    const patch = text(`${directory}/${name}`);
    t.match(patch, /^SPDX-License-Identifier: GPL-2\.0 OR /m, `${name}: its licence`);
    t.match(patch, /^Upstream-Status: /m, `${name}: where it stands`);
  }
  t.match(asked, /^SPLICED_KERNEL_TLS_CLOSE \?= "0"$/m, 'a kernel is patched for who asks for it');
});

t.test('a kernel changes only where the distribution asks for it', async (t) => {
  const places = ['recipes-kernel/linux', 'dynamic-layers/freescale-layer/recipes-kernel/linux'];
  const appends = places.flatMap((place) =>
    readdirSync(join(layer, place))
      .filter((name) => name.endsWith('.bbappend'))
      .map((name) => `${place}/${name}`),
  );
  t.equal(appends.length, 5);
  for (const path of appends) {
    const code = text(path)
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));
    t.match(code, [
      /^require \$\{@bb\.utils\.contains\('DISTRO_FEATURES', 'spliced', .*, '', d\)\}$/,
    ]);
    t.equal(code.length, 1, path);
  }
});

t.test('systemd understands the drop-in for SWUpdate and the mount of the state', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'spliced-layer-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const verify = (change: (unit: string) => string): string => {
    const unit = 'spliced-mark-good.service';
    // The programs of a board are not here.
    const here = (unit: string) =>
      unit.replaceAll(/\/usr\/bin\/(spliced|fw_setenv)/g, process.execPath);
    for (const name of ['spliced.service', unit]) {
      writeFileSync(join(directory, name), here(readFileSync(join('systemd', name), 'utf8')));
    }
    mkdirSync(join(directory, `${unit}.d`), { recursive: true });
    const dropIn = text(`${recipes}/files/mark-good-swupdate.conf`);
    writeFileSync(join(directory, `${unit}.d/swupdate.conf`), change(here(dropIn)));
    const mount = text('recipes-spliced/spliced-data/files/var-lib-private.mount');
    writeFileSync(
      join(directory, 'var-lib-private.mount'),
      change(mount.replaceAll('@DATA@', '/data')),
    );
    const unlock = text('recipes-spliced/spliced-data/files/spliced-data-unlock.service');
    const filled = unlock
      .replace(/^ExecStart=.*$/m, `ExecStart=${process.execPath} @DEVICE@ @SOURCE@`)
      .replaceAll('@DEVICE@', '/dev/vda')
      .replaceAll('@SOURCE@', 'tpm');
    writeFileSync(join(directory, 'spliced-data-unlock.service'), change(filled));
    const verified = [unit, 'var-lib-private.mount', 'spliced-data-unlock.service'];
    const units = verified.map((name) => join(directory, name));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...units], {
      encoding: 'utf8',
      env: { ...process.env, SYSTEMD_LOG_COLOR: '0', SYSTEMD_UNIT_PATH: `${directory}:` },
    });
    return `${stdout}${stderr}`
      .split('\n')
      .filter((line) => /swupdate\.conf|var-lib-private|mark-good|data-unlock/.test(line))
      .join('\n');
  };
  t.equal(
    verify((unit) => unit),
    '',
  );
  const broken = verify((unit) =>
    unit
      .replace('[Service]', '[Sarvice]')
      .replace('Where=', 'Wherever=')
      .replace('DefaultDependencies=', 'DefaultDependants='),
  );
  t.match(broken, /Sarvice/);
  t.match(broken, /Wherever/);
  t.match(broken, /DefaultDependants/);
});

t.test('the data partition is encrypted for who asks for it', async (t) => {
  const recipe = text('recipes-spliced/spliced-data/spliced-data_1.0.bb');
  const files = 'recipes-spliced/spliced-data/files';
  t.match(recipe, /^SPLICED_DATA_KEY \?= ""$/m);
  for (const [, name = ''] of recipe.matchAll(/file:\/\/([\w.-]+)/g)) {
    t.ok(readdirSync(join(layer, files)).includes(name), name);
  }
  // What the unit leaves to the recipe, the recipe fills.
  const unit = text(`${files}/spliced-data-unlock.service`);
  const places = new Set([...unit.matchAll(/@[A-Z]+@/g)].map(([place]) => place));
  t.same([...places].sort(), ['@DEVICE@', '@LIBEXECDIR@', '@SOURCE@']);
  for (const place of places) t.match(recipe, `s#${place}#`);
  const kernel = text('recipes-kernel/linux/spliced-kernel.inc');
  const script = text(`${files}/spliced-data-unlock`);
  for (const source of ['tpm', 'caam', 'tee']) {
    t.match(kernel, `state-key-${source}.scc' if d.getVar('SPLICED_DATA_KEY') == '${source}'`);
    t.match(script, new RegExp(`^ +(.* \\| )?${source}(\\)| \\|)`, 'm'), source);
  }
  // The mount waits for what opens the partition, and fails with it.
  const image = text('recipes-core/images/spliced-image-example.bb');
  const [option = ''] = /x-systemd\.[^']+/.exec(image) ?? [];
  const line = `/dev/mapper/spliced-data /data auto noatime,${option} 0 2`;
  t.ok(readFileSync('docs/YOCTO.md', 'utf8').includes(line), 'as the document has it');
  const directory = t.testdir({ fstab: `${line}\n`, units: {} });
  const units = join(directory, 'units');
  const generator = '/lib/systemd/system-generators/systemd-fstab-generator';
  const made = spawnSync(generator, [units, units, units], {
    env: { ...process.env, SYSTEMD_FSTAB: join(directory, 'fstab') },
  });
  t.equal(made.status, 0, String(made.stderr));
  const mount = readFileSync(join(units, 'data.mount'), 'utf8');
  for (const relation of ['After', 'Requires']) {
    t.match(mount, new RegExp(`^${relation}=.*spliced-data-unlock\\.service$`, 'm'));
  }
});

t.test('an option of PACKAGECONFIG has an effect', async (t) => {
  const values = readRecipe(join(layer, recipes, 'spliced.inc'));
  t.same(words(values.get('PACKAGECONFIG')), ['io_uring']);
  const inc = text(`${recipes}/spliced.inc`);
  const options = [...inc.matchAll(/^PACKAGECONFIG\[(\w+)\] = "(.*)"$/gm)];
  t.same(
    options.map(([, name]) => name),
    ['io_uring', 'rauc', 'swupdate'],
  );
  for (const [, name, value = ''] of options) t.match(value, /[a-z]/, String(name));
  t.match(readFileSync('binding.gyp', 'utf8'), /spliced_io_uring==1/);
});
