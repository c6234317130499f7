// SPDX-License-Identifier: Apache-2.0
// The servers that bench/run compares, each with kernel TLS, one process that serves, the same
// certificate, AES-128-GCM and no access log. Used by compare.mjs, in a guest.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const suites12 = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const suites13 = 'TLS_AES_128_GCM_SHA256';

function nginxConfig({ port, root, certificate, key, directory }) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join(' ');
  return `daemon off; worker_processes 1; user root; pid ${directory}/pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; ${temporary}
  server {
    listen 127.0.0.1:${port} ssl; root ${root};
    ssl_certificate ${certificate}; ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ${suites12}; ssl_session_cache shared:s:10m;
    ssl_conf_command Ciphersuites ${suites13}; ssl_conf_command Options KTLS;
  }
}
`;
}

function lighttpdConfig({ port, root, certificate, key, directory }) {
  return `server.bind = "127.0.0.1"
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

/** The command line of each server, given what it shall serve. */
function commandOf(name, options) {
  const { peers = '', tree = '.', port, root, certificate, key, directory } = options;
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
  const listen = ['--listen', `127.0.0.1:${port}`, '--state-dir', join(directory, 'state')];
  const identity = ['--certificate', certificate, '--private-key', key];
  return [
    process.execPath,
    join(tree, 'dist/cli.js'),
    'serve',
    '--root',
    root,
    ...listen,
    ...identity,
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

/** Starts a server and checks that it uses kernel TLS; the answer has `port`, `pid` and `stop()`. */
export async function start(name, options) {
  mkdirSync(options.directory, { recursive: true });
  const [command, ...args] = commandOf(name, options);
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, UV_USE_IO_URING: '0', SPLICED_LOG_LEVEL: 'error' },
  });
  await untilListening(options.port, child);
  requireKernelTls(name, options.port);
  return {
    port: options.port,
    pid: child.pid,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      if (child.exitCode === null) await once(child, 'close');
      clearTimeout(late);
    },
  };
}
