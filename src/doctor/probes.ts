// SPDX-License-Identifier: Apache-2.0
// Every probe, in the order of the report. A group is what stands before the dot of a finding's id.

import type { Board, Finding, Probe } from './board.js';
import { probeCaam } from './probes/caam.js';
import { probeCertificate } from './probes/certificate.js';
import { probeCtr, probeGcm, probeProcessor } from './probes/cipher.js';
import {
  probeAsyncBugs,
  probeClose,
  probeKernelTls,
  probeTlsCounters,
  probeVersion,
} from './probes/kernel.js';
import { probeKeys } from './probes/keys.js';
import {
  probeDescriptors,
  probeLockedMemory,
  probeMemory,
  probeTcpMemory,
} from './probes/limits.js';
import { probeClock, probeRandom } from './probes/machine.js';
import { probeNodeRing, probeRing } from './probes/ring.js';
import { probeAddon, probeConfiguration, probeNode, probeSystemd } from './probes/runtime.js';
import { probeState } from './probes/state.js';

export const probes: readonly Probe[] = [
  probeVersion,
  probeKernelTls,
  probeAsyncBugs,
  probeClose,
  probeTlsCounters,
  probeGcm,
  probeCtr,
  probeProcessor,
  probeCaam,
  probeRing,
  probeNodeRing,
  probeDescriptors,
  probeLockedMemory,
  probeMemory,
  probeTcpMemory,
  probeRandom,
  probeClock,
  probeCertificate,
  probeKeys,
  probeState,
  probeAddon,
  probeNode,
  probeConfiguration,
  probeSystemd,
];

export function examine(board: Board): Finding[] {
  return probes.flatMap((probe) => probe(board));
}
