// SPDX-License-Identifier: Apache-2.0
// What the tests use of Express, which has no types of its own.

declare module 'express' {
  import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

  interface Request extends IncomingMessage {
    params: { name: string };
  }
  interface Response extends ServerResponse {
    set(name: string, value: string): this;
    cookie(name: string, value: string): this;
    attachment(name: string): this;
    status(code: number): this;
    redirect(code: number, url: string): void;
    send(body: string | Buffer): this;
  }
  type Handler = (request: Request, response: Response) => unknown;
  interface Application extends RequestListener {
    get(path: string, handler: Handler): void;
    post(path: string, handler: Handler): void;
  }
  export default function express(): Application;
}
