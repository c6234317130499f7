// SPDX-License-Identifier: Apache-2.0
// The command line of `spliced certificate`: finds the action, reads its options and the
// configuration, and says wrong usage in one line. What the actions do is certificate.ts. Loaded by
// cli.ts for this command.

import { resolve } from 'node:path';
import { reasonOf, StartError } from '../base/start-error.js';
import type { InstalledOptions } from '../certificates/installed.js';
import { type CommandOptions, placeRefusal } from '../config/configuration.js';
import { isKeyReference } from '../tls/token-key.js';
import {
  certificateCa,
  certificateCheck,
  certificateCheckStored,
  certificateRenew,
  certificateRequest,
  certificateShow,
} from './certificate.js';
import { certificateInstall } from './certificate-install.js';
import { certificateKey } from './certificate-key.js';
import { chooseService } from './service-choice.js';
import { ServiceDirectory } from './service-directory.js';
import { findServing } from './serving.js';
import { configurationHelp, configurationOptions, readCommandLine } from './usage.js';

const namesMax = 100;

const help = (): string => `Usage: spliced certificate ca [OPTIONS]
       spliced certificate show [--json] [OPTIONS]
       spliced certificate check [CHAIN [KEY]] [OPTIONS]
       spliced certificate renew [OPTIONS]
       spliced certificate request --private-key FILE|URI NAME...
       spliced certificate key [--generate [--type TYPE]] URI
       spliced certificate install CHAIN [KEY] [OPTIONS]

ca       prints the certificate of the device's own authority. A client that trusts it sees no
         warning, after renewals either.
show     prints every certificate that is installed or stored.
check    checks what is installed (by files or by "install"), or CHAIN and KEY (also given as
         --certificate and --private-key). It prints everything that is wrong; the exit code is then 1.
renew    asks the running service for a new certificate of its own, and of the enrolment.
request  prints a request (PKCS#10) for the names and addresses, and makes the key if FILE is absent.
         With a PKCS #11 URI (--key pkcs11:...) the token signs, and the key stays there.
key      prints the public key (PEM) of a key in a token, which a PKCS #11 URI names. With --generate
         the token makes the key; it cannot be taken out, and must not exist before.
install  gives the running service a chain and its key (PEM files), which it checks, stores and serves.
         Without KEY, CHAIN answers a request that the service has made (docs/API.md).

  --json                   show: as JSON
  --key FILE|URI           request: another word for --private-key
  --generate               key: makes the key
  --type TYPE              key: P-256 (default), P-384, RSA-2048, RSA-3072 or RSA-4096
${configurationHelp()}
  --help                   this text

The options are those of "spliced serve" and mean the same.
`;

/**
 * What is in the state directory is looked at with the rights of its owner. Until it is entered what
 * only root may read can be read.
 */
async function inStateDir(
  stateDir: string,
  use: (place: { stateDir: string; enter: () => void }) => Promise<number>,
): Promise<number> {
  const directory = ServiceDirectory.open(stateDir);
  if (directory === undefined) return use({ stateDir, enter: () => {} });
  try {
    return await use({ stateDir: directory.place, enter: () => void directory.becomeOwner() });
  } catch (error) {
    throw directory.inWords(error);
  } finally {
    directory.close();
  }
}

/** `check CHAIN [KEY]`, or --certificate and --private-key; a key may be in the file of the chain. */
function givenFiles(options: CommandOptions, files: string[]): InstalledOptions | undefined {
  const { certificate, 'private-key': privateKey } = options;
  const isOwnKey = certificate === undefined && isKeyReference(String(privateKey));
  const named = isOwnKey ? [] : [certificate, privateKey].filter((one) => one !== undefined);
  const [chain, key = chain, more] = files.length > 0 ? files : named.map(String);
  if (chain === undefined || key === undefined) return undefined;
  if (more !== undefined || (files.length > 0 && named.length > 0)) {
    throw new StartError('give the files once: spliced certificate check CHAIN [KEY]');
  }
  if (files.length === 0 && named.length === 1) {
    throw new StartError('--certificate and --private-key belong together');
  }
  return { certificate: resolve(chain), privateKey: isKeyReference(key) ? key : resolve(key) };
}

