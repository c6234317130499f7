// SPDX-License-Identifier: Apache-2.0
// The state directory: whether it can be written, has room, and belongs to one user; and what a
// service that runs with it could not write or tidy. None of that keeps the service down.

import type { Board, Finding } from '../board.js';

const roomBytesMin = 1_048_576;
const depthMax = 4;
const entriesMax = 500;

function writability(board: Board, stateDir: string): Finding[] {
  const id = 'state.writable';
  const refusal = board.writeRefusal(stateDir);
  if (refusal === '') return [];
  const detail =
    'The service goes on with the certificate that is there; it cannot renew it, and keeps no ' +
    `record, no upload and no API socket (${stateDir}: ${refusal}).`;
  if (refusal === 'EROFS') {
    const title = 'The state directory is on a file system that is mounted read-only';
    const advice =
      'Look in "dmesg" whether the kernel did that after errors of the medium; else mount it ' +
      'read-write.';
    return [{ id, level: 'problem', title, detail, advice }];
  }
  const title = 'The state directory cannot be written by this user';
  const advice = 'Run this as root, or as the user of the service.';
  return [{ id, level: 'info', title, detail: `${stateDir}: ${refusal}.`, advice }];
}

function room(board: Board, stateDir: string): Finding[] {
  const id = 'state.space';
  const space = board.space(stateDir);
  if (space === undefined || (space.bytes >= roomBytesMin && space.files !== 0)) return [];
  const what = space.bytes < roomBytesMin ? `${Math.floor(space.bytes / 1024)} KiB` : 'no inode';
  const title = `The file system of the state directory is full: ${what} left`;
  const detail = 'Certificates are not renewed, and updates cannot be received.';
  const advice = `Make room: look with "du -x" from ${stateDir} up; "spliced update" shows what an update left.`;
  return [{ id, level: 'problem', title, detail, advice }];
}

/** Files below, as deep as the service's own are. */
function* filesBelow(board: Board, directory: string, depth = 0): Generator<string> {
  if (depth === depthMax) return;
  for (const name of board.list(directory)) {
    const path = `${directory}/${name}`;
    yield path;
    yield* filesBelow(board, path, depth + 1);
  }
}

function owners(board: Board, stateDir: string): Finding[] {
  const owner = board.stat(stateDir)?.uid;
  if (owner === undefined) return [];
  const others: string[] = [];
  let seen = 0;
  for (const path of filesBelow(board, stateDir)) {
    seen += 1;
    if (seen > entriesMax) break;
    const uid = board.stat(path)?.uid;
    if (uid !== undefined && uid !== owner) others.push(`${path} (user ${uid})`);
  }
  const [first] = others;
  if (first === undefined) return [];
  const title = `The state directory belongs to user ${owner}, and not all that is in it`;
  const more = others.length === 1 ? '' : ` and ${others.length - 1} more`;
  const detail = `${first}${more}. The service can neither renew nor tidy what is not its own.`;
  const advice = `chown -R ${owner} ${stateDir}`;
  return [{ id: 'state.owner', level: 'warning', title, detail, advice }];
}

function undone(board: Board): Finding[] {
  const { undone = [] } = board;
  if (undone.length === 0) return [];
  const title = `The running service could not do ${undone.length} of its tasks`;
  const detail = `${undone.join('; ')}.`;
  const advice = 'It serves all the same, and tries them again. Mend what the reasons name.';
  return [{ id: 'state.housekeeping', level: 'warning', title, detail, advice }];
}

export function probeState(board: Board): Finding[] {
  const { settings } = board;
  if ('error' in settings) return [];
  const { stateDir } = settings;
  if (board.stat(stateDir) === undefined) return undone(board); // The first start makes it.
  return [
    ...writability(board, stateDir),
    ...room(board, stateDir),
    ...owners(board, stateDir),
    ...undone(board),
  ];
}
