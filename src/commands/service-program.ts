// SPDX-License-Identifier: Apache-2.0
// What a unit needs to know of this program: where npm has put the package and where Node is, as the
// service will see them, and which systemd will read it. Throws StartError where the service could not
// start. Used by install-service.ts.

import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from '../base/start-error.js';
import type { ImageRoot } from './image-root.js';
import { isPlainPath, type Program } from './service-units.js';

/** Of this program; it must have the parts that npm's package has. */
export function packageDirectory(): string {
  const directory = dirname(dirname(realpathSync(process.argv[1] ?? '')));
  if (existsSync(join(directory, 'systemd/spliced.service'))) return directory;
  throw new StartError(
    `${directory} has no systemd/: a package of the distribution has brought this program, and its units`,
  );
}

const nodePlaces = ['/usr/bin/node', '/usr/local/bin/node', '/opt/node/bin/node'];

/** Directories that the service does not see: ProtectHome=, PrivateTmp=. */
const hidden = ['/home/', '/root/', '/run/user/', '/tmp/', '/var/tmp/'];

function visibleToService(what: string, path: string, advice: string): string {
  if (!isPlainPath(path)) {
    throw new StartError(`${what} is ${path}: a unit cannot have such a path; ${advice}`);
  }
  const place = hidden.find((directory) => path.startsWith(directory));
  if (place === undefined) return path;
  throw new StartError(`${what} is ${path}: the service does not see ${place}; ${advice}`);
}

/** As an npm under umask 077 leaves it: the service's user cannot get there. */
function requireReadable(root: ImageRoot, path: string): void {
  const others = { enter: 0o001, read: 0o004 };
  for (let at = dirname(path); at !== '/'; at = dirname(at)) {
    if ((statSync(root.resolve(at)).mode & others.enter) !== 0) continue;
    throw new StartError(`others may not enter ${root.resolve(at)}: chmod -R a+rX it`);
  }
  if ((statSync(root.resolve(path)).mode & others.read) !== 0) return;
  throw new StartError(`others may not read ${root.resolve(path)}: chmod a+r it`);
}

export function programIn(root: ImageRoot): Program {
  const own = packageDirectory();
  const prefix = join(root.path, 'usr/local');
  const install = `npm install -g --prefix ${prefix} spliced-VERSION.tgz, and run it from there`;
  const directory = root.inside(own);
  if (directory === undefined) {
    throw new StartError(`${own} is not below ${root.path}: ${install}`);
  }
  const running = root.inside(realpathSync(process.execPath));
  const node = running ?? nodePlaces.find((path) => root.has(path));
  if (node === undefined) {
    throw new StartError(`there is no Node in ${root.path} (${nodePlaces.join(', ')})`);
  }
  for (const path of [`${directory}/dist/cli.js`, node]) requireReadable(root, path);
  return {
    directory: visibleToService('the package', directory, install),
    node: visibleToService('Node', node, 'unpack it below /opt or /usr/local, and use that one'),
  };
}

/** None where there is no such directory. */
function namesIn(place: string): string[] {
  const isDirectory = existsSync(place) && statSync(place).isDirectory();
  return isDirectory ? readdirSync(place) : [];
}

/** The version of the systemd that will run it; undefined: not known. */
export function systemdVersion(root: ImageRoot): number | undefined {
  const libraries = ['/usr/lib/systemd', '/lib/systemd', '/usr/lib64/systemd'];
  const multiarch = namesIn(root.resolve('/usr/lib')).filter((name) => name.includes('-linux-'));
  const all = [...libraries, ...multiarch.map((name) => `/usr/lib/${name}/systemd`)];
  for (const directory of all) {
    const names = namesIn(root.resolve(directory));
    const [found] = names.flatMap(
      (name) => /^libsystemd-(?:core|shared)-(\d+)/.exec(name)?.[1] ?? [],
    );
    if (found !== undefined) return Number(found);
  }
  return undefined;
}
