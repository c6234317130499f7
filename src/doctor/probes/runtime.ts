// SPDX-License-Identifier: Apache-2.0
// What the program itself stands on: the addon, Node and its OpenSSL, the configuration, systemd.

import type { Board, Finding } from '../board.js';

const nodeMajorMin = 20;

export function probeAddon(board: Board): Finding[] {
  const id = 'runtime.addon';
  if (!('error' in board.native)) return [];
  const title = 'The native addon does not load: spliced cannot serve';
  const advice = 'Install the build for this processor and C library, or run "npm start" once.';
  return [{ id, level: 'problem', title, detail: `${board.native.error}.`, advice }];
}

export function probeNode(board: Board): Finding[] {
  const id = 'runtime.node';
  const { node = '?', openssl = '?' } = board.versions;
  const title = `Node ${node} with OpenSSL ${openssl}`;
  if (Number.parseInt(node, 10) < nodeMajorMin) {
    const advice = `Install Node ${nodeMajorMin} or later.`;
    return [{ id, level: 'problem', title, detail: 'This Node is too old.', advice }];
  }
  if (!/^3\./.test(openssl)) {
    const detail = "The addon is built for OpenSSL 3's interface, and uses the one inside of Node.";
    return [{ id, level: 'warning', title, detail, advice: 'Use a Node with OpenSSL 3.' }];
  }
  return [{ id, level: 'ok', title, detail: '' }];
}

export function probeConfiguration(board: Board): Finding[] {
  const id = 'runtime.configuration';
  if (!('error' in board.settings)) {
    return [{ id, level: 'ok', title: 'The configuration is valid', detail: '' }];
  }
  const title = 'The configuration is not valid: spliced does not start with it';
  const detail = `${board.settings.error}. Limits and the certificate were not looked at.`;
  return [{ id, level: 'problem', title, detail }];
}

/** Says how this process was started, which is what a person in a unit's context wants to know. */
export function probeSystemd(board: Board): Finding[] {
  const id = 'runtime.systemd';
  const { NOTIFY_SOCKET, LISTEN_FDS, LISTEN_PID, WATCHDOG_USEC, INVOCATION_ID } = board.env;
  const findings: Finding[] = [];
  if (LISTEN_FDS !== undefined && LISTEN_PID !== String(board.pid)) {
    const title = `LISTEN_FDS=${LISTEN_FDS} is not meant for this process (LISTEN_PID=${LISTEN_PID ?? 'unset'})`;
    const detail = 'A shell or wrapper between systemd and spliced hands on what it should not.';
    const advice = 'Start spliced directly from ExecStart=, or with "exec" in the wrapper.';
    findings.push({ id: 'runtime.listen-fds', level: 'warning', title, detail, advice });
  }
  if (board.stat('/run/systemd/system') === undefined) {
    const title = 'systemd does not run here: no socket activation, no watchdog';
    return [...findings, { id, level: 'info', title, detail: 'spliced works without it.' }];
  }
  const words = [
    NOTIFY_SOCKET ? 'it is told when we are ready' : 'no notify socket',
    LISTEN_FDS ? `${LISTEN_FDS} sockets handed over` : 'no sockets handed over',
    WATCHDOG_USEC ? `watchdog ${Number(WATCHDOG_USEC) / 1_000_000} s` : 'no watchdog',
  ];
  const where = INVOCATION_ID === undefined ? 'this is a shell' : 'this is a unit';
  const title = `systemd runs; ${where}: ${words.join(', ')}`;
  return [...findings, { id, level: 'ok', title, detail: '' }];
}
