// SPDX-License-Identifier: Apache-2.0
// A root directory with Node and nothing else of this machine, and programs run in it as in a device of
// their own: a namespace for its mounts (proc, dev and sys), and chroot.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { output } from './package.js';
import { type Ended, run } from './programs.js';

const enter =
  'for d in proc dev sys; do mount --rbind /$d "$0/$d" || exit 125; done; exec chroot "$0" "$@"';

/** The program with the libraries that it is linked to; the first place is where it shall be. */
function copyProgram(root: string, program: string, place: string): void {
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    cpSync(realpathSync(from), join(root, to));
    chmodSync(join(root, to), 0o755);
  };
  copy(program, place);
  const linked = String(output(['ldd', program])).matchAll(/(?:=> |^\s*)(\/\S+)/gm);
  for (const [, library = ''] of linked) copy(library, library);
}

export class EmptyRoot {
  readonly #isRoot = process.geteuid?.() === 0;

  constructor(readonly path: string) {
    for (const name of ['etc', 'proc', 'dev', 'sys', 'root', 'run', 'tmp', 'var/lib']) {
      mkdirSync(join(path, name), { recursive: true });
    }
    writeFileSync(join(path, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
    writeFileSync(join(path, 'etc/group'), 'root:x:0:\n');
    copyProgram(path, process.execPath, '/usr/bin/node');
    const env = String(output(['which', 'env'])).trim();
    copyProgram(path, env, '/usr/bin/env');
  }

  at(path: string): string {
    return join(this.path, path);
  }

  /** A reason why nothing can be run in it. */
  unable(): string | undefined {
    const [program = '', ...args] = this.command(['/usr/bin/node', '--version']);
    const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
    return status === 0 ? undefined : `no root of its own: ${error?.message ?? stderr.trim()}`;
  }

  /** For spawn(): the command inside. It is that very process. */
  command(inside: string[]): string[] {
    const own = this.#isRoot ? [] : ['--user', '--map-root-user'];
    return ['unshare', ...own, '--mount', 'sh', '-c', enter, this.path, ...inside];
  }

  /** As an operator types it, in a shell that knows nothing of the service. */
  run(...inside: string[]): Promise<Ended> {
    const shell = ['/usr/bin/env', '-i', '--chdir=/root', 'HOME=/root', 'TERM=dumb'];
    return run(this.command([...shell, 'PATH=/usr/local/bin:/usr/bin', ...inside]));
  }
}
