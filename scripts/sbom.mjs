// SPDX-License-Identifier: Apache-2.0
// The bill of materials of the package, CycloneDX 1.5: `npm sbom` describes the npm packages; this
// keeps those that are in the bundle, and adds what npm cannot know: the prebuilds and what is inside
// them. Called by pack.mjs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { prebuildPath, targets } from '../cross/targets.mjs';
import { projectDir } from './setup.mjs';
import { SetupError } from './system.mjs';

const hashOfFile = (path, algorithm) =>
  createHash(algorithm).update(readFileSync(path)).digest('hex');
const licensesOf = (licence) => [{ license: { id: licence } }];

function npmBill() {
  const args = [
    'sbom',
    '--package-lock-only',
    '--sbom-format=cyclonedx',
    '--sbom-type=application',
  ];
  const options = { cwd: projectDir, encoding: 'utf8', maxBuffer: 64 << 20 };
  const result = spawnSync('npm', args, options);
  if (result.status === 0) return JSON.parse(result.stdout);
  throw new SetupError(`npm sbom failed (npm 10 or newer has it):\n${result.stderr}`);
}

/** npm's component of a package, with the licence that we read where npm found none. */
function componentOf({ name, version, licence }, components) {
  const found = components.find((entry) => entry.name === name && entry.version === version);
  if (!found) throw new SetupError(`npm sbom does not know ${name} ${version}, which is bundled.`);
  // For npm whatever the bundle is made from is a tool.
  const properties = found.properties?.filter(({ name }) => !name.endsWith(':development'));
  const licenses = found.licenses ?? licensesOf(licence);
  return { ...found, scope: 'required', properties, licenses };
}

function prebuildComponents() {
  return targets.map((target) => {
    const path = prebuildPath(target);
    const hashes = [{ alg: 'SHA-256', content: hashOfFile(join(projectDir, path), 'sha256') }];
    return {
      'bom-ref': path,
      type: 'file',
      name: path,
      hashes,
      licenses: licensesOf('Apache-2.0'),
    };
  });
}

const liburingComponent = ({ name, version, licence }) => ({
  'bom-ref': `${name}@${version}`,
  type: 'library',
  name,
  version,
  scope: 'required',
  description: 'linked statically',
  purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?distro=bookworm`,
  licenses: licensesOf(licence),
});

/** A UUID that the content decides: the same package has the same serial number. */
function serialNumberOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  // Version 8, variant 1: RFC 9562, section 5.8.
  const variant = '89ab'[Number.parseInt(hex[16], 16) & 3];
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
  return `urn:uuid:${[...parts, variant + hex.slice(17, 20), hex.slice(20, 32)].join('-')}`;
}

/** JSON text. `bundled` and `native` are lists as bundledPackages() makes them. */
export function billOfMaterials({ archive, bundled, native, epochSeconds }) {
  const bill = npmBill();
  const root = bill.metadata.component;
  const inBundle = bundled.map((entry) => componentOf(entry, bill.components));
  const inPrebuilds = native.map((entry) =>
    entry.name === 'liburing' ? liburingComponent(entry) : componentOf(entry, bill.components),
  );
  const prebuilds = prebuildComponents();
  const components = [...inBundle, ...inPrebuilds, ...prebuilds];
  const refs = new Set(components.map((entry) => entry['bom-ref']));
  const dependencies = [
    {
      ref: root['bom-ref'],
      dependsOn: [...inBundle, ...prebuilds].map((entry) => entry['bom-ref']),
    },
    ...prebuilds.map((entry) => ({
      ref: entry['bom-ref'],
      dependsOn: inPrebuilds.map((inside) => inside['bom-ref']),
    })),
    ...[...inBundle, ...inPrebuilds].map((entry) => {
      const known = bill.dependencies.find(({ ref }) => ref === entry['bom-ref']);
      return {
        ref: entry['bom-ref'],
        dependsOn: (known?.dependsOn ?? []).filter((ref) => refs.has(ref)),
      };
    }),
  ];
  const hashes = [{ alg: 'SHA-256', content: hashOfFile(archive, 'sha256') }];
  const properties = [{ name: 'file', value: basename(archive) }];
  const component = { ...root, name: 'spliced', hashes, properties };
  const metadata = {
    ...bill.metadata,
    timestamp: new Date(epochSeconds * 1000).toISOString(),
    lifecycles: [{ phase: 'build' }],
    component,
  };
  const serialNumber = serialNumberOf(JSON.stringify([metadata, components]));
  return `${JSON.stringify({ ...bill, serialNumber, metadata, components, dependencies }, null, 2)}\n`;
}
