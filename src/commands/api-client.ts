// SPDX-License-Identifier: Apache-2.0
// Asks a running service over its api.sock. Whoever may connect is an operator: root, or the user of
// the service. Used by the commands that show or change something in it.

import { type IncomingMessage, request } from 'node:http';
import { reasonOf, StartError } from '../base/start-error.js';
import type { ServiceDirectory } from './service-directory.js';

const prefix = '/.spliced/api/v1';
/** In the state directory. */
export const socketName = 'api.sock';
// An answer; a stream may take as long as it likes.
const timeoutMs = 30_000;
// Of an answer that is read as a whole.
const answerBytesMax = 16 * 1024 * 1024;

export interface ApiRequest {
  method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Below the API's prefix. */
  path: string;
  /** Sent as JSON. */
  body?: unknown;
}

/** The service refuses: `message` is what it says. */
export class ApiRefusal extends StartError {
  override readonly name = 'ApiRefusal';
  readonly problem: Record<string, unknown>;

  constructor(problem: Record<string, unknown>) {
    super(String(problem.detail ?? problem.title ?? 'the service refuses'));
    this.problem = problem;
  }
}

function whyNot(error: unknown, directory: ServiceDirectory): StartError {
  const path = `${directory.path}/${socketName}`;
  const { code } = error as NodeJS.ErrnoException;
  const advice: Record<string, string> = {
    EACCES: 'run this as root, or as the user of the service',
    ENOENT: 'the service has no API yet, or its log has api_unavailable with the reason',
    ECONNREFUSED: 'nothing listens there',
  };
  return new StartError(`${path}: ${advice[code ?? ''] ?? reasonOf(error)}`);
}

function send(socketPath: string, { method = 'GET', path, body }: ApiRequest) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const type = text === undefined ? {} : { 'content-type': 'application/json' };
    const length = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
    const headers = { host: 'localhost', ...type, ...length };
    const options = { socketPath, path: prefix + path, method, headers, agent: false as const };
    const outgoing = request(options, (response) => {
      outgoing.setTimeout(0);
      resolve(response);
    });
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response) {
    parts.push(part as Buffer);
    length += (part as Buffer).length;
    if (length > answerBytesMax) throw new StartError('the answer of the service has no end');
  }
  return Buffer.concat(parts).toString();
}

/** The answer, still to be read. Throws ApiRefusal, or StartError when nobody answers. */
export async function openApi(
  directory: ServiceDirectory,
  asked: ApiRequest,
): Promise<IncomingMessage> {
  let response: IncomingMessage;
  try {
    response = await directory.withSocket(socketName, (path) => send(path, asked));
  } catch (error) {
    throw whyNot(error, directory);
  }
  if ((response.statusCode ?? 0) < 400) return response;
  const text = await readText(response);
  let problem: Record<string, unknown>;
  try {
    problem = JSON.parse(text) as Record<string, unknown>;
  } catch {
    problem = { title: `the service answers ${response.statusCode}` };
  }
  throw new ApiRefusal(problem);
}

/** The whole text of the answer. Throws as openApi does. */
export async function askApi(directory: ServiceDirectory, asked: ApiRequest): Promise<string> {
  return readText(await openApi(directory, asked));
}
