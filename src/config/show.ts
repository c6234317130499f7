// SPDX-License-Identifier: Apache-2.0
// The effective configuration as text: TOML that could be a configuration file itself, with the
// origin of each value beside it, or JSON for programs. Values of sensitive settings never appear.
// Called by `spliced config show`.

import { visibleJson } from '../base/visible.js';
import type { Effective, LoadedConfiguration } from './configuration.js';
import { originText } from './layers.js';

const lineWidth = 44;

/** A value as TOML writes it; JSON's strings are TOML's, DEL escaped. */
export function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  return visibleJson(value);
}

function lineOf({ key, value, origin, setting }: Effective): string {
  const name = key.slice(key.lastIndexOf('.') + 1);
  const isSecret = setting.sensitive === true;
  const text = isSecret ? `# ${name} is not shown` : `${name} = ${tomlValue(value)}`;
  return `${text.padEnd(lineWidth)} # ${originText(origin)}`;
}

export function showAsToml({ settings, files }: LoadedConfiguration): string {
  const lines = files.length === 0 ? ['# no file'] : files.map((path) => `# ${path}`);
  let table = '';
  for (const effective of settings.values()) {
    const { key } = effective;
    const own = key.includes('.') ? key.slice(0, key.lastIndexOf('.')) : '';
    if (own !== table) lines.push('', `[${own}]`);
    table = own;
    lines.push(lineOf(effective));
  }
  return `${lines.join('\n')}\n`;
}

export function showAsJson({ settings, files }: LoadedConfiguration): string {
  const shown = [...settings.values()].map(({ key, value, origin, setting }) => {
    const what = setting.sensitive === true ? { isHidden: true } : { value };
    return [key, { ...what, origin }] as const;
  });
  return `${visibleJson({ files, settings: Object.fromEntries(shown) }, 2)}\n`;
}
