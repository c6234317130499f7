// SPDX-License-Identifier: Apache-2.0
// The status and the certificates as Prometheus metrics: names and base units by its conventions
// (seconds, bytes, `_total` for what only grows). Called by the route /metrics.

import { readdirSync } from 'node:fs';
import type { Counts, StatusDocument } from '../base/status-document.js';
import { Exposition, type Labels, type Sample } from './exposition.js';
import type { Certificate } from './service.js';

const seconds = (ms: number): number => ms / 1_000;

/** A sample for each entry, its name as a label. */
const by = (label: string, counts: Counts): Sample[] =>
  Object.entries(counts).map(([name, count]) => [{ [label]: name }, count]);

function writeOffload(
  to: Exposition,
  { offload, tls, clientCertificates: clients }: StatusDocument,
): void {
  const { driver, suspended, mode, kernel } = offload;
  to.gauge('spliced_kernel_tls_usable', '1: the kernel has TLS, and new connections use it.', [
    [{ mode }, Number(mode === 'auto' && kernel === 'available' && suspended === '')],
  ]);
  const driverLabels: Labels[] =
    driver === null ? [] : [{ name: driver.name, async: String(driver.async) }];
  to.gauge(
    'spliced_cipher_driver_info',
    "The kernel's driver of gcm(aes).",
    driverLabels.map((labels) => [labels, 1]),
  );
  to.counter(
    'spliced_connections_promoted_total',
    'Connections that the kernel encrypts.',
    Object.entries(offload.promoted).map(([name, count]) => {
      const [version = '', cipher = ''] = name.split(' ');
      return [{ version, cipher }, count];
    }),
  );
  to.counter(
    'spliced_connections_not_promoted_total',
    'Connections that stayed in user space.',
    by('reason', offload.fallbacks),
  );
  to.counter(
    'spliced_tls_handshakes_total',
    'Handshakes that succeeded.',
    by('kind', tls.handshakes),
  );
  to.counter(
    'spliced_tls_groups_total',
    'Handshakes that succeeded, by the group of the key exchange.',
    by('group', tls.groups),
  );
  to.counter(
    'spliced_tls_handshake_failures_total',
    'Handshakes that failed.',
    by('reason', tls.failures),
  );
  const { failing, waiting, hanging, threads: _, ...ever } = tls.signatures;
  to.counter(
    'spliced_tls_signatures_total',
    'Handshakes with a key that is not in memory, by outcome.',
    by('outcome', ever),
  );
  to.gauge('spliced_tls_signatures_waiting', 'Handshakes that wait for such a key.', waiting);
  to.gauge('spliced_tls_signatures_hanging', 'Threads that hang in a token.', hanging);
  to.gauge('spliced_tls_keys_failing', 'Keys that do not sign now.', failing.length);
  to.counter('spliced_tls_alerts_sent_total', 'Fatal alerts sent.', tls.alertsSent);
  to.counter('spliced_tls_control_records_total', 'Control records received.', tls.controlRecords);
  to.counter(
    'spliced_tls_record_limit_closes_total',
    'Connections closed because their key had encrypted enough.',
    tls.recordLimitCloses,
  );
  to.counter(
    'spliced_tls_key_updates_total',
    'New keys in the middle of a connection that the kernel encrypts.',
    by('direction', tls.keyUpdates),
  );
  to.counter(
    'spliced_tls_floods_total',
    'Clients disconnected because they kept TLS busy without a request.',
    by('reason', tls.floods),
  );
  to.counter(
    'spliced_client_certificates_verified_total',
    'Handshakes with a verified client certificate.',
    clients.verified,
  );
  to.counter(
    'spliced_client_certificates_missing_total',
    'Handshakes without a client certificate although one was requested.',
    clients.missing,
  );
  to.counter(
    'spliced_client_certificates_refused_total',
    'Client certificates that did not verify.',
    by('reason', clients.refused),
  );
}

function writeHttp2(to: Exposition, { http2 }: StatusDocument): void {
  const { streams } = http2;
  to.counter('spliced_http2_connections_total', 'Connections with HTTP/2.', http2.connections);
  to.gauge('spliced_http2_streams', 'Streams open now.', streams.open);
  to.counter('spliced_http2_streams_begun_total', 'Streams, ever.', streams.ever);
  to.counter(
    'spliced_http2_streams_refused_total',
    'Streams beyond what a connection, or the service, may have.',
    streams.refused,
  );
  to.counter(
    'spliced_http2_streams_malformed_total',
    'Streams whose request was malformed.',
    streams.malformed,
  );
  to.counter(
    'spliced_http2_streams_misdirected_total',
    'Requests for a name that their connection is not for.',
    streams.misdirected,
  );
  to.counter(
    'spliced_http2_streams_stalled_total',
    'Streams given up because their window stayed shut.',
    streams.stalled,
  );
  to.counter(
    'spliced_http2_resets_total',
    'Streams that were reset.',
    by('side', { us: streams.resetByUs, peer: streams.resetByPeer }),
  );
  to.counter(
    'spliced_http2_floods_total',
    'Clients that were ended for asking too much of HTTP/2 and for nothing by it.',
    by('reason', http2.floods),
  );
}

