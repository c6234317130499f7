// SPDX-License-Identifier: Apache-2.0
// slowhttptest's attacks by slow heads, slow bodies and slow reading, a thousand connections over TLS
// from one address, against the server with its default limits (only its clocks are shorter, so that
// the attack ends here): a client from another address gets every answer, completely, all the while;
// and who attacks is ended or refused, and counted.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startServer } from './server.js';

const connections = 1_000;
const attackers = 4; // processes: each opens its connections one after the other
const lengthS = 16;
const normal = { host: '127.0.0.1', localAddress: '127.0.0.2', rejectUnauthorized: false };
const body = Buffer.alloc(100_000, 'x');

function get(port: number, path: string, agent: Agent | false): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...normal, port, path, agent, timeout: 10_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(Buffer.concat(chunks)));
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 10 s')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const modes: [name: string, clock: 'head' | 'request' | 'stall', args: string[]][] = [
  ['slow heads', 'head', ['-H', '-i', '1', '-x', '8']],
  ['slow bodies', 'request', ['-B', '-i', '1', '-x', '8', '-s', '8192']],
  ['slow reading', 'stall', ['-X', '-w', '256', '-y', '512', '-n', '2', '-z', '16', '-k', '3']],
];

for (const [name, clock, args] of modes) {
  t.test(name, { timeout: 60_000 }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'spliced-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'large.bin'), body);
    const own = [
      '--listen',
      '127.0.0.1:0',
      '--root',
      directory,
      '--state-dir',
      `${directory}/state`,
    ];
    const server = await startServer([process.execPath, 'dist/cli.js', 'serve', ...own], {
      SPLICED_HEAD_TIMEOUT_MS: '8000',
      SPLICED_REQUEST_TIMEOUT_MS: '8000',
      SPLICED_STALL_TIMEOUT_MS: '4000',
    });
    t.teardown(() => server.child.kill('SIGTERM'));
    const url = `https://127.0.0.1:${server.port}/large.bin`;
    const share = `${connections / attackers}`;
    const common = ['-c', share, '-r', share, '-l', `${lengthS}`, '-p', '3', '-u', url];
    const attacks = Array.from({ length: attackers }, () =>
      spawn('slowhttptest', [...args, ...common], { stdio: 'ignore' }),
    );
    t.teardown(() => attacks.map((attack) => attack.kill('SIGKILL')));
    let isOver = false;
    const ended = Promise.all(attacks.map((attack) => once(attack, 'close')));
    void ended.finally(() => {
      isOver = true;
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    let answers = 0;
    while (!isOver) {
      // By a connection that is kept, and by one of its own.
      for (const by of [agent, false] as const) {
        const answer = await get(server.port, '/large.bin', by);
        if (!answer.equals(body)) t.fail(`answer ${answers} is not whole`);
        answers += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ended;
    t.ok(answers >= 20, `${answers} answers while it went on, each of them whole`);
    const status = JSON.parse((await get(server.port, '/.spliced/status', false)).toString());
    const { shedBy, accepted, evicted } = status.connections;
    const hostile = accepted - answers;
    t.ok(hostile > 200, `the attack came: ${hostile} connections`);
    t.equal(shedBy.slots, 0, 'the table was never full');
    const overdue = status.overdue[clock];
    const ends = `${overdue} by their clock, ${evicted} to make room, ${shedBy.address} refused`;
    t.ok(overdue + evicted > 0 && overdue + evicted + shedBy.address > 100, `ended: ${ends}`);
    t.comment(JSON.stringify({ answers, ...status.connections, overdue: status.overdue }));
  });
}
