// SPDX-License-Identifier: Apache-2.0
// In a guest: uploads of a large bundle over kernel TLS, to the service and, where there is one, to
// nginx with the body in a file; one after the other, ROUNDS times. Writes figures as JSON.
//
//   node upload.mjs SHARED MIB ROUNDS [PEERS]
//
// SHARED: a directory of the host with bundle, certificate and key; the parts go there, too.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const [, , shared, mib, rounds, peers = ''] = process.argv;
const length = Number(mib) * 1024 * 1024;
const bundle = join(shared, 'bundle');
const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => join(shared, name));
const [ownPort, nginxPort, backPort] = [4430, 4431, 4432];

async function untilListening(port) {
  for (let i = 0; i < 600; i += 1) {
    const socket = connect(port, '127.0.0.1');
    const isUp = await new Promise((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on ${port}`);
}

const memoryOf = (pid, name) =>
  Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** Milliseconds that curl took, and what it was answered. */
function send(url) {
  const began = performance.now();
  const args = ['--http1.1', '-k', '-sS', '-w', '\n%{http_code}', '-T', bundle, url];
  const { stdout, stderr } = spawnSync('curl', args, { encoding: 'utf8', maxBuffer: 1 << 20 });
  const [, body, status] = /^(.*)\n(\d+)$/s.exec(stdout) ?? [];
  return { ms: performance.now() - began, body, status: Number(status), stderr };
}

function startOwn() {
  const stateDir = join(shared, 'state');
  const root = join(shared, 'root');
  mkdirSync(root, { recursive: true });
  const listen = ['--listen', `127.0.0.1:${ownPort}`, '--state-dir', stateDir, '--root', root];
  const identity = ['--certificate', certificate, '--private-key', key];
  const env = {
    ...process.env,
    UV_USE_IO_URING: '0',
    SPLICED_UPDATE_ADAPTER: 'command',
    SPLICED_UPDATE_COMMAND: '/bin/true',
  };
  const args = ['dist/cli.js', 'serve', ...listen, ...identity];
  return { stateDir, child: spawn(process.execPath, args, { env, stdio: ['ignore', 2, 2] }) };
}

function startNginx() {
  const directory = join(shared, 'nginx');
  mkdirSync(directory, { recursive: true });
  const places = ['proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (n) => `${n}_temp_path ${directory}/${n};`,
  );
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; worker_processes 1; user root; pid ${directory}/pid; error_log stderr error;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ${directory}/bodies; ${places.join(' ')}
  server { listen 127.0.0.1:${backPort}; return 204; }
  server {
    listen 127.0.0.1:${nginxPort} ssl; client_max_body_size 0;
    client_body_in_file_only on; client_body_buffer_size 256k;
    ssl_certificate ${certificate}; ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Options KTLS;
    location / {
      proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_pass http://127.0.0.1:${backPort};
    }
  }
}
`,
  );
  const libraries = join(peers, 'usr/lib/x86_64-linux-gnu');
  const loader = [join(libraries, 'ld-linux-x86-64.so.2'), '--library-path', libraries];
  const [program, ...args] = [...loader, join(peers, 'usr/sbin/nginx')];
  const conf = ['-c', join(directory, 'nginx.conf'), '-e', 'stderr'];
  return { directory, child: spawn(program, [...args, ...conf], { stdio: ['ignore', 2, 2] }) };
}

const api = (stateDir, ...args) =>
  JSON.parse(
    spawnSync(
      'curl',
      ['-sS', '--unix-socket', 'api.sock', ...args.slice(0, -1), `http://localhost${args.at(-1)}`],
      { cwd: stateDir, encoding: 'utf8' },
    ).stdout || '{}',
  );

const own = startOwn();
await untilListening(ownPort);
const nginx = peers === '' ? undefined : startNginx();
if (nginx) await untilListening(nginxPort);
const prefix = '/.spliced/api/v1';
const status = () => api(own.stateDir, `${prefix}/status`);
for (let i = 0; i < 100 && status().version === undefined; i += 1) spawnSync('sleep', ['0.1']);

const result = { rounds: [], nginxMs: [] };
for (let round = 0; round < Number(rounds); round += 1) {
  const wish = JSON.stringify({ name: `bundle-${round}`, length });
  const place = api(own.stateDir, '--json', wish, `${prefix}/update/uploads`);
  writeFileSync(`/proc/${own.child.pid}/clear_refs`, '5'); // VmHWM begins anew.
  const beforeKib = memoryOf(own.child.pid, 'VmRSS');
  const sent = send(`https://127.0.0.1:${ownPort}${place.upload}`);
  const peakKib = memoryOf(own.child.pid, 'VmHWM');
  result.rounds.push({ ...sent, beforeKib, peakKib });
  for (const name of readdirSync(join(own.stateDir, 'update')).filter((n) =>
    n.startsWith('bundle-'),
  ))
    result.size = statSync(join(own.stateDir, 'update', name)).size;
  api(own.stateDir, '-X', 'DELETE', `${prefix}/update/uploads`);
  if (!nginx) continue;
  const peer = send(`https://127.0.0.1:${nginxPort}/put`);
  if (peer.status !== 204) throw new Error(`nginx: ${peer.status} ${peer.stderr} ${peer.body}`);
  result.nginxMs.push(peer.ms);
  rmSync(join(nginx.directory, 'bodies'), { recursive: true, force: true });
  mkdirSync(join(nginx.directory, 'bodies'));
}
const { bytes, offload } = status();
result.status = { bytes, offload };
result.tls = readFileSync('/proc/net/tls_stat', 'utf8');
writeFileSync(join(shared, 'figures.json'), JSON.stringify(result, null, 1));
for (const { child } of [own, nginx].filter(Boolean)) child.kill('SIGTERM');
