// SPDX-License-Identifier: Apache-2.0
// Every setting, once: its key in the TOML file, its variable, its option, default and bounds, and
// what it means. configuration.ts reads by it; scripts/docs.mjs writes docs/CONFIGURATION.md and
// config/spliced.toml from it (`npm run docs`). Defaults and bounds in bytes and milliseconds follow
// native/base/limits.hpp, which a unit test compares.

import { keyKinds } from '../tls/token-key.js';
import { enrolmentTable } from './enrolment.js';
import type { Setting, SettingTable } from './setting.js';
import { updateTable } from './update.js';

const timeoutMsMax = 24 * 3_600_000;

const timeout = (env: string, fallback: number, doc: string, more: Partial<Setting> = {}) => ({
  doc,
  format: 'whole number',
  default: fallback,
  env,
  min: 1,
  max: timeoutMsMax,
  ...more,
});

export const schema = {
  root: {
    doc: 'The directory that is served.',
    format: 'path',
    default: './public',
    env: 'SPLICED_ROOT',
    option: 'root',
    argument: 'DIR',
    help: 'directory to serve',
  },
  listen: {
    doc:
      'Where to listen, up to 8 addresses (in the variable separated by commas; the option may be ' +
      'repeated). Addresses are numeric; `[::]:8443` takes IPv4 clients too, a link-local ' +
      'address has its interface (`[fe80::1%eth0]:8443`), and what another one takes in is bound once; port 0 takes any free port, ' +
      "which the log's `ready` line names. Without effect when a socket unit of systemd passes sockets.",
    format: 'listen addresses',
    default: ['0.0.0.0:8443'],
    env: 'SPLICED_LISTEN',
    option: 'listen',
    argument: 'ADDR:PORT',
    help: 'address to listen on, such as [::]:8443',
  },
  protocols: {
    doc:
      'What clients may choose by ALPN (in the variable separated by commas): `h2` is HTTP/2, where the ' +
      'nghttp2 of the Node process is new enough (the status says whether it is offered, and why not). ' +
      '`http/1.1` is always among them: clients without ALPN speak it. See docs/HTTP2.md.',
    format: 'protocols',
    default: ['http/1.1'],
    example: ['h2', 'http/1.1'],
    env: 'SPLICED_PROTOCOLS',
  },
  listen_http: {
    doc:
      'Where to answer plain HTTP, as `listen`; port 80 as a rule, none by default. It sends every ' +
      "request on to HTTPS, at the first of `listen`'s ports, and answers ACME's challenges.",
    format: 'listen addresses or none',
    default: [],
    example: ['0.0.0.0:80'],
    env: 'SPLICED_LISTEN_HTTP',
  },
  state_dir: {
    doc: "Where the device's own certificate is kept (made with mode 0700).",
    format: 'path',
    default: './state',
    env: 'SPLICED_STATE_DIR',
    option: 'state-dir',
    argument: 'DIR',
    help: "where the device's own certificate is kept",
  },
  ring: {
    doc: '`auto`: io_uring where the kernel allows it; `epoll`: never.',
    format: ['auto', 'epoll'],
    default: 'auto',
    env: 'SPLICED_RING',
  },
  engines: {
    doc:
      'Threads that serve, 1 to 8, each with its own connections, files and io_uring. `auto`: one for ' +
      'each CPU that the service may use (affinity, and the quota of its control group). The limits ' +
      'below are those of all together.',
    format: 'engine count',
    default: 'auto',
    env: 'SPLICED_ENGINES',
    min: 1,
    max: 8,
  },
  tls: {
    certificate: {
      doc:
        "Certificate chain (PEM, the server's own first) to serve instead of the device's own; " +
        '`credential:NAME` is a credential of the service manager (`LoadCredential=`). The files ' +
        'are watched, and a reload reads them again.',
      format: 'file or nothing',
      default: '',
      env: 'SPLICED_CERTIFICATE',
      option: 'certificate',
      argument: 'FILE',
      help: "certificate chain in PEM form, instead of the device's own",
      isLive: true,
    },
    private_key: {
      doc:
        'Its private key (PEM, not encrypted), perhaps the same file; both or neither. Or a key in a ' +
        'token, by its PKCS #11 URI: `pkcs11:token=device;object=tls?pin-source=file:/path`; without a ' +
        "`certificate` that is the key of the device's own and of an enrolment's. See docs/KEYS.md.",
      format: 'file or nothing',
      default: '',
      env: 'SPLICED_PRIVATE_KEY',
      option: 'private-key',
      argument: 'FILE',
      help: 'its private key in PEM form',
      isLive: true,
    },
    make_private_key: {
      doc:
        'Whether a key that `private_key` names and the token does not have is made there, at the first ' +
        "start, and of what kind; for the device's own certificate and an enrolment's alone. See docs/KEYS.md.",
      format: ['no', ...keyKinds],
      default: 'no',
      env: 'SPLICED_MAKE_PRIVATE_KEY',
      isLive: true,
    },
    more_certificates: {
      doc:
        'Further pairs, each `CHAIN_FILE,KEY_FILE`, for clients that ask for one of their names ' +
        '(SNI); all others get `certificate`. In the variable separated by semicolons.',
      format: 'certificate pairs',
      default: [],
      example: ['/etc/spliced/b.pem,/etc/spliced/b.key'],
      env: 'SPLICED_MORE_CERTIFICATES',
      isLive: true,
    },
    groups: {
      doc:
        'Groups of the key exchange, in the order of preference (in the variable separated by ' +
        'commas). What the OpenSSL of the Node process does not know is left out, and the log says so; ' +
        '`X25519MLKEM768`, which a recorded connection stays secret with when there are quantum ' +
        'computers, is there since OpenSSL 3.5. A client that has none of them is refused. See docs/KEYS.md.',
      format: 'group names',
      default: ['X25519MLKEM768', 'X25519', 'P-256', 'P-384'],
      env: 'SPLICED_TLS_GROUPS',
    },
    offload: {
      doc:
        '`auto`: kernel TLS where the kernel can; `off`: never, the switch to try first when a ' +
        'driver is suspected.',
      format: ['auto', 'off'],
      default: 'auto',
      env: 'SPLICED_TLS_OFFLOAD',
      option: 'tls-offload',
      argument: 'auto|off',
      help: 'auto: kernel TLS where the kernel can; off: never',
    },
  },
  enrolment: enrolmentTable,
  client_certificates: {
    ca: {
      doc:
        'CA certificates (PEM, each up to its self-signed root, at most 64). With them every client ' +
        'is asked for a certificate; one that they do not verify ends the handshake, and none at ' +
        'all is no error but below `require`. See docs/CLIENT-CERTIFICATES.md.',
      format: 'path or nothing',
      default: '',
      env: 'SPLICED_CLIENT_CERTIFICATES_CA',
      isLive: true,
    },
    crl: {
      doc:
        'Revocation lists (PEM), one of every certificate in `ca`. A list that is out of date ' +
        'refuses every client certificate: renew the file and reload in time.',
      format: 'path or nothing',
      default: '',
      env: 'SPLICED_CLIENT_CERTIFICATES_CRL',
      isLive: true,
    },
    require: {
      doc:
        'Path prefixes below which a request without a verified certificate gets 403, such as ' +
        '`["/private"]` (in the variable separated by commas); `["/"]` is everywhere. Written as ' +
        'the files are named, whole path segments, upper and lower case as they are.',
      format: 'path prefixes',
      default: [],
      example: ['/private'],
      env: 'SPLICED_CLIENT_CERTIFICATES_REQUIRE',
      isLive: true,
    },
  },
  api: {
    client_certificates: {
      doc:
        'Clients that may use the whole API over the network (docs/API.md): subjects of their ' +
        'certificates, as RFC 4514 writes them, or SHA-256 fingerprints in hexadecimal. Every CA in ' +
        '`client_certificates.ca` can give a subject to anyone. In the variable separated by semicolons.',
      format: 'subjects or fingerprints',
      default: [],
      example: ['CN=admin,O=Example'],
      env: 'SPLICED_API_CLIENT_CERTIFICATES',
      isLive: true,
    },
    claim_code_file: {
      doc:
        'A file with the code by which the first administrator claims the device (docs/PEOPLE.md), such as ' +
        'the one on its label: 8 to 128 characters, another one for each device; or `credential:NAME`. ' +
        'Without it the service makes a code at each start until somebody has claimed the device, and ' +
        '`spliced claim` shows it.',
      format: 'file or nothing',
      default: '',
      example: 'credential:claim-code',
      env: 'SPLICED_API_CLAIM_CODE_FILE',
    },
  },
  update: updateTable,
  ui: {
    enabled: {
      doc:
        "Whether the operators' page is at `/.spliced/ui/` (docs/UI.md). Its files tell nothing of the " +
        'device; what it shows comes through the API, to those who may.',
      format: 'true or false',
      default: true,
      env: 'SPLICED_UI_ENABLED',
      isLive: true,
    },
  },
  limits: {
    connections_max: {
      doc:
        'Connections at a time. When all are taken a new one takes the place of the longest idle ' +
        'one, or of one that has not said in 2 s what it wants; else it is refused. See docs/LIMITS.md.',
      format: 'whole number',
      default: 512,
      env: 'SPLICED_CONNECTIONS_MAX',
      min: 1,
      max: 65535,
    },
    connections_per_address_max: {
      doc:
        'Of them for one client address: an IPv4 address, or the /64 of an IPv6 one. A site behind ' +
        'NAT is one address: a browser takes up to six.',
      format: 'whole number',
      default: 256,
      env: 'SPLICED_CONNECTIONS_PER_ADDRESS_MAX',
      min: 1,
      max: 65535,
    },
    handshakes_max: {
      doc: 'Of them in their TLS handshake, which costs memory (about 60 KiB) and most of the CPU time.',
      format: 'whole number',
      default: 256,
      env: 'SPLICED_HANDSHAKES_MAX',
      min: 1,
      max: 65535,
    },
    requests_per_connection_max: {
      doc: 'After so many requests a connection ends; the last response says so.',
      format: 'whole number',
      default: 10_000,
      env: 'SPLICED_REQUESTS_PER_CONNECTION_MAX',
      min: 1,
      max: 1_000_000_000,
    },
    streams_max: {
      doc: 'Requests that one HTTP/2 connection may have at a time; more are refused, and may be tried again.',
      format: 'whole number',
      default: 64,
      env: 'SPLICED_STREAMS_MAX',
      min: 1,
      max: 256,
    },
    head_bytes_max: {
      doc: 'A request head, with its cookies; more is 431.',
      format: 'whole number',
      default: 16_384,
      env: 'SPLICED_HEAD_BYTES_MAX',
      min: 512,
      max: 73_728,
    },
    target_bytes_max: {
      doc: 'A request target (path and query); more is 414.',
      format: 'whole number',
      default: 4096,
      env: 'SPLICED_TARGET_BYTES_MAX',
      min: 64,
      max: 4096,
    },
    header_fields_max: {
      doc: 'Header fields of a request; more is 431.',
      format: 'whole number',
      default: 64,
      env: 'SPLICED_HEADER_FIELDS_MAX',
      min: 8,
      max: 256,
    },
    response_head_bytes_max: {
      doc: "The head of an application's response, with its cookies, behind a proxy route; more is 502.",
      format: 'whole number',
      default: 32_768,
      env: 'SPLICED_RESPONSE_HEAD_BYTES_MAX',
      min: 4096,
      max: 73_728,
    },
    discarded_body_bytes_max: {
      doc:
        'A request body where none is wanted is read and discarded up to so many bytes on the wire; ' +
        'a larger one ends the connection after the response.',
      format: 'whole number',
      default: 64 * 1024,
      env: 'SPLICED_DISCARDED_BODY_BYTES_MAX',
      min: 0,
      max: 16 * 1024 * 1024,
    },
    send_rate_min_bytes_per_s: {
      doc:
        'A client that acknowledges less of a response, over `timeouts.stall_ms`, is cut off; 0: one ' +
        'byte is enough.',
      format: 'whole number',
      default: 256,
      env: 'SPLICED_SEND_RATE_MIN_BYTES_PER_S',
      min: 0,
      max: 1024 * 1024,
    },
    pending_window_bytes: {
      doc: 'Bytes pending in the TLS layer of one connection before its transfer pauses.',
      format: 'whole number',
      default: 256 * 1024,
      env: 'SPLICED_PENDING_WINDOW_BYTES',
      min: 128 * 1024,
      max: 1024 * 1024 * 1024,
    },
  },
  timeouts: {
    handshake_ms: timeout('SPLICED_HANDSHAKE_TIMEOUT_MS', 10_000, 'For the whole TLS handshake.'),
    head_ms: timeout('SPLICED_HEAD_TIMEOUT_MS', 15_000, 'For a request head, from its first byte.'),
    request_ms: timeout(
      'SPLICED_REQUEST_TIMEOUT_MS',
      30_000,
      'For a whole request, head and body, from its first byte.',
    ),
    idle_ms: timeout('SPLICED_IDLE_TIMEOUT_MS', 60_000, 'Between two requests of a connection.'),
    stall_ms: timeout(
      'SPLICED_STALL_TIMEOUT_MS',
      30_000,
      'Over which a client has to acknowledge at `limits.send_rate_min_bytes_per_s`, one byte at least.',
    ),
    drain_ms: timeout(
      'SPLICED_DRAIN_TIMEOUT_MS',
      600_000,
      'For a whole drain, with progress or without.',
    ),
    linger_ms: timeout(
      'SPLICED_LINGER_TIMEOUT_MS',
      5_000,
      "For the peer's end of stream, after our own.",
    ),
    stop_ms: timeout(
      'SPLICED_STOP_TIMEOUT_MS',
      30_000,
      'For active responses when the server stops.',
      { min: 0, isLive: true },
    ),
  },
  log: {
    level: {
      doc: 'The least level that is logged.',
      format: ['debug', 'info', 'warn', 'error', 'silent'],
      default: 'info',
      env: 'SPLICED_LOG_LEVEL',
      isLive: true,
    },
    format: {
      doc:
        '`json`: a line of JSON for each event. `text`: what matters at a terminal, in words. `auto`: ' +
        'text when standard output is a terminal, else JSON.',
      format: ['auto', 'json', 'text'],
      default: 'auto',
      env: 'SPLICED_LOG_FORMAT',
    },
  },
} as const satisfies SettingTable;

export function isSetting(entry: Setting | SettingTable): entry is Setting {
  return 'default' in entry;
}

/** Every setting by its full key, such as "tls.offload", in the order of the schema. */
export function settingsOf(table: SettingTable, prefix = ''): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  for (const [name, entry] of Object.entries(table)) {
    const key = `${prefix}${name}`;
    if (isSetting(entry)) settings.set(key, entry);
    else for (const [inner, setting] of settingsOf(entry, `${key}.`)) settings.set(inner, setting);
  }
  return settings;
}
