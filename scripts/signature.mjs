// SPDX-License-Identifier: Apache-2.0
// The signature of a release: SSHSIG, as `ssh-keygen -Y` makes and verifies it (OpenSSH's PROTOCOL.sshsig).
// The key is the releaser's. It is read by ssh-keygen alone, or stays in an agent or a security key, and
// this project neither makes nor keeps one. docs/RELEASES.md says how a user verifies.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { sep } from 'node:path';
import { projectDir } from './setup.mjs';
import { SetupError, which } from './system.mjs';

/** A signature that was made for something else does not verify under this name. */
export const signatureNamespace = 'spliced-release';

export const signaturePackages = [
  {
    name: 'openssh-client',
    reason: 'ssh-keygen signs the checksums of a release, and verifies them',
    present: () => Boolean(which('ssh-keygen')),
  },
];

/** Throws unless `key` is a file that is no part of this checkout. */
export function judgeKey(key) {
  if (!existsSync(key)) {
    throw new SetupError(`--key ${key}: there is no such file; make a key with ssh-keygen.`);
  }
  if (realpathSync(key).startsWith(realpathSync(projectDir) + sep)) {
    throw new SetupError(
      `--key ${key}: a key must not be in the checkout, from where it could be published; move it away.`,
    );
  }
}

function sshKeygen(what, args, options) {
  const result = spawnSync('ssh-keygen', args, { encoding: 'utf8', ...options });
  if (result.status === 0) return result.stdout;
  const reason = result.stderr?.trim() || result.error?.message || `exit code ${result.status}`;
  throw new SetupError(`${what}; ssh-keygen says: ${reason}`);
}

/**
 * Signs `file` with `key`: a private key, or the public one of a key in the agent. Writes `${file}.sig`;
 * the answer is its path, and the fingerprint of the key.
 */
export function sign(file, key) {
  judgeKey(key);
  const signature = `${file}.sig`;
  rmSync(signature, { force: true });
  // A passphrase is asked for at the terminal.
  const what = `--key ${key}: this is no private key, nor the public half of a key in the agent`;
  const args = ['-Y', 'sign', '-f', key, '-n', signatureNamespace, file];
  sshKeygen(what, args, { stdio: ['inherit', 'pipe', 'pipe'] });
  const check = ['-Y', 'check-novalidate', '-n', signatureNamespace, '-s', signature];
  const said = sshKeygen(`${signature} is not right`, check, { input: readFileSync(file) });
  return { signature, fingerprint: /SHA256:\S+/.exec(said)?.[0] };
}