function writeTraffic(
  to: Exposition,
  { connections, requests, bytes, files }: StatusDocument,
): void {
  to.counter('spliced_connections_accepted_total', 'Connections accepted.', connections.accepted);
  to.counter(
    'spliced_connections_shed_total',
    'Connections refused because the table was full.',
    connections.shed,
  );
  to.gauge('spliced_connections', 'Connections now.', by('state', connections.byState));
  to.counter('spliced_requests_total', 'Requests.', requests.total);
  to.counter('spliced_responses_total', 'Responses.', by('code', requests.byStatus));
  to.counter('spliced_sent_bytes_total', 'Plaintext sent.', bytes.plaintextSent);
  to.counter(
    'spliced_spliced_bytes_total',
    'Plaintext sent that was never in user space.',
    bytes.spliced,
  );
  to.counter('spliced_received_bytes_total', 'Plaintext received.', bytes.received);
  to.gauge('spliced_open_files', 'Files that are kept open.', files.open);
  to.counter('spliced_file_cache_hits_total', 'Files that were open already.', files.hits);
  to.counter('spliced_file_cache_misses_total', 'Files that had to be opened.', files.misses);
  to.counter('spliced_file_cold_fills_total', 'Reads that waited for storage.', files.coldFills);
}

function writeEngines(to: Exposition, { engines }: StatusDocument): void {
  const each = (value: keyof StatusDocument['engines']['each'][number]): Sample[] =>
    engines.each.map((engine, index) => [{ engine: String(index) }, engine[value]]);
  to.gauge('spliced_engines', 'Threads that serve.', engines.count);
  to.gauge(
    'spliced_engines_hanging',
    'Threads that were replaced and still hang in the kernel.',
    engines.hanging,
  );
  to.gauge('spliced_engine_connections', 'Connections now, of each engine.', each('connections'));
  to.counter('spliced_engine_requests_total', 'Requests, of each engine.', each('requests'));
  to.counter('spliced_engine_sent_bytes_total', 'Plaintext sent by each.', each('bytesSent'));
}

function writeUpstreams(to: Exposition, { upstreams }: StatusDocument): void {
  to.gauge('spliced_upstream_connections', 'Connections to applications behind proxy routes.', [
    [{ state: 'busy' }, upstreams.open - upstreams.idle],
    [{ state: 'idle' }, upstreams.idle],
  ]);
  to.counter('spliced_upstream_connections_opened_total', 'Opened.', upstreams.opened);
  to.counter('spliced_upstream_connections_reused_total', 'Used again.', upstreams.reused);
  to.counter(
    'spliced_upstream_retries_total',
    'Requests that were sent once more, over another connection.',
    upstreams.retries,
  );
  to.counter(
    'spliced_upstream_failures_total',
    'Requests that the application did not answer correctly.',
    by('reason', upstreams.failures),
  );
  to.counter('spliced_files_handed_over_total', 'Answers that were a file.', upstreams.handedOver);
  to.counter(
    'spliced_hand_over_failures_total',
    'Answers that named a file which could not be sent.',
    by('reason', upstreams.handOverFailures),
  );
  to.counter(
    'spliced_authorize_total',
    'Requests that waited for the decision of an application, by outcome.',
    by('outcome', {
      passed: upstreams.checksPassed,
      remembered: upstreams.checksRemembered,
      denied: upstreams.checksDenied,
      failed: upstreams.checksFailed,
    }),
  );
  to.gauge('spliced_websockets', 'WebSockets now.', upstreams.webSockets);
  to.counter('spliced_websockets_opened_total', 'WebSockets ever.', upstreams.webSocketsEver);
}

