// SPDX-License-Identifier: Apache-2.0
// Debian's nginx in the foreground, in a directory of its own, ended with the test.

import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';

const pollMs = 20;

/** A Unix socket is there once nginx listens; a port has to be tried. */
function isUp(place: string | number): Promise<boolean> | boolean {
  if (typeof place === 'string') return existsSync(place);
  return new Promise((resolve) => {
    const socket = connect(place, '127.0.0.1');
    const settle = (up: boolean) => {
      socket.destroy();
      resolve(up);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}

/** Starts it with this in `http { }`, and waits until it listens at a port or a Unix socket. */
export async function startNginx(
  t: Test,
  directory: string,
  http: string,
  place: string | number,
): Promise<void> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ');
  const configuration = `daemon off; master_process off; pid ${directory}/pid;
    error_log ${directory}/error.log; events {}
    http { access_log off; ${temporary} ${http} }`;
  writeFileSync(join(directory, 'nginx.conf'), configuration);
  const options = ['-p', directory, '-e', join(directory, 'error.log'), '-c', 'nginx.conf'];
  const child = spawn('nginx', options, { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  while (!(await isUp(place))) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
