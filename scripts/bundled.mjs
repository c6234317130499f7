// SPDX-License-Identifier: Apache-2.0
// What of other people's work is in what we ship: read from esbuild's own account of the bundle, so
// that no list has to be kept in step. Called by compile.mjs, prebuild.mjs and pack.mjs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const licenceFile = /^(licen[cs]e|copying|notice)(\.(md|txt))?$/i;

/** { name, version, licence (an SPDX identifier), texts } of a package in node_modules. */
export function describePackage(directory) {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const licence = manifest.license ?? manifest.licenses?.[0]?.type;
  const files = readdirSync(directory).filter((name) => licenceFile.test(name));
  if (typeof licence !== 'string' || files.length === 0) {
    throw new Error(`${directory} has no licence: a package that we ship must have one`);
  }
  const texts = files.sort().map((name) => readFileSync(join(directory, name), 'utf8'));
  return { name: manifest.name, version: manifest.version, licence, texts };
}

/** The packages with at least one byte in the outputs of esbuild, sorted by name. */
export function bundledPackages(projectDir, metafile) {
  const directories = new Set();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const found = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path);
      if (found && bytesInOutput > 0) directories.add(join(projectDir, found[0]));
    }
  }
  const packages = [...directories].map(describePackage);
  const keyOf = ({ name, version }) => `${name} ${version}`;
  const distinct = new Map(packages.map((entry) => [keyOf(entry), entry]));
  return [...distinct.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** The text of a THIRD-PARTY-NOTICES: each distinct licence text once, below who uses it. */
export function noticesOf(packages) {
  const users = new Map();
  for (const { name, version, licence, texts } of packages) {
    for (const text of texts) {
      const trimmed = text.replaceAll('\r\n', '\n').trim();
      const names = users.get(trimmed) ?? [];
      users.set(trimmed, [...names, `${name} ${version} (${licence})`]);
    }
  }
  const rule = '-'.repeat(78);
  const parts = [...users].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`);
  return `This directory contains the following software.\n\n${rule}\n${parts.join(`\n${rule}\n`)}`;
}