async function checkGiven(files: InstalledOptions): Promise<number> {
  try {
    return await certificateCheck(files, process);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(error.message.replace(/^tls\.\w+: /, '')); // It is no setting here.
  }
}

type Action = (options: CommandOptions, names: string[]) => Promise<number>;

const actions: Record<string, Action> = {
  ca: async (options) => {
    const { stateDir: shownAs } = chooseService(options);
    return inStateDir(shownAs, (place) => certificateCa({ ...place, shownAs }, process));
  },
  show: async (options) => {
    const { stateDir, installed, enrolment } = chooseService(options).load().configuration;
    const shown = { installed, enrolment, json: options.json === true };
    return inStateDir(stateDir, (place) => certificateShow({ ...place, ...shown }, process));
  },
  check: async (options, words) => {
    const files = givenFiles(options, words);
    if (files !== undefined) return checkGiven(files);
    const loaded = chooseService(options).load();
    const { installed, stateDir, enrolment, tokenKey } = loaded.configuration;
    const codes: number[] = [];
    for (const pair of installed) {
      try {
        codes.push(await certificateCheck(pair, process));
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        throw new StartError(placeRefusal(reasonOf(error), loaded));
      }
    }
    await inStateDir(stateDir, async (place) => {
      const code = await certificateCheckStored({ ...place, enrolment, tokenKey }, process);
      if (code !== undefined) codes.push(code);
      return 0;
    });
    if (codes.length > 0) return Math.max(...codes);
    throw new StartError(
      'nothing is installed: give the files, spliced certificate check CHAIN [KEY]',
    );
  },
  renew: async (options) => {
    const { stateDir: shownAs } = chooseService(options);
    return inStateDir(shownAs, (place) => certificateRenew({ ...place, shownAs }, process));
  },
  install: async (options, files) => {
    const [chainFile, keyFile, more] = files;
    if (chainFile === undefined || more !== undefined) {
      throw new StartError('give the files: spliced certificate install CHAIN [KEY]');
    }
    const { directory } = findServing(options);
    return certificateInstall({ directory, chainFile, keyFile }, process);
  },
  key: async (options, [reference, more]) => {
    if (more !== undefined) throw new StartError(`one key at a time: unexpected "${more}"`);
    const isMade = options.generate === true;
    return certificateKey({ reference, isMade, type: options.type as string }, process);
  },
  request: async (options, names) => {
    const privateKeyFile = options.key ?? options['private-key'];
    if (typeof privateKeyFile !== 'string' || privateKeyFile === '') {
      throw new StartError(
        'say where the private key is, or is to be: --private-key FILE, or a PKCS #11 URI',
      );
    }
    return certificateRequest({ names, privateKeyFile }, process);
  },
};

const takesWords = ['check', 'request', 'install', 'key'];

export async function run(args: string[]): Promise<number> {
  const options = {
    ...configurationOptions(),
    json: { type: 'boolean' as const },
    key: { type: 'string' as const },
    generate: { type: 'boolean' as const },
    type: { type: 'string' as const },
  };
  const usage = { options, help, positionalsMax: namesMax + 1 };
  const line = readCommandLine('certificate', args, usage);
  if (line === undefined) return 0;
  const [name = '', ...names] = line.positionals;
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) {
    const known = Object.keys(actions).join(', ');
    throw new StartError(`say which: spliced certificate with one of ${known}; see --help`);
  }
  if (line.values.key !== undefined && name !== 'request') {
    throw new StartError('--key belongs to request; elsewhere it is --private-key');
  }
  for (const option of ['generate', 'type']) {
    if (line.values[option] === undefined || name === 'key') continue;
    throw new StartError(`--${option} belongs to key`);
  }
  if (line.values.json && name !== 'show') throw new StartError('--json belongs to show');
  if (names[0] !== undefined && !takesWords.includes(name)) {
    const advice = 'see spliced certificate --help';
    throw new StartError(`unexpected argument "${names[0]}"; ${advice}`);
  }
  return action(line.values, names);
}
