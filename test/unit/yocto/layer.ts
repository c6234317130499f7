// SPDX-License-Identifier: Apache-2.0
// Reads what the recipe says without bitbake: assignments of a .inc, and which package's FILES a
// path falls under. Knows just as much of bitbake's language as spliced.inc uses.

import { readFileSync } from 'node:fs';

// bitbake.conf's values, for a target with one library directory.
const directories: Record<string, string> = {
  PN: 'spliced',
  prefix: '/usr',
  bindir: '/usr/bin',
  nonarch_libdir: '/usr/lib',
  sysconfdir: '/etc',
  systemd_system_unitdir: '/usr/lib/systemd/system',
  datadir: '/usr/share',
  docdir: '/usr/share/doc',
  mandir: '/usr/share/man',
  PTEST_PATH: '/usr/lib/spliced/ptest',
};

// What the classes give a package that the recipe does not describe: FILES of -doc in bitbake.conf,
// of -ptest in ptest.bbclass.
const byClasses: Record<string, string> = {
  'spliced-doc': `${directories.docdir} ${directories.mandir}`,
  'spliced-ptest': `${directories.PTEST_PATH}`,
};

/** Variables of the recipe with their values, continued lines joined, ${NAME} expanded. */
export function readRecipe(...paths: string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const path of paths) {
    const text = readFileSync(path, 'utf8').replaceAll('\\\n', ' ');
    for (const [, name = '', value = ''] of text.matchAll(
      /^([A-Z][\w:${}-]*) *[?:+.]*= *"(.*)" *$/gm,
    )) {
      values.set(expand(name), expand(value));
    }
  }
  return values;
}

function expand(text: string): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (whole, name) => directories[name] ?? whole);
}

export const words = (text: string | undefined): string[] =>
  (text ?? '').split(/\s+/).filter(Boolean);

/** Package → the paths that are its own, with all beneath them. */
export function packagesOf(recipe: ReadonlyMap<string, string>): Map<string, string[]> {
  const packages = new Map(Object.entries(byClasses).map(([name, list]) => [name, words(list)]));
  for (const [name, list] of recipe) {
    if (name.startsWith('FILES:')) packages.set(name.slice('FILES:'.length), words(list));
  }
  return packages;
}

/** The packages that claim an installed path. */
export function ownersOf(packages: ReadonlyMap<string, string[]>, path: string): string[] {
  return [...packages]
    .filter(([, owned]) => owned.some((entry) => path === entry || path.startsWith(`${entry}/`)))
    .map(([name]) => name);
}
