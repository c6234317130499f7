// SPDX-License-Identifier: Apache-2.0
// Signature algorithms that are too weak, with the bytes of their names in DER. A certificate
// without such bytes cannot be signed with one, so that the library which looks closer
// (signature.ts) is loaded for suspects alone and never on an ordinary start. Called by check.ts.

export const weakAlgorithms: Readonly<Record<string, { weakness: string; derHex: string }>> = {
  '1.2.840.113549.1.1.2': { weakness: 'MD2', derHex: '2a864886f70d010102' },
  '1.2.840.113549.1.1.3': { weakness: 'MD4', derHex: '2a864886f70d010103' },
  '1.2.840.113549.1.1.4': { weakness: 'MD5', derHex: '2a864886f70d010104' },
  '1.2.840.113549.1.1.5': { weakness: 'SHA-1', derHex: '2a864886f70d010105' },
  '1.3.14.3.2.27': { weakness: 'SHA-1', derHex: '2b0e03021b' },
  '1.3.14.3.2.29': { weakness: 'SHA-1', derHex: '2b0e03021d' },
  '1.2.840.10040.4.3': { weakness: 'SHA-1', derHex: '2a8648ce380403' },
  '1.2.840.10045.4.1': { weakness: 'SHA-1', derHex: '2a8648ce3d0401' },
};
/** Its hash is in its parameters (RFC 4055 3.1). */
export const pssAlgorithm = { oid: '1.2.840.113549.1.1.10', derHex: '2a864886f70d01010a' };

const suspects = [...Object.values(weakAlgorithms), pssAlgorithm].map(({ derHex }) =>
  Buffer.from(derHex, 'hex'),
);

/** "SHA-1", "MD5" and so on, or undefined for a signature of today's strength. */
export async function weaknessOf(der: Buffer): Promise<string | undefined> {
  if (!suspects.some((bytes) => der.includes(bytes))) return undefined;
  const { signatureWeakness } = await import('./signature.js');
  return signatureWeakness(der);
}
