// SPDX-License-Identifier: Apache-2.0
// What the files of the service's unit say, for where the service manager does not (it is not there, or
// does not answer in time): the properties as `systemctl show` names them. Used by
// installed-service.ts.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// systemd.unit(5), Unit File Load Path: the first has the say.
const unitDirectories = ['/etc', '/run', '/usr/local/lib', '/usr/lib', '/lib'].map(
  (directory) => `${directory}/systemd/system`,
);

/** Of systemd.unit(5), those that the shipped unit and its comments have. */
const specifiers: Record<string, string> = { '%S': '/var/lib', '%t': '/run', '%%': '%' };

function textsOf(unit: string): string[] {
  const main = unitDirectories.map((directory) => join(directory, unit)).find(existsSync);
  if (main === undefined) return [];
  const dropIns = new Map<string, string>();
  for (const directory of unitDirectories) {
    const place = join(directory, `${unit}.d`);
    const names = existsSync(place) ? readdirSync(place) : [];
    for (const name of names.filter((one) => one.endsWith('.conf') && !dropIns.has(one))) {
      dropIns.set(name, join(place, name));
    }
  }
  const inOrder = [...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return [main, ...inOrder].map((path) => readFileSync(path, 'utf8'));
}

/** Undefined: there is no such unit, or it cannot be read. */
export function unitProperties(unit: string): Map<string, string> | undefined {
  const credentials = `/run/credentials/${unit}`;
  const found = new Map<string, string>();
  let texts: string[];
  try {
    texts = textsOf(unit);
  } catch {
    return undefined;
  }
  if (texts.length === 0) return undefined;
  for (const [, key = '', raw = ''] of texts.join('\n').matchAll(/^(\w+)=(.*)$/gm)) {
    const value = raw
      .trim()
      .replaceAll('%d', credentials)
      .replace(/%[St%]/g, (one) => specifiers[one] ?? one);
    const before = key === 'Environment' && value !== '' ? found.get(key) : undefined;
    found.set(key, [before, value].filter(Boolean).join(' '));
  }
  const command = found.get('ExecStart');
  if (command !== undefined) found.set('ExecStart', `argv[]=${command} ;`);
  return found;
}
