// SPDX-License-Identifier: Apache-2.0
// CAAM, the crypto engine of NXP's SoCs: whether the SoC has one, whether the drivers have it, how
// many job rings are ours, and whether AES-GCM as a whole is in it or its counter mode alone.
// Nothing is concluded from the SoC's name but the reason for an absence.

import { type Board, deviceTreeStrings, type Finding } from '../board.js';
import { cipherDrivers } from '../proc-crypto.js';

const deviceTree = '/proc/device-tree';
const platform = '/sys/bus/platform';
const depthMax = 5;
// Names on the way from the root to the engine, in the device trees of i.MX and Layerscape.
const onTheWay = /^(soc|bus|aips-bus|crypto|caam|sec)(@|$|\d)/;
const caamCompatible = /^fsl,sec-v\d+\.\d+$/;
const jobRingCompatible = /^fsl,sec-v\d+\.\d+-job-ring$/;

interface Engine {
  era: number | undefined;
  jobRings: number;
  /** Job rings that a secure firmware keeps, or that are switched off. */
  jobRingsDisabled: number;
}

const isEnabled = (board: Board, node: string): boolean => {
  const [status = 'okay'] = deviceTreeStrings(board.read(`${node}/status`));
  return status === 'okay' || status === 'ok';
};

function readEngine(board: Board, node: string): Engine {
  const bytes = board.readBytes(`${node}/fsl,sec-era`);
  const era = bytes?.length === 4 ? Buffer.from(bytes).readUInt32BE(0) : undefined;
  const rings = board
    .list(node)
    .map((name) => `${node}/${name}`)
    .filter((path) =>
      deviceTreeStrings(board.read(`${path}/compatible`)).some((name) =>
        jobRingCompatible.test(name),
      ),
    );
  const enabled = rings.filter((ring) => isEnabled(board, ring)).length;
  return { era, jobRings: enabled, jobRingsDisabled: rings.length - enabled };
}

function findEngine(board: Board, node = deviceTree, depth = 0): Engine | undefined {
  const compatible = deviceTreeStrings(board.read(`${node}/compatible`));
  const isEngine = compatible.some((name) => caamCompatible.test(name));
  if (isEngine) return isEnabled(board, node) ? readEngine(board, node) : undefined;
  if (depth >= depthMax) return undefined;
  for (const name of board.list(node)) {
    if (!onTheWay.test(name)) continue;
    const found = findEngine(board, `${node}/${name}`, depth + 1);
    if (found) return found;
  }
  return undefined;
}

/** Devices that a platform driver has; undefined when the driver is not there. */
function boundDevices(board: Board, driver: string): string[] | undefined {
  const names = board.list(`${platform}/drivers/${driver}`);
  if (names.length === 0) return undefined;
  return names.filter((name) => /^[0-9a-f]+\./.test(name));
}

function absence(board: Board): Finding {
  const compatible = deviceTreeStrings(board.read(`${deviceTree}/compatible`));
  const soc = compatible.find((name) => /^fsl,(imx|ls)/.test(name))?.slice(4);
  const detail = /^imx6(ull|ulz|sl|sll)$/.test(soc ?? '')
    ? `The ${soc} has a DCP instead, which does no AES-GCM: the processor encrypts.`
    : '';
  const title = 'There is no CAAM crypto engine on this machine';
  return { id: 'caam.engine', level: 'info', title, detail };
}

const driverAdvice =
  'Build the kernel with CONFIG_CRYPTO_DEV_FSL_CAAM, CONFIG_CRYPTO_DEV_FSL_CAAM_JR and ' +
  'CONFIG_CRYPTO_DEV_FSL_CAAM_CRYPTO_API, or load the modules caam, caam_jr and caamalg_desc.';

// What kernel TLS takes from the engine. It registers a dozen more, and they do not concern us.
const forTls = ['gcm(aes)', 'ctr(aes)'];

function ciphersOf(board: Board): Finding {
  const id = 'caam.ciphers';
  const ours = cipherDrivers(board).filter(
    ({ algorithm, name }) => forTls.includes(algorithm) && /\bcaam\b/.test(name),
  );
  const untested = ours.filter(({ isTested }) => !isTested);
  if (untested.length > 0) {
    const title = `CAAM ciphers have not passed the kernel's self-test: ${untested.length}`;
    const detail = `${untested.map(({ name }) => name).join(', ')}.`;
    const advice =
      'Look at "dmesg | grep -i alg:", and serve with "--tls-offload off" until it is clear.';
    return { id, level: 'problem', title, detail, advice };
  }
  const gcm = ours.find(({ algorithm, name }) => algorithm === 'gcm(aes)' && /^gcm-/.test(name));
  const ctr = ours.find(({ name }) => /^ctr-aes-caam/.test(name));
  if (gcm) return { id, level: 'ok', title: `CAAM does AES-GCM: ${gcm.name}`, detail: '' };
  if (ctr) {
    const title = `CAAM does the counter mode of AES-GCM alone: ${ctr.name}`;
    const detail =
      'This engine has no GCM (its AES block is the low-power one), so the processor does GHASH.';
    return { id, level: 'info', title, detail };
  }
  const title = 'CAAM is there and offers the kernel no AES';
  return { id, level: 'warning', title, detail: '', advice: driverAdvice };
}

export function probeCaam(board: Board): Finding[] {
  const id = 'caam.engine';
  const engine = findEngine(board);
  if (engine === undefined) return [absence(board)];
  const era = engine.era === undefined ? '' : `, era ${engine.era}`;
  const controller = boundDevices(board, 'caam');
  const dmesg = 'Look at "dmesg | grep -i caam" for the reason.';
  if (controller === undefined) {
    const title = `CAAM is present${era}, and the kernel has no driver for it`;
    return [{ id, level: 'warning', title, detail: '', advice: driverAdvice }];
  }
  if (controller.length === 0) {
    const title = `CAAM is present${era}, and its driver failed to start`;
    const detail = 'The device tree names it, and no device is bound to the driver.';
    return [{ id, level: 'warning', title, detail, advice: dmesg }];
  }
  const rings = boundDevices(board, 'caam_jr');
  const kept =
    engine.jobRingsDisabled > 0
      ? ` ${engine.jobRingsDisabled} more belong to the secure firmware, or are disabled.`
      : '';
  if (rings === undefined || rings.length === 0) {
    const title = `CAAM is present${era}, and no job ring works`;
    const given = `The device tree gives us ${engine.jobRings}.${kept}`;
    if (rings === undefined) {
      const advice = 'Load the module caam_jr.';
      return [{ id, level: 'warning', title, detail: given, advice }];
    }
    // The driver is there: what it was given did not answer, or it was given none.
    const isGiven = engine.jobRings > 0;
    const detail = isGiven ? `${given} The driver caam_jr could start none of them.` : given;
    const advice = isGiven ? dmesg : 'Enable a ring in the device tree.';
    return [{ id, level: 'warning', title, detail, advice }];
  }
  const count = rings.length === 1 ? '1 job ring' : `${rings.length} job rings`;
  const title = `CAAM works${era}, ${count}`;
  return [{ id, level: 'ok', title, detail: kept.trim() }, ciphersOf(board)];
}
