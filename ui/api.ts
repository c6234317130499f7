// SPDX-License-Identifier: Apache-2.0
// Requests to the device's API with the token of this tab, or the cookie of this browser. Two kinds of failure: the device says no
// (Refusal, with its words), or it does not answer (Unreachable), which passes.

import type { ProblemDocument } from './documents.js';
import { answersOtherwise } from './reach.js';

export const prefix = '/.spliced/api/v1/';
const timeoutMs = 10_000;
/** Passwords are hashed one at a time, each for half a second or more on a slow board. */
export const passwordTimeoutMs = 60_000;
const tokenKey = 'spliced-token';

export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly problem: ProblemDocument,
    /** 0: it may be tried again at once. */
    readonly retryAfterS = 0,
  ) {
    super(problem.detail);
  }
}

export class Unreachable extends Error {
  constructor(
    message: string,
    /** The device is well: this browser has no connection left for it. */
    readonly isCrowded = false,
  ) {
    super(message);
  }
}

const crowded =
  'This browser has no connection left for the device: other tabs hold all six. The device answers. Close tabs of it that load or send something.';

const signedOut: ProblemDocument = {
  title: 'Signed out',
  status: 401,
  detail: 'Your session at the application is over. Load this page again.',
};

/** What a proxy says of a service that is not there, or not yet: it passes. */
const passing = [502, 503, 504];

export const token = (): string => sessionStorage.getItem(tokenKey) ?? '';

export function keepToken(text: string): void {
  if (text === '') sessionStorage.removeItem(tokenKey);
  else sessionStorage.setItem(tokenKey, text);
}

async function problemOf(response: Response): Promise<ProblemDocument> {
  const { status } = response;
  try {
    const problem = (await response.json()) as Partial<ProblemDocument>;
    if (typeof problem.detail === 'string') return { title: '', status, detail: '', ...problem };
  } catch {
    // Not of our API.
  }
  return { title: '', status, detail: `The device answered ${status}.` };
}

let who = '';

/** Who we are without a token. */
export function keepWho(name: string): void {
  who = name;
}

/** Whose requests these are: the same in every window of this browser, and another for another one. */
export const identity = (): string => token() || who;

/** Throws Refusal or Unreachable. A signal of the caller's own replaces the time-out. */
export async function ask(
  path: string,
  init: RequestInit = {},
  waitMs = timeoutMs,
): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token() !== '') headers.set('Authorization', `Bearer ${token()}`);
  let response: Response;
  try {
    response = await fetch(prefix + path, {
      signal: AbortSignal.timeout(waitMs),
      cache: 'no-store',
      // Of an application that is asked first: to its page to sign in at, which is no answer for us.
      redirect: 'manual',
      ...init,
      headers,
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    const isLate = error instanceof DOMException && error.name === 'TimeoutError';
    if (isLate && (await answersOtherwise(prefix))) throw new Unreachable(crowded, true);
    throw new Unreachable('The device does not answer.');
  }
  if (response.type === 'opaqueredirect') throw new Refusal(401, signedOut);
  if (response.ok) return response;
  if (passing.includes(response.status)) {
    const { detail } = await problemOf(response);
    throw new Unreachable(detail);
  }
  const retryAfterS = Number(response.headers.get('Retry-After') ?? 0);
  throw new Refusal(response.status, await problemOf(response), retryAfterS);
}

export async function read<T>(path: string): Promise<T> {
  const response = await ask(path);
  try {
    return (await response.json()) as T;
  } catch {
    throw new Unreachable('The answer was cut off.');
  }
}

/** A change; its answer, if it has one. */
export async function change<T>(
  method: string,
  path: string,
  body?: unknown,
  waitMs = timeoutMs,
): Promise<T> {
  const isEmpty = body === undefined;
  const sent = isEmpty
    ? {}
    : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  const response = await ask(path, { method, ...sent }, waitMs);
  const text = await response.text();
  return (text === '' ? {} : JSON.parse(text)) as T;
}

export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
