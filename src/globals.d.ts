// SPDX-License-Identifier: Apache-2.0
// What esbuild puts in at bundling time (scripts/compile.mjs), and packages without types.

declare const SPLICED_VERSION: string;
/** When the bundle was made. A device clock that shows less has not been set yet. */
declare const SPLICED_BUILD_DATE_MS: number;

declare module 'node-gyp-build' {
  interface NodeGypBuild {
    (directory: string): unknown;
    resolve(directory: string): string;
  }
  const load: NodeGypBuild;
  export default load;
}

declare module 'systemd-notify' {
  interface NotifyOptions {
    ready?: boolean;
    status?: string;
    pid?: number;
  }
  export default function notify(options: NotifyOptions): Promise<unknown>;
}
