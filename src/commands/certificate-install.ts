// SPDX-License-Identifier: Apache-2.0
// `spliced certificate install`: a chain and its key into the running service, by its API. Called by
// certificate-line.ts.

import { readFileSync } from 'node:fs';
import { reasonOf, StartError } from '../start-error.js';
import { ApiRefusal, askApi } from './api-client.js';
import type { Streams } from './certificate.js';

export interface InstallCommand {
  stateDir: string;
  chainFile: string;
  /** Undefined: the key of the request that waits. */
  keyFile: string | undefined;
}

interface Finding {
  kind: string;
  text: string;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StartError(reasonOf(error));
  }
}

export async function certificateInstall(
  { stateDir, chainFile, keyFile }: InstallCommand,
  { stdout, stderr }: Streams,
): Promise<number> {
  const key = keyFile === undefined ? {} : { privateKey: readText(keyFile) };
  const body = { chain: readText(chainFile), ...key };
  const say = ({ kind, text }: Finding): void => {
    stderr.write(`${kind === 'warning' ? 'warning' : 'problem'}: ${text}\n`);
  };
  try {
    const path = '/certificates/uploaded';
    const answer = JSON.parse(await askApi(stateDir, { method: 'PUT', path, body })) as {
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
