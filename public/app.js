// SPDX-License-Identifier: Apache-2.0
// Asks /.spliced/status each second over the kept connection and says in words what it holds. From
// another machine the server answers 404; then the page explains how to look.

const periodMs = 1000;
const retryMs = 5000;
const samplesMax = 60;

const element = (id) => document.getElementById(id);
const say = (id, text) => {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
};

const numbers = new Intl.NumberFormat('en');
const count = (value, one, many = `${one}s`) =>
  `${numbers.format(value)} ${value === 1 ? one : many}`;

function bytes(value) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(size < 10 ? 2 : 1)} ${units[unit]}`;
}

function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return count(seconds, 'second');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${count(minutes, 'minute')} ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${count(hours, 'hour')} ${minutes % 60} min`;
  return `${count(Math.floor(hours / 24), 'day')} ${hours % 24} h`;
}

const words = (name) => name.replaceAll('_', ' ');

/** "3 timeout, 1 peer closed" from an object of counters, or `none`. */
function nonZero(counters, none) {
  const parts = Object.entries(counters)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${numbers.format(value)} ${words(name)}`);
  return parts.length > 0 ? parts.join(', ') : none;
}

const fallbackWords = {
  off_by_configuration: 'switched off by --tls-offload',
  kernel_has_no_tls: 'the kernel has no TLS',
  cipher_refused: 'the kernel refused the cipher',
  peer_closed: 'the peer had gone',
  not_quiescent: 'bytes were still under way',
  install_failed: 'the keys could not be installed',
};

function kernelTls({ mode, kernel, promoted }) {
  if (mode === 'off') return 'Off, by configuration (--tls-offload off)';
  if (kernel !== 'available') return `Off: ${kernel}. User space encrypts instead.`;
  const total = Object.values(promoted).reduce((sum, value) => sum + value, 0);
  return total > 0 ? 'On: the kernel encrypts' : 'Available; no connection has used it yet';
}

function ciphersInWords(ciphers) {
  const able = ciphers.filter(({ tx }) => tx);
  if (able.length === 0) return 'none';
  const names = [...new Set(ciphers.map(({ cipher }) => cipher))];
  const texts = names.map((name) => {
    const versions = ciphers
      .filter(({ cipher, tx, rx }) => cipher === name && tx && rx)
      .map(({ version }) => version.replace('TLSv', ''));
    return versions.length > 0 ? `${name} (TLS ${versions.join(', ')})` : `${name}: no`;
  });
  return texts.join('; ');
}

function showEncryption(offload) {
  say('kernel-tls', kernelTls(offload));
  say('ciphers', ciphersInWords(offload.ciphers));
  const { name, priority, async: isAsync } = offload.driver ?? {};
  const manner = isAsync ? 'asynchronous: records wait for it' : 'synchronous';
  say('driver', name ? `${name}, priority ${priority}, ${manner}` : 'not known');
  say('promoted', nonZero(offload.promoted, 'none yet'));
  const fallbacks = Object.entries(offload.fallbacks).map(([key, value]) => [
    fallbackWords[key] ?? key,
    value,
  ]);
  say('fallbacks', nonZero(Object.fromEntries(fallbacks), 'none'));
}

const samples = [];
let previous;

function showRate(status) {
  const sent = status.bytes.plaintextSent;
  const { uptimeMs } = status;
  if (previous && uptimeMs > previous.uptimeMs && sent >= previous.sent) {
    samples.push(((sent - previous.sent) * 1000) / (uptimeMs - previous.uptimeMs));
    if (samples.length > samplesMax) samples.shift();
  } else if (previous && uptimeMs < previous.uptimeMs) {
    samples.length = 0; // The server was started anew.
  }
  previous = { sent, uptimeMs };
  if (samples.length === 0) return;
  say('rate', `${bytes(samples[samples.length - 1])}/s`);
  const top = Math.max(...samples, 1);
  const step = 300 / (samplesMax - 1);
  const start = 300 - (samples.length - 1) * step;
  const points = samples.map((value, index) => {
    const x = (start + index * step).toFixed(1);
    return `${x},${(58 - (value / top) * 54).toFixed(1)}`;
  });
  element('plot-line').setAttribute('points', points.join(' '));
  const area = `${start.toFixed(1)},60 ${points.join(' ')} 300,60`;
  element('plot-area').setAttribute('points', area);
  const label = `Bytes per second over the last minute, at most ${bytes(top)} per second`;
  element('plot').setAttribute('aria-label', label);
}

function showConnections({ connections, tls }) {
  say('open', `${numbers.format(connections.open)}`);
  say('states', nonZero(connections.byState, 'none'));
  const shed = connections.shed > 0 ? `, ${numbers.format(connections.shed)} turned away` : '';
  say('accepted', `${numbers.format(connections.accepted)}${shed}`);
  const { full, resumed } = tls.handshakes;
  say('handshakes', `${numbers.format(full)} full, ${numbers.format(resumed)} resumed`);
  say('failures', nonZero(tls.failures, 'none'));
}

function showPending({ pending, drains }) {
  say('pending', `${bytes(pending.bytes)} in all connections`);
  say('pending-max', `${bytes(pending.bytesMax)}; the window is ${bytes(pending.windowBytes)}`);
  say('pauses', count(pending.pauses, 'time'));
  const meter = element('pending-meter');
  meter.max = Math.max(pending.windowBytes, pending.bytes, 1);
  meter.value = pending.bytes;
  const { drained, aborted, peerGone, inProgress, lastMs, maxMs } = drains;
  const parts = [`${numbers.format(drained)} drained`, `${numbers.format(aborted)} aborted`];
  if (peerGone > 0) parts.push(`${numbers.format(peerGone)} left by the peer`);
  if (inProgress > 0) parts.push(`${numbers.format(inProgress)} in progress`);
  say('drains', `${parts.join(', ')}; last ${lastMs} ms, longest ${maxMs} ms`);
}

function show(status) {
  showEncryption(status.offload);
  showRate(status);
  showConnections(status);
  showPending(status);
  const { requests, bytes: transferred, ring, files } = status;
  const share =
    transferred.plaintextSent > 0
      ? ` (${Math.round((100 * transferred.spliced) / transferred.plaintextSent)} %)`
      : '';
  say('sent', bytes(transferred.plaintextSent));
  say('spliced', `${bytes(transferred.spliced)}${share}`);
  const byStatus = Object.entries(requests.byStatus)
    .filter(([, value]) => value > 0)
    .map(([code, value]) => `${code}: ${numbers.format(value)}`);
  say(
    'requests',
    `${numbers.format(requests.total)}${byStatus.length ? ` (${byStatus.join(', ')})` : ''}`,
  );
  say('version', status.version);
  say('uptime', duration(status.uptimeMs));
  say('ring', ring.detail ? `${ring.backend} (${ring.detail})` : ring.backend);
  say(
    'files',
    `${numbers.format(files.open)}; ${numbers.format(files.hits)} hits, ${numbers.format(files.misses)} misses`,
  );
}

function summarize(text, kind) {
  say('summary', text);
  element('summary').className = kind;
}

function showRemote() {
  const port = location.port || '443';
  const tunnel = `ssh -L 8443:localhost:${port} root@${location.hostname}`;
  say('tunnel', tunnel);
  say('ask', `curl --insecure https://localhost:${port}/.spliced/status`);
  element('remote').hidden = false;
  element('figures').hidden = true;
  summarize('Serving', 'good');
}

async function poll() {
  let waitMs = periodMs;
  try {
    const response = await fetch('/.spliced/status', { cache: 'no-store' });
    if (response.status === 404) {
      showRemote();
      return;
    }
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    show(await response.json());
    element('figures').hidden = false;
    summarize('Serving', 'good');
  } catch (error) {
    const reason = error instanceof TypeError ? 'it does not answer' : error.message;
    summarize(`The server cannot be asked: ${reason}. Trying again.`, 'bad');
    waitMs = retryMs;
  }
  // A hidden tab need not keep a small device busy.
  if (document.hidden) {
    document.addEventListener('visibilitychange', () => void poll(), { once: true });
  } else {
    setTimeout(poll, waitMs);
  }
}

void poll();