function writeDrains(to: Exposition, { pending, drains }: StatusDocument): void {
  to.gauge(
    'spliced_pending_bytes',
    'Bytes inside the TLS layers of all connections.',
    pending.bytes,
  );
  to.gauge(
    'spliced_pending_bytes_max',
    'The most bytes that were ever pending on one connection.',
    pending.bytesMax,
  );
  to.gauge(
    'spliced_pending_window_bytes',
    'Pending bytes at which the transfer of a connection pauses.',
    pending.windowBytes,
  );
  to.counter('spliced_transfer_pauses_total', 'Pauses of transfers at that limit.', pending.pauses);
  to.counter('spliced_tcp_pushes_total', 'Times that spliced made TCP send.', pending.pushes);
  to.gauge('spliced_ledgers_stuck', 'Connections that wait for the cipher.', pending.stuck);
  to.counter(
    'spliced_ledger_stalls_total',
    'Times that a connection began to wait for the cipher.',
    pending.stuckEver,
  );
  to.counter(
    'spliced_ledger_contradictions_total',
    "Times that the kernel's figures contradicted each other; must stay 0.",
    pending.contradictions,
  );
  to.counter('spliced_drains_total', 'Connections by how they ended.', [
    [{ ending: 'drained' }, drains.drained],
    [{ ending: 'aborted' }, drains.aborted],
    [{ ending: 'peer_gone' }, drains.peerGone],
  ]);
  to.counter(
    'spliced_drains_aborted_total',
    'Aborted connections by their state.',
    by('state', drains.abortedIn),
  );
  to.gauge('spliced_drains_in_progress', 'Connections that drain now.', drains.inProgress);
  to.gauge('spliced_drain_duration_max_seconds', 'The longest drain.', seconds(drains.maxMs));
}

function writeUpkeep(to: Exposition, { housekeeping, log }: StatusDocument): void {
  const failing = (housekeeping ?? []).reduce(
    (sum, one) => sum + ('more' in one ? one.more : 1),
    0,
  );
  if (housekeeping !== undefined) {
    to.gauge(
      'spliced_housekeeping_failing',
      'Tasks that could not be done, and are tried again.',
      failing,
    );
  }
  if (log === undefined) return;
  to.counter('spliced_log_lines_dropped_total', 'Lines that the reader of the log did not take.', [
    [{}, log.linesDropped],
  ]);
}

function writeHealth(to: Exposition, { canary, watchdog }: StatusDocument): void {
  if (canary !== undefined) {
    to.counter('spliced_canary_requests_total', 'Requests to ourselves.', [
      [{ result: 'ok' }, canary.ok],
      [{ result: 'failed' }, canary.failed],
    ]);
    to.gauge(
      'spliced_canary_duration_seconds',
      'Duration of the last request to ourselves.',
      seconds(canary.lastMs),
    );
  }
  if (watchdog === undefined) return;
  const isWell = Number(watchdog.missing.length === 0);
  to.gauge('spliced_watchdog_healthy', '0: the watchdog of systemd gets no keep-alive.', isWell);
}

function writeCertificates(to: Exposition, certificates: readonly Certificate[]): void {
  const labelled = certificates.map((one) => {
    const { source, subject, fingerprint } = one;
    return [{ source, subject, fingerprint }, one] as const;
  });
  to.gauge(
    'spliced_certificate_not_after_timestamp_seconds',
    'When the certificate ends, in seconds since 1970.',
    labelled.map(([labels, { notAfter }]) => [labels, seconds(Date.parse(notAfter))]),
  );
  to.gauge(
    'spliced_certificate_failing',
    '1: the last attempt to renew or load it failed.',
    labelled.map(([labels, { lastError }]) => [labels, Number(lastError !== null)]),
  );
}

/** The names that every Prometheus client uses for its process. */
function writeProcess(to: Exposition, nowMs: number): void {
  const { user, system } = process.cpuUsage();
  to.counter('process_cpu_seconds_total', 'User and system CPU time.', (user + system) / 1e6);
  to.gauge('process_resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss());
  const startedMs = nowMs - process.uptime() * 1_000;
  to.gauge(
    'process_start_time_seconds',
    'Time of the start, by the present clock.',
    seconds(startedMs),
  );
  try {
    to.gauge('process_open_fds', 'Open file descriptors.', readdirSync('/proc/self/fd').length - 1);
  } catch {} // No /proc: no such figure.
}

/** `statusJson` as the engine gives it. */
export function metricsOf(
  statusJson: string,
  certificates: readonly Certificate[],
  nowMs: number = Date.now(),
): string {
  const status = JSON.parse(statusJson) as StatusDocument;
  const to = new Exposition();
  const { version, ring } = status;
  to.gauge('spliced_build_info', 'The version, and io_uring or epoll.', [
    [{ version, ring: ring.backend }, 1],
  ]);
  to.gauge('spliced_uptime_seconds', 'Time since the engine started.', seconds(status.uptimeMs));
  writeOffload(to, status);
  writeHttp2(to, status);
  writeTraffic(to, status);
  writeEngines(to, status);
  writeUpstreams(to, status);
  writeDrains(to, status);
  writeHealth(to, status);
  writeUpkeep(to, status);
  writeCertificates(to, certificates);
  writeProcess(to, nowMs);
  return to.toString();
}
