/**
 * Certificates for the nodes of a cluster: an authority of one's own, and certificates signed by it, each of which names its node as
 * `URI:pidmesh://name@host`. Elliptic keys (P-256), SHA-256.
 *
 * Meant for development and for small clusters. Any other authority will do as well, if its certificates name the nodes in this way.
 */
import { randomBytes } from 'node:crypto'
import type { NodeName } from '@pidmesh/runtime'
import { generate, type SelfsignedOptions } from 'selfsigned'

/** Texts in PEM form. */
export interface KeyPair {
  readonly certificate: string
  readonly privateKey: string
}

export interface Validity {
  readonly from: Date
  /** @default 365 */
  readonly days?: number
}

const DAY_MS = 24 * 60 * 60 * 1_000
const DEFAULT_DAYS = 365

/** Each has a name of its own: of two with one name OpenSSL looks at the first only, whichever has signed. */
export function createAuthority(validity: Validity): Promise<KeyPair> {
  return make(`pidmesh development authority ${randomBytes(8).toString('hex')}`, validity, {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
}

/** A certificate for one node, good for both sides of a connection. */
export function createCertificate(node: NodeName, authority: KeyPair, validity: Validity): Promise<KeyPair> {
  return make(node, validity, {
    ca: { cert: authority.certificate, key: authority.privateKey },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames: [{ type: 6, value: `pidmesh://${node}` }] },
    ],
  })
}

async function make(
  commonName: string,
  { from, days = DEFAULT_DAYS }: Validity,
  options: SelfsignedOptions,
): Promise<KeyPair> {
  const { cert, private: privateKey } = await generate([{ name: 'commonName', value: commonName }], {
    ...options,
    keyType: 'ec',
    algorithm: 'sha256',
    // A minute ago, for machines whose clocks are a little behind.
    notBeforeDate: new Date(from.getTime() - 60_000),
    notAfterDate: new Date(from.getTime() + days * DAY_MS),
  })
  return { certificate: inLines(cert), privateKey: inLines(privateKey) }
}

/** The last line ends, too, so that files of this kind can be put one behind the other. */
function inLines(pem: string): string {
  return `${pem.trimEnd()}\n`
}
