// SPDX-License-Identifier: Apache-2.0
// What is asked of several engines on several CPUs: downloads by a plan, first undisturbed, then while the
// network loses and reorders, CPUs go off and on line and clients are killed, then a SIGTERM in the middle of
// it all. The host judges it: test/guest/host/smp.ts. Run by smp.mjs.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { stopDuring, versions, withProduct } from './cases.mjs';
import { connection, download, planText } from './client.mjs';
import * as guest from './guest.mjs';

const small = [0, 1, 16384, 16385, 32700, 65537, 80000];
const middle = 200_000;
export const sizes = [...small, middle, guest.mebibyte];
const smallPaths = [...small, middle].map(guest.pathOf);
const mebibytePath = guest.pathOf(guest.mebibyte);
const gated = 32;

// An emulated CPU may stand still for seconds: nobody is to be given up because of that.
const patient = {
  SPLICED_HANDSHAKE_TIMEOUT_MS: '600000',
  SPLICED_HEAD_TIMEOUT_MS: '600000',
  SPLICED_REQUEST_TIMEOUT_MS: '600000',
  SPLICED_IDLE_TIMEOUT_MS: '600000',
  SPLICED_STALL_TIMEOUT_MS: '600000',
  SPLICED_STOP_TIMEOUT_MS: '600000',
  SPLICED_LINGER_TIMEOUT_MS: '20000',
};
const deadlineS = 900;

function plan() {
  return versions.flatMap((tls) => {
    const one = (profile, path) => connection({ tls, profile, mode: 'close', paths: [path] });
    return [
      ...smallPaths.map((path) => one('fast', path)),
      ...['slow:2000000', 'resume:600'].map((profile) => one(profile, mebibytePath)),
      connection({ tls, profile: 'fast', mode: 'keep', paths: smallPaths }),
      connection({ tls, profile: 'slow:4000000', mode: 'pipeline', paths: smallPaths }),
      one('early', mebibytePath),
    ];
  });
}

/** On the console of a guest that is given up: how far it came. */
function step(...words) {
  console.log(`${process.uptime().toFixed(0)} s:`, ...words);
}

const repeated = (rounds) => Array.from({ length: rounds }, plan).flat();

/** Loss, reordering and duplicates on loopback while `use` runs; adds how many packets were lost. */
async function withBadNetwork(use) {
  const faults = 'delay 3ms 1ms reorder 25% 50% loss 2% duplicate 1%'.split(' ');
  guest.run('tc', ['qdisc', 'add', 'dev', 'lo', 'root', 'netem', ...faults]);
  try {
    const result = await use();
    const [queue] = JSON.parse(guest.run('tc', ['-s', '-j', 'qdisc', 'show', 'dev', 'lo']));
    return { ...result, lost: queue.drops };
  } finally {
    guest.run('tc', ['qdisc', 'del', 'dev', 'lo', 'root']);
  }
}

/** Takes every CPU but the first off and on line in turn while `use` runs; adds how often. */
async function withRestlessCpus(use) {
  const cpus = Array.from({ length: availableParallelism() - 1 }, (_, index) => index + 1);
  let isOver = false;
  let offlined = 0;
  const disturb = async () => {
    while (!isOver || offlined < cpus.length) {
      for (const cpu of cpus) {
        const path = `/sys/devices/system/cpu/cpu${cpu}/online`;
        writeFileSync(path, '0');
        offlined += 1;
        await sleep(300);
        writeFileSync(path, '1');
        await sleep(300);
      }
    }
  };
  const disturbing = disturb();
  let result;
  try {
    result = await use();
  } finally {
    isOver = true;
    await disturbing;
  }
  return { ...result, offlined };
}

/** Clients that are killed in the middle of what they read. */
async function killClients(port) {
  const victims = versions.flatMap((tls) =>
    Array.from({ length: 4 }, () =>
      connection({ tls, profile: 'gate:100000', mode: 'close', paths: [mebibytePath] }),
    ),
  );
  const args = ['--port', port, '--root', guest.root, '--deadline-s', deadlineS].map(String);
  const child = spawn('build/guest/client', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let reached = 0;
  child.stdin.end(planText(victims));
  for await (const data of child.stdout) {
    reached += String(data).split('"gate"').length - 1;
    if (reached >= victims.length) child.kill('SIGKILL');
  }
  await ended;
  return reached;
}

const disturbed = (use) => withBadNetwork(() => withRestlessCpus(use));

/** Every connection in the middle of its body at once: who has them is seen, then the service is stopped. */
function stopInTheMiddle(server) {
  const connections = Array.from({ length: gated }, (_, index) =>
    connection({
      tls: versions[index % 2],
      profile: 'gate:2000000',
      mode: index % 4 < 2 ? 'close' : 'keep',
      paths: [guest.pathOf(middle)],
    }),
  );
  return stopDuring(server, connections, { deadlineS });
}

function serve(engines, { rounds = 1, ...options } = {}) {
  const environment = { ...patient, SPLICED_ENGINES: String(engines), ...options.environment };
  return withProduct({ buffers: 16384, ...options, environment }, async (server) => {
    const { port } = server;
    const phase = () =>
      download({ port, root: guest.root, connections: repeated(rounds), deadlineS });
    step('ready');
    const calm = await phase();
    step('calm', calm.outcomes);
    const restless = await disturbed(async () => {
      const [result, killed] = await Promise.all([phase(), killClients(port)]);
      return { ...result, killed };
    });
    step('disturbed', restless.outcomes, restless.lost, restless.offlined);
    const stopped = await disturbed(() => stopInTheMiddle(server));
    step('stopped', stopped.outcomes, JSON.stringify(stopped.status?.engines));
    for (const { offending } of [calm, restless, stopped]) {
      for (const download of offending) step(JSON.stringify(download));
    }
    return { ...stopped, phases: { calm, disturbed: restless, stop: stopped } };
  });
}

/** Readers that stand still for longer than the stop waits: what they lose, the exit code tells. */
function deadline(engines) {
  const environment = {
    ...patient,
    SPLICED_ENGINES: String(engines),
    SPLICED_STOP_TIMEOUT_MS: '3000',
  };
  const connections = Array.from({ length: 6 }, (_, index) =>
    connection({
      tls: versions[index % 2],
      profile: 'gate:2000000',
      mode: 'close',
      paths: [mebibytePath],
    }),
  );
  return withProduct({ buffers: 16384, environment }, async (server) => {
    const { port } = server;
    let status;
    const onGate = async () => {
      status = await server.status();
      await server.stop();
    };
    const done = await download({ port, root: guest.root, connections, onGate, deadlineS });
    return { ...done, status };
  });
}

/** Each takes how many times the plan is gone through in each phase. */
export const cases = {
  'engines 1': (rounds) => serve(1, { rounds }),
  'engines 2': (rounds) => serve(2, { rounds }),
  'engines 4': (rounds) => serve(4, { rounds }),
  'epoll 2': (rounds) => serve(2, { rounds, environment: { SPLICED_RING: 'epoll' } }),
  'cold 2': (rounds) => serve(2, { rounds, root: guest.coldRoot }),
  deadline: () => deadline(2),
};
