// SPDX-License-Identifier: Apache-2.0
// Every setting, once: its key in the TOML file, its variable, its option, default and bounds, and
// what it means. configuration.ts reads by it; scripts/docs.mjs writes docs/CONFIGURATION.md and
// config/spliced.toml from it (`npm run docs`).

import { apiTable } from './api.js';
import { enrolmentTable } from './enrolment.js';
import { limitsTable, timeoutsTable } from './limits.js';
import { ownKeyTable } from './own-keys.js';
import type { Setting, SettingTable } from './setting.js';
import { updateTable } from './update.js';

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
      'Up to 8 addresses to listen on (in the variable separated by commas; the option may be ' +
      'repeated). Addresses are numeric. `[::]:8443` takes IPv4 clients too; a link-local ' +
      'address has its interface (`[fe80::1%eth0]:8443`). An address that another one includes ' +
      "is bound once. Port 0 takes any free port, which the log's `ready` line names. The " +
      'setting has no effect when a socket unit of systemd passes sockets.',
    format: 'listen addresses',
    default: ['0.0.0.0:8443'],
    env: 'SPLICED_LISTEN',
    option: 'listen',
    argument: 'ADDR:PORT',
    help: 'address to listen on, such as [::]:8443',
  },
  protocols: {
    doc:
      'Protocols that clients may choose by ALPN (in the variable separated by commas). `h2` is ' +
      'HTTP/2. It needs a new enough nghttp2 in the Node process; the status says whether it is ' +
      'offered, and why not. `http/1.1` is always among them, because clients without ALPN speak ' +
      'it. See docs/HTTP2.md.',
    format: 'protocols',
    default: ['h2', 'http/1.1'],
    example: ['http/1.1'],
    env: 'SPLICED_PROTOCOLS',
  },
  listen_http: {
    doc:
      'Addresses of plain HTTP, written as in `listen`: usually port 80, by default none. Every ' +
      'request is redirected to HTTPS, at the first port of `listen`; challenges of ACME are ' +
      'answered.',
    format: 'listen addresses or none',
    default: [],
    example: ['0.0.0.0:80'],
    env: 'SPLICED_LISTEN_HTTP',
  },
  state_dir: {
    doc:
      "The directory for what the service keeps, such as the device's own certificate. It is " +
      'made with mode 0700.',
    format: 'path',
    default: './state',
    env: 'SPLICED_STATE_DIR',
    option: 'state-dir',
    argument: 'DIR',
    help: "where the device's own certificate is kept",
  },
  ring: {
    doc: '`auto`: io_uring where the kernel allows it, else epoll. `epoll`: never io_uring.',
    format: ['auto', 'epoll'],
    default: 'auto',
    env: 'SPLICED_RING',
  },
  engines: {
    doc:
      'Threads that serve, 1 to 8. Each has its own connections, files and io_uring. `auto`: one ' +
      'for each CPU that the service may use (affinity, and the quota of its control group). The ' +
      'limits below hold for all threads together.',
    format: 'engine count',
    default: 'auto',
    env: 'SPLICED_ENGINES',
    min: 1,
    max: 8,
  },
  tls: {
    certificate: {
      doc:
        "Certificate chain (PEM, the server's own first) that is served instead of the device's " +
        'own; `credential:NAME` is a credential of the service manager (`LoadCredential=`). The ' +
        'files are watched, and a reload reads them again.',
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
        'The private key of `certificate` (PEM, not encrypted). It may be in the same file; give ' +
        'both or neither. It may also be a key in a token, by its PKCS #11 URI: ' +
        '`pkcs11:token=device;object=tls?pin-source=file:/path`, or in a TPM, by its handle: ' +
        '`handle:0x81000001`. Such a key without a ' +
        "`certificate` is the key of the device's own certificate and of an enrolment's. See " +
        'docs/KEYS.md.',
      format: 'file or nothing',
      default: '',
      env: 'SPLICED_PRIVATE_KEY',
      option: 'private-key',
      argument: 'FILE',
      help: 'its private key in PEM form',
      isLive: true,
    },
    ...ownKeyTable,
    more_certificates: {
      doc:
        'More pairs, each `CHAIN_FILE,KEY_FILE`, for clients that ask for one of their names ' +
        '(SNI). All other clients get `certificate`. In the variable separated by semicolons.',
      format: 'certificate pairs',
      default: [],
      example: ['/etc/spliced/b.pem,/etc/spliced/b.key'],
      env: 'SPLICED_MORE_CERTIFICATES',
      isLive: true,
    },
    groups: {
      doc:
        'Groups of the key exchange, in order of preference (in the variable separated by ' +
        'commas). A group that the OpenSSL of the Node process does not know is left out, and ' +
        'the log says so. `X25519MLKEM768` keeps a recorded connection secret from quantum ' +
        'computers; OpenSSL has it since 3.5. A client that has none of the groups is refused. ' +
        'See docs/KEYS.md.',
      format: 'group names',
      default: ['X25519MLKEM768', 'X25519', 'P-256', 'P-384'],
      env: 'SPLICED_TLS_GROUPS',
    },
    offload: {
      doc:
        '`auto`: kernel TLS where the kernel can. `off`: never; try this first when you suspect ' +
        'a driver.',
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
        'CA certificates (PEM, each up to its self-signed root, at most 64). With them every ' +
        'client is asked for a certificate. A certificate that they do not verify ends the ' +
        'handshake. A client without a certificate is refused only below `require`. See ' +
        'docs/CLIENT-CERTIFICATES.md.',
      format: 'path or nothing',
      default: '',
      env: 'SPLICED_CLIENT_CERTIFICATES_CA',
      isLive: true,
    },
    crl: {
      doc:
        'Revocation lists (PEM), one of every certificate in `ca`. When a list is out of date, ' +
        'every client certificate is refused: renew the file and reload in time.',
      format: 'path or nothing',
      default: '',
      env: 'SPLICED_CLIENT_CERTIFICATES_CRL',
      isLive: true,
    },
    require: {
      doc:
        'Path prefixes below which a request without a verified certificate gets 403, such as ' +
        '`["/private"]` (in the variable separated by commas); `["/"]` is every path. A prefix ' +
        'is written as files are named, in whole path segments; upper and lower case differ.',
      format: 'path prefixes',
      default: [],
      example: ['/private'],
      env: 'SPLICED_CLIENT_CERTIFICATES_REQUIRE',
      isLive: true,
    },
  },
  api: apiTable,
  update: updateTable,
  ui: {
    enabled: {
      doc:
        "Whether the operators' page is served at `/.spliced/ui/` (docs/UI.md). Its files reveal " +
        'nothing about the device: what the page shows comes through the API, which asks who may ' +
        'see it.',
      format: 'true or false',
      default: true,
      env: 'SPLICED_UI_ENABLED',
      isLive: true,
    },
  },
  limits: limitsTable,
  timeouts: timeoutsTable,
  log: {
    level: {
      doc: 'The lowest level that is logged.',
      format: ['debug', 'info', 'warn', 'error', 'silent'],
      default: 'info',
      env: 'SPLICED_LOG_LEVEL',
      isLive: true,
    },
    format: {
      doc:
        '`json`: one line of JSON for each event. `text`: the events that matter at a terminal, ' +
        'in words. `auto`: text when standard output is a terminal, else JSON.',
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
