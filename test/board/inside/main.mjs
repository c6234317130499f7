// SPDX-License-Identifier: Apache-2.0
// Runs on an emulated board: the control experiment, the truncation matrix in a short form, a stop in
// the middle of downloads, a key in a token, and the doctor. Writes one report, which boards.ts on the host judges.
//   node test/board/inside/main.mjs REPORT.json
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { stopDuring, versions, withProduct } from '../../guest/inside/cases.mjs';
import { connection, download } from '../../guest/inside/client.mjs';
import * as guest from '../../guest/inside/guest.mjs';
import { Server } from '../../guest/inside/server.mjs';

const slowness = Number(process.env.SPLICED_TEST_SLOWNESS ?? 1);
const sizes = [0, 1, 16383, 16384, 16385, 32700, 65537, 80000, guest.mebibyte];
const paths = sizes.map(guest.pathOf);
const largestPath = guest.pathOf(guest.mebibyte);
const buffers = 16384;
const concurrency = 16;
const rate = Math.round(2_000_000 / slowness);
const fast = 'fast';
const slow = `slow:${rate}`;
const resume = 'resume:600';
const stallMs = 10_000 * slowness;

const patient = { concurrency, deadlineS: 300 * slowness };

const downloads = (port, connections) =>
  download({ port, root: guest.root, connections, ...patient });

const shortMatrix = versions.flatMap((tls) => [
  ...[fast, slow, resume].flatMap((profile) => [
    ...paths.map((path) => connection({ tls, profile, mode: 'close', paths: [path] })),
    connection({ tls, profile, mode: 'keep', paths }),
  ]),
  connection({ tls, profile: slow, mode: 'pipeline', paths }),
  connection({ tls, profile: `stall:${3 * stallMs}`, mode: 'close', paths: [largestPath] }),
  connection({ tls, profile: 'early', mode: 'close', paths: [largestPath] }),
]);

const stopPlan = versions.flatMap((tls) =>
  ['close', 'keep'].flatMap((mode) =>
    Array.from({ length: 2 }, () =>
      connection({ tls, mode, profile: `gate:${Math.round(rate / 6)}`, paths: [largestPath] }),
    ),
  ),
);

/** The status as a client with the system's own TLS sees it. */
function curlStatus({ port }) {
  const url = `https://127.0.0.1:${port}/.spliced/status`;
  return JSON.parse(guest.run('curl', ['-sS', '--insecure', '--fail', url]));
}

// A busy host makes emulated clients so slow that the defaults, 10 s for a handshake and 30 s for a stop,
// are not enough.
const environment = {
  SPLICED_HANDSHAKE_TIMEOUT_MS: String(60_000 * slowness),
  SPLICED_STALL_TIMEOUT_MS: String(stallMs),
  SPLICED_STOP_TIMEOUT_MS: String(120_000 * slowness),
};

/** One server for both: the start of Node is what takes longest on a board. */
async function serve() {
  let matrix;
  const stop = await withProduct({ buffers, environment }, async (server) => {
    matrix = await downloads(server.port, shortMatrix);
    matrix.status = curlStatus(server);
    return stopDuring(server, stopPlan, patient);
  });
  return { matrix, stop };
}

/** The same conditions, and a server that closes at once. */
async function naive() {
  guest.setBuffers(buffers);
  const server = await Server.naive(guest);
  const connections = versions.flatMap((tls) =>
    Array.from({ length: 12 }, (_, index) =>
      connection({ tls, profile: slow, mode: 'keep', paths: [paths[6 + (index % 3)]] }),
    ),
  );
  const result = await downloads(server.port, connections);
  await server.stop();
  return { ...result, log: server.log };
}

/** The key is made in a SoftHSM, and stays there: the device's own certificate is for it. */
async function token() {
  const directory = '/run/token';
  mkdirSync(`${directory}/tokens`, { recursive: true });
  const configuration = `${directory}/softhsm2.conf`;
  const pinFile = `${directory}/pin`;
  const pin = '271828';
  writeFileSync(configuration, `directories.tokendir = ${directory}/tokens\nlog.level = ERROR\n`);
  writeFileSync(pinFile, pin, { mode: 0o600 });
  process.env.SOFTHSM2_CONF = configuration;
  const pins = ['--pin', pin, '--so-pin', '314159'];
  guest.run('softhsm2-util', ['--init-token', '--free', '--label', 'board', ...pins]);
  const module = '/usr/lib/softhsm/libsofthsm2.so';
  const tokenEnvironment = {
    SPLICED_PRIVATE_KEY: `pkcs11:token=board;object=tls?module-path=${module}&pin-source=file:${pinFile}`,
    SPLICED_MAKE_PRIVATE_KEY: 'P-256',
  };
  const stateDir = guest.newStateDir();
  const options = { buffers, stateDir, environment: { ...environment, ...tokenEnvironment } };
  const result = await withProduct(options, async (server) => ({ status: curlStatus(server) }));
  const stored = readdirSync(`${stateDir}/certificates/device`, { recursive: true });
  return { ...result, stored };
}

function doctor() {
  const args = ['dist/cli.js', 'doctor', '--json'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  try {
    return JSON.parse(stdout);
  } catch {
    return { error: `${stdout}${stderr}` };
  }
}

const steps = {
  naive,
  serve,
  token,
  doctor,
  crypto: () => readFileSync('/proc/crypto', 'utf8'),
  interrupts: () => readFileSync('/proc/interrupts', 'utf8'),
};

const report = { release: release(), architecture: arch(), node: process.version };
guest.makeFiles(sizes, [guest.root]);
for (const [name, run] of Object.entries(steps)) {
  try {
    report[name] = await run();
  } catch (error) {
    report[name] = { error: String(error?.stack ?? error) };
  }
  console.log(`@board step ${readFileSync('/proc/uptime', 'utf8').split(' ')[0]} ${name} done`);
  writeFileSync(process.argv[2], JSON.stringify(report));
}
