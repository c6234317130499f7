// SPDX-License-Identifier: Apache-2.0
// A link between this network namespace and another one, for clients: delay and rate by netem, both ways.
// In a guest with sch_netem and veth, as root.
import { run } from './measure.mjs';

const namespace = 'clients';
const ends = [
  { name: 'link-server', address: '10.83.0.1', prefix: [] },
  { name: 'link-client', address: '10.83.0.2', prefix: ['ip', 'netns', 'exec', namespace] },
];

/** Where the servers are for the clients. */
export const serverAddress = ends[0].address;

/** Runs a program at the clients' end; its output. */
export function runAtClients(...command) {
  const [program, ...args] = [...ends[1].prefix, ...command];
  return run(program, args);
}

/** A round trip of so many milliseconds, and so many Mbit/s each way. */
export function makeLink({ roundTripMs, mbit }) {
  const [server, client] = ends;
  run('ip', ['netns', 'add', namespace]);
  run('ip', ['link', 'add', server.name, 'type', 'veth', 'peer', 'name', client.name]);
  run('ip', ['link', 'set', client.name, 'netns', namespace]);
  for (const { name, address, prefix } of ends) {
    const at = (...command) => {
      const [program, ...args] = [...prefix, ...command];
      run(program, args);
    };
    at('ip', 'addr', 'add', `${address}/24`, 'dev', name);
    // A packet for netem is a segment, as on a wire.
    at('ip', 'link', 'set', name, 'gso_max_segs', 1, 'up');
    const shape = ['delay', `${roundTripMs / 2}ms`, 'rate', `${mbit}mbit`];
    at('tc', 'qdisc', 'add', 'dev', name, 'root', 'netem', ...shape);
    // No page learns from the last one.
    at('sysctl', '-q', '-w', 'net.ipv4.tcp_no_metrics_save=1');
  }
}
