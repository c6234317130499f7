// SPDX-License-Identifier: Apache-2.0
// What is said of one setting. The settings themselves are in schema.ts.

export interface Setting {
  /** What it means: one or more sentences of Markdown for the document. */
  doc: string;
  /** A format of formats.ts, or the allowed words. */
  format: string | readonly string[];
  default: unknown;
  /** A value that could be written, where the default shows nothing of the form. */
  example?: unknown;
  /** Its environment variable, SPLICED_ and so on. */
  env: string;
  /** Its option of the command line, without the dashes. */
  option?: string;
  /** What the help calls the option's value, and the few words that it says of it. */
  argument?: string;
  help?: string;
  min?: number;
  max?: number;
  /** A reload (SIGHUP) puts a new value into effect; without it a restart does. */
  isLive?: true;
  /** A secret: its value is shown nowhere. */
  sensitive?: true;
}

/** As convict takes it: the name of a table leads to its settings. */
export interface SettingTable {
  readonly [name: string]: Setting | SettingTable;
}
