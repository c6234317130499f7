// SPDX-License-Identifier: Apache-2.0
// The servers that are compared, with the same certificate, AES-128-GCM and no access log: with kernel TLS and
// one engine or worker in a guest (compare.mjs), with as many as are asked for in scale.mjs. `bare` is the limit
// (bench/bare_server.cpp).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const suites12 = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const suites13 = 'TLS_AES_128_GCM_SHA256';

function nginxConfig({ host, port, root, certificate, key, directory, workers, protocols }) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ');
  return `daemon off; worker_processes ${workers}; user root; pid ${directory}/pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; ${temporary}
  server {
    listen ${host}:${port} ssl; http2 ${protocols.includes('h2') ? 'on' : 'off'}; root ${root};
    ssl_certificate ${certificate}; ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ${suites12}; ssl_session_cache shared:s:10m;
    ssl_conf_command Ciphersuites ${suites13}; ssl_conf_command Options KTLS;
  }
}
`;
}

function lighttpdConfig({ host, port, root, certificate, key, directory, workers, protocols }) {
  // 0 is one process that serves; with more, another looks after them.
  return `server.max-worker = ${workers > 1 ? workers : 0}
server.bind = "${host}"
server.feature-flags = ("server.h2proto" => "${protocols.includes('h2') ? 'enable' : 'disable'}")
server.port = ${port}
server.document-root = "${root}"
server.errorlog = "/dev/null"
server.upload-dirs = ("${directory}")
server.modules = ("mod_openssl")
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 60
mimetype.assign = ("" => "application/octet-stream")
ssl.engine = "enable"
ssl.pemfile = "${certificate}"
ssl.privkey = "${key}"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2", "Options" => "KTLS",
  "CipherString" => "${suites12}", "Ciphersuites" => "${suites13}")
`;
}

// It serves no files: these are in its memory, as its answer to their paths.
const haproxyFiles = [1, 1024, 16384];

function haproxyConfig({ host, port, root, certificate, key, directory, workers, protocols }) {
  const pair = join(directory, 'pair.pem');
  writeFileSync(pair, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
  const files = haproxyFiles.map(
    (size) =>
      `  http-request return status 200 content-type application/octet-stream file ${root}/f${size} if { path /f${size} }`,
  );
  return `global
  nbthread ${workers}
  tune.bufsize 32768
  ssl-default-bind-ciphers ${suites12}
  ssl-default-bind-ciphersuites ${suites13}
defaults
  mode http
  timeout client 60s
  timeout http-keep-alive 60s
frontend compared
  bind ${host}:${port} ssl crt ${pair} alpn ${protocols.join()}
${files.join('\n')}
`;
}

/** The command line of each server, given what it shall serve. */
function commandOf(name, options) {
  const {
    peers = '',
    tree = '.',
    node = process.execPath,
    host,
    port,
    root,
    certificate,
    key,
    directory,
    workers,
    config,
  } = options;
  const libraries = join(peers, 'usr/lib/x86_64-linux-gnu');
  const loader = [join(libraries, 'ld-linux-x86-64.so.2'), '--library-path', libraries];
  const file = join(directory, `${name}.conf`);
  if (name === 'nginx') {
    writeFileSync(file, nginxConfig(options));
    return [...loader, join(peers, 'usr/sbin/nginx'), '-c', file, '-e', 'stderr'];
  }
  if (name === 'lighttpd') {
    writeFileSync(file, lighttpdConfig(options));
    const modules = join(peers, 'usr/lib/lighttpd');
    return [...loader, join(peers, 'usr/sbin/lighttpd'), '-D', '-f', file, '-m', modules];
  }
  if (name === 'haproxy') {
    writeFileSync(file, haproxyConfig(options));
    return [...loader, join(peers, 'usr/sbin/haproxy'), '-db', '-f', file];
  }
  if (name === 'bare') {
    return [...loader, 'build/bench/bare-server', port, root, certificate, key, workers].map(
      String,
    );
  }
  const listen = ['--listen', `${host}:${port}`, '--state-dir', join(directory, 'state')];
  const identity = ['--certificate', certificate, '--private-key', key];
  const from = config === undefined ? [] : ['--config', config];
  return [
    node,
    join(tree, 'dist/cli.js'),
    'serve',
    '--root',
    root,
    ...listen,
    ...identity,
    ...from,
  ];
}

/** A self-signed certificate for localhost, at the paths that `start` takes. */
export function makeCertificate({ certificate, key }) {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-days', '30'];
  const names = ['-addext', 'subjectAltName=DNS:localhost'];
  const output = ['-keyout', key, '-out', certificate];
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, ...names, ...output]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
}

async function untilListening(port, child) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) break;
    const socket = connect(port, '127.0.0.1');
    const isUp = await new Promise((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the server does not listen');
}

/** How many sockets the kernel encrypts for, since the guest's start. */
function promotedCount() {
  const text = readFileSync('/proc/net/tls_stat', 'utf8');
  return Number(/TlsTxSw\s+(\d+)/.exec(text)?.[1] ?? 0);
}

/** One connection, and whether the kernel encrypts it. */
function requireKernelTls(name, port) {
  const before = promotedCount();
  const result = spawnSync('build/bench/load', [port, 'requests', '/f1', 1, 0].map(String));
  if (result.status !== 0) throw new Error(`${name}: ${result.stderr}`);
  if (promotedCount() === before) throw new Error(`${name} does not use kernel TLS`);
}

const defaults = { host: '127.0.0.1', workers: 1, isKernelTls: true, protocols: ['http/1.1'] };

/**
 * Starts a server with so many engines, workers or threads, and checks that it uses kernel TLS unless told not
 * to; the answer has `port`, `pid` and `stop()`. `bare` listens on the loopback and speaks HTTP/1.1 alone.
 */
export async function start(name, given) {
  const options = { ...defaults, ...given };
  const { workers, isKernelTls, protocols } = options;
  mkdirSync(options.directory, { recursive: true });
  const [command, ...args] = commandOf(name, options);
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    // lighttpd that is told to end tells its whole process group.
    detached: true,
    env: {
      ...process.env,
      UV_USE_IO_URING: '0',
      SPLICED_LOG_LEVEL: 'error',
      SPLICED_ENGINES: String(workers),
      // An older checkout does not know it.
      ...(protocols.includes('h2') && { SPLICED_PROTOCOLS: protocols.join() }),
      // As the others are told: the clients' connections stay for a whole measurement.
      SPLICED_REQUESTS_PER_CONNECTION_MAX: '1000000000',
    },
  });
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  await untilListening(options.port, child);
  if (isKernelTls) requireKernelTls(name, options.port);
  return {
    port: options.port,
    pid: child.pid,
    async stop() {
      end();
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      if (child.exitCode === null) await once(child, 'close');
      clearTimeout(late);
      process.off('exit', end);
    },
  };
}
