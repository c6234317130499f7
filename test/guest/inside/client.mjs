// SPDX-License-Identifier: Apache-2.0
// Runs the C++ client with a plan and judges what it reports: each connection of a plan says, by its
// profile, how its downloads must end. Used by the cases.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One connection; its downloads must all end with `outcome`. */
export function connection({ tls, profile, mode, paths, cipher = 'aes128' }) {
  const name = profile.split(':')[0];
  const outcome = { stall: 'reset_after_stall', early: 'closed_by_us' }[name] ?? 'complete';
  const receiveBufferBytes = name === 'fast' ? 0 : 8192;
  return { tls, profile, mode, paths, cipher, receiveBufferBytes, outcome };
}

/** What the client reads on its standard input. */
export function planText(connections) {
  const line = (entry, id) => {
    const { tls, cipher, profile, mode, receiveBufferBytes, paths } = entry;
    return [id, tls, cipher, profile, mode, receiveBufferBytes, ...paths].join(' ');
  };
  return `${connections.map(line).join('\n')}\n`;
}

function count(outcomes) {
  const counts = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

const isAtGate = (line) => line.startsWith('{"gate"');

/**
 * Downloads by the plan. `onGate` is called when every connection of the profile gate stands in its
 * middle, and they read on after it. Resolves to the expected and the real number of each outcome, the complete
 * downloads, and every download that did not end as its profile says.
 */
export async function download(options) {
  const { port, root, connections, concurrency = 48, deadlineS = 150, onGate } = options;
  const args = ['--port', port, '--root', root, '--concurrency', concurrency];
  const child = spawn('build/guest/client', [...args, '--deadline-s', deadlineS].map(String), {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let gated = 0;
  const gates = connections.filter(({ profile }) => profile.startsWith('gate')).length;
  createInterface(child.stdout).on('line', async (line) => {
    // One that ended before its gate is waited for by nobody: its outcome says what it was.
    if (!isAtGate(line) && !JSON.parse(line).profile.startsWith('gate')) return;
    gated += 1;
    if (gated !== gates) return;
    await onGate?.();
    child.kill('SIGUSR1');
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  child.stdin.end(planText(connections));
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const results = output
    .split('\n')
    .filter((line) => line !== '' && !isAtGate(line))
    .map((line) => JSON.parse(line));
  const offending = results.filter(
    ({ id, outcome }) => connections[Number(id)].outcome !== outcome,
  );
  return {
    expected: count(connections.flatMap(({ outcome, paths }) => paths.map(() => outcome))),
    outcomes: count(results.map(({ outcome }) => outcome)),
    offending: offending.slice(0, 20),
    slowest: results.sort((a, b) => b.ms - a.ms).slice(0, 3),
    clientErrors: code === 0 ? errors : `${errors}exit code ${code}`,
  };
}
