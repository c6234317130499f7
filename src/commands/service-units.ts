// SPDX-License-Identifier: Apache-2.0
// The shipped units (systemd/) as they are for a program that npm has put somewhere, and for the
// systemd that is there: pure. Used by install-service.ts.

export interface Program {
  /** Absolute paths as the service will see them. */
  node: string;
  /** The package, with dist/ and public/. */
  directory: string;
}

/** In the first line of every file that install-service writes; uninstall-service removes no other. */
export const ownMark = '# Made by "spliced install-service"';

const notifyReloadSince = 253; // Type=notify-reload
const restartStepsSince = 254; // RestartSteps=, RestartMaxDelaySec=

/** Neither quoting nor specifiers of systemd.syntax(7) are needed. */
export const isPlainPath = (path: string): boolean => /^\/[\w./@+:~-]*$/.test(path);

/** The text of a unit. `version` is systemd's; undefined: it is not known, and taken as new. */
export function unitFor(text: string, { node, directory }: Program, version = 999): string {
  const program = `${node} ${directory}/dist/cli.js`;
  let unit = text
    .replaceAll('=/usr/bin/spliced ', `=${program} `)
    .replaceAll('WorkingDirectory=/usr/lib/spliced', `WorkingDirectory=${directory}`)
    .replaceAll('file:///usr/share/doc/spliced/', `file://${directory}/docs/`);
  if (version < notifyReloadSince) {
    const reload = 'Type=notify\nExecReload=/bin/kill -HUP $MAINPID';
    unit = unit.replace(/^Type=notify-reload$/m, () => reload);
  }
  if (version < restartStepsSince) unit = unit.replace(/^Restart(Steps|MaxDelaySec)=.*\n/gm, '');
  return `${ownMark}: change it by drop-ins (systemctl edit).\n${unit}`;
}
