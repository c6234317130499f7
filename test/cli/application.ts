// SPDX-License-Identifier: Apache-2.0
// An application that is asked before the page and the API, and requests to both, for the tests of
// `api.authorize`.

import { createServer, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Test } from 'tap';
import { listen } from '../contract/proxy.js';
import { type Scene, startWithApi } from './api.js';

/** What the application says of whom, by its cookie. */
const sessions: Record<string, Record<string, string | string[]>> = {
  carol: { 'Spliced-Role': 'operate', 'Spliced-User': 'Carol Example' },
  root: { 'Spliced-Role': 'administer', 'Spliced-User': 'root' },
  eve: { 'Spliced-User': 'eve' },
  odd: { 'Spliced-Role': 'superuser' },
  twice: { 'Spliced-Role': ['view', 'administer'] },
};

interface Application {
  seen: IncomingMessage[];
  address: string;
  stop(): void;
}

/** Signs in by a page of its own; everybody else is sent there. */
export async function application(t: Test): Promise<Application> {
  const seen: IncomingMessage[] = [];
  const server = createServer((incoming, outgoing) => {
    seen.push(incoming);
    const [, name = ''] = /session=(\w+)/.exec(incoming.headers.cookie ?? '') ?? [];
    const fields = sessions[name];
    if (fields === undefined) outgoing.writeHead(302, { Location: '/sign-in' });
    else outgoing.writeHead(204, fields);
    outgoing.end();
  });
  const address = await listen(t, server);
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { seen, address, stop };
}

export interface Answered {
  status: number;
  location: string;
  /** The one that it sets. */
  cookie: string;
  json: Record<string, unknown>;
}

interface Sent {
  cookie?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: object;
}

export function ask(
  { server }: Scene,
  path: string,
  { cookie, method = 'GET', headers = {}, body = {} }: Sent = {},
) {
  const isChange = method !== 'GET';
  const sent = JSON.stringify(body);
  const all = {
    ...(cookie === undefined ? {} : { cookie }),
    ...(isChange ? { 'content-type': 'application/json', 'content-length': sent.length } : {}),
    ...headers,
  };
  return new Promise<Answered>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: server.port, rejectUnauthorized: false };
    const own = { path: `/.spliced${path}`, method, headers: all, agent: false as const };
    const outgoing = request({ ...options, ...own }, (response) => {
      let text = '';
      response.on('data', (data) => {
        text += data;
      });
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        const isJson = /json/.test(headers['content-type'] ?? '');
        const location = headers.location ?? '';
        const [given = ''] = headers['set-cookie'] ?? [];
        const [cookie = ''] = given.split(';');
        resolve({ status, location, cookie, json: isJson ? JSON.parse(text) : {} });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(isChange ? sent : undefined);
  });
}

export const api = '/api/v1';
export const own = { 'sec-fetch-site': 'same-origin' };

/** A service that asks it. */
export async function behind(
  t: Test,
  env: NodeJS.ProcessEnv = {},
): Promise<{ scene: Scene; asked: Application }> {
  const asked = await application(t);
  return { scene: await startAsking(t, asked.address, env), asked };
}

/** A service that asks whoever listens there. */
export const startAsking = (
  t: Test,
  address: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Scene> =>
  startWithApi(t, [], {
    SPLICED_API_AUTHORIZE: address,
    SPLICED_API_AUTHORIZE_PATH: '/session/check',
    ...env,
  });
