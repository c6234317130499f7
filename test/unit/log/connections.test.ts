// SPDX-License-Identifier: Apache-2.0
// What the log says about connections: nothing at info, a line each at debug, and a flood as counts.

import { pino } from 'pino';
import t from 'tap';
import {
  ConnectionReporter,
  type LoggedService,
  linesPerBatchMax,
  refusalLinesMax,
} from '../../../src/log/connections.js';

class TestService implements LoggedService {
  isOn = false;
  records: object[] = [];
  lost = 0;
  refused: object[] = [];
  refusalsLost = 0;
  failures: Record<string, number> = { timeout: 2, not_tls: 0, client_certificate_missing: 0 };
  floods: Record<string, number> = { records_without_data: 1, renegotiation: 2 };
  shed = 7;
  shedBy: Record<string, number> = { slots: 7, address: 0 };
  evicted = 1;
  overdue: Record<string, number> = { handshake: 2, idle: 5, head: 0, request: 1, stall: 3 };

  stats(): string {
    const { failures, floods, shed, shedBy, evicted, overdue } = this;
    const tls = { failures, floods };
    return JSON.stringify({ tls, connections: { shed, shedBy, evicted }, overdue });
  }
  logConnections(on: boolean): void {
    this.isOn = on;
  }
  takeConnections() {
    const { records, lost } = this;
    this.records = [];
    this.lost = 0;
    return { records, lost };
  }
  takeRefusals() {
    const { refused, refusalsLost: lost } = this;
    this.refused = [];
    this.refusalsLost = 0;
    return { refused, lost };
  }
}

function make(level: string, isAsking = true) {
  const service = new TestService();
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level, base: null, timestamp: false },
    {
      write: (line: string) => lines.push(JSON.parse(line)),
    },
  );
  return {
    service,
    lines,
    log,
    reporter: new ConnectionReporter({ service, log, asksClients: () => isAsking }),
  };
}

const records = (count: number): object[] =>
  Array.from({ length: count }, (_, i) => ({ peer: `192.0.2.1:${i}` }));

t.test('at info the engine keeps nothing and no connection has a line', async (t) => {
  const { service, lines, reporter } = make('info');
  t.notOk(service.isOn);
  reporter.summarise();
  reporter.close();
  t.same(lines, []);
});

t.test('at debug a line each; the level can change while it runs', async (t) => {
  const { service, lines, log, reporter } = make('info');
  log.level = 'debug';
  reporter.levelChanged();
  t.ok(service.isOn);
  service.records = records(2);
  reporter.writeBatch();
  t.match(lines, [
    { level: 20, event: 'connection', peer: '192.0.2.1:0' },
    { level: 20, event: 'connection', peer: '192.0.2.1:1' },
  ]);
  log.level = 'info';
  service.records = records(1);
  reporter.levelChanged();
  t.notOk(service.isOn);
  t.same(service.records, [], 'memory is not held for nobody');
  t.equal(lines.length, 2);
  reporter.close();
});

t.test('a flood of connections: so many lines, then one with the number', async (t) => {
  const { service, lines, reporter } = make('debug');
  service.records = records(linesPerBatchMax + 30);
  service.lost = 1_000;
  reporter.writeBatch();
  t.equal(lines.length, linesPerBatchMax);
  reporter.summarise();
  t.match(lines.at(-1), { level: 40, event: 'connections_not_logged', lines: 1_030 });
  const before = lines.length;
  reporter.summarise();
  t.equal(lines.length, before, 'told once');
  reporter.close();
});

t.test('a flood of bad handshakes and shed connections is a line each interval', async (t) => {
  const { service, lines, reporter } = make('info');
  service.failures = { timeout: 2, not_tls: 100_000, client_certificate_missing: 3 };
  service.shed = 5_007;
  service.shedBy = { slots: 9, address: 4_998 };
  service.evicted = 11;
  service.floods = { records_without_data: 6, renegotiation: 2 };
  service.overdue = { handshake: 4, idle: 9, head: 8, request: 1, stall: 4 };
  reporter.summarise();
  t.same(lines, [
    {
      level: 40,
      event: 'client_certificates_refused',
      intervalMs: 60_000,
      reasons: { client_certificate_missing: 3 },
    },
    { level: 40, event: 'handshakes_failed', intervalMs: 60_000, reasons: { not_tls: 100_000 } },
    {
      level: 40,
      event: 'load_shed',
      intervalMs: 60_000,
      connections: 5_000,
      reasons: { slots: 2, address: 4_998 },
    },
    { level: 40, event: 'connections_evicted', intervalMs: 60_000, connections: 10 },
    { level: 40, event: 'slow_clients_ended', intervalMs: 60_000, reasons: { head: 8, stall: 1 } },
    {
      level: 40,
      event: 'flooding_clients_ended',
      intervalMs: 60_000,
      reasons: { records_without_data: 5 },
    },
  ]);
  reporter.summarise();
  t.equal(lines.length, 6, 'nothing new, nothing said');
  service.failures.timeout = 3;
  reporter.close();
  t.equal(lines.length, 7, 'the rest at the end');
  reporter.close();
  t.equal(lines.length, 7);
});

t.test('a client that is refused has a line, within the limit of a minute', async (t) => {
  const { service, lines, reporter } = make('info');
  const client = { peer: '192.0.2.7:4711', reason: 'expired', subject: 'CN=old' };
  service.refused = [client];
  reporter.writeRefusals();
  t.same(lines, [{ level: 40, event: 'client_certificate_refused', ...client }]);
  service.refused = Array(refusalLinesMax + 5).fill(client);
  service.refusalsLost = 1_000;
  reporter.writeRefusals();
  service.refused = [client];
  reporter.writeRefusals();
  t.equal(lines.length, refusalLinesMax);
  reporter.summarise();
  t.match(lines.at(-1), { level: 40, event: 'client_refusals_not_logged', lines: 1_007 });
  service.refused = [client];
  reporter.close();
  t.match(lines.at(-1), { event: 'client_certificate_refused' }, 'another minute, and the last');
});

t.test('where clients are not asked, nobody looks', async (t) => {
  const { service, reporter } = make('info', false);
  service.refused = [{}];
  reporter.writeRefusals();
  t.equal(service.refused.length, 1);
  reporter.close();
});
