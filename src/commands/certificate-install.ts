// SPDX-License-Identifier: Apache-2.0
// `spliced certificate install`: a chain and its key into the running service, by its API. Called by
// certificate-line.ts.

import { closeSync, fstatSync, readFileSync } from 'node:fs';
import { reasonOf, StartError } from '../base/start-error.js';
import { readDescriptor } from '../files/descriptors.js';
import { ApiRefusal, askApi } from './api-client.js';
import type { Streams } from './certificate.js';
import type { ServiceDirectory } from './service-directory.js';

export interface InstallCommand {
  /** Of the running service. Entered when the files have been read, which may be for root alone. */
  directory: ServiceDirectory;
  chainFile: string;
  /** Undefined: the key of the request that waits. */
  keyFile: string | undefined;
}

const fileBytesMax = 1024 * 1024;

interface Finding {
  kind: string;
  text: string;
}

function readText(directory: ServiceDirectory, path: string): string {
  const fd = directory.openGiven(path);
  try {
    // A pipe of the shell's has no size, and an end.
    return fstatSync(fd).isFIFO()
      ? readFileSync(fd, 'utf8')
      : readDescriptor(fd, fileBytesMax).toString('utf8');
  } catch (error) {
    throw new StartError(`${path}: ${reasonOf(error)}`);
  } finally {
    closeSync(fd);
  }
}

export async function certificateInstall(
  { directory, chainFile, keyFile }: InstallCommand,
  { stdout, stderr }: Streams,
): Promise<number> {
  const key = keyFile === undefined ? {} : { privateKey: readText(directory, keyFile) };
  const body = { chain: readText(directory, chainFile), ...key };
  directory.becomeOwner();
  const say = ({ kind, text }: Finding): void => {
    stderr.write(`${kind === 'warning' ? 'warning' : 'problem'}: ${text}\n`);
  };
  try {
    const path = '/certificates/uploaded';
    const answer = JSON.parse(await askApi(directory, { method: 'PUT', path, body })) as {
      findings: Finding[];
      isDefault: boolean;
    };
    for (const finding of answer.findings) say(finding);
    const clients = answer.isDefault
      ? 'all clients'
      : 'clients that ask for one of its names; installed files come before it';
    stdout.write(`ok: ${chainFile} is served to ${clients}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    const findings = error.problem.findings as Finding[] | undefined;
    if (findings === undefined) stderr.write(`spliced: ${error.message}\n`);
    for (const finding of findings ?? []) say(finding);
    return 1;
  }
}
