/**
 * Certificates for the nodes of a cluster: an authority of one's own, and certificates signed by it, each of which names its node as
 * `URI:pidmesh://name@host`. Elliptic keys (P-256), SHA-256.
 *
 * Meant for development and for small clusters. Any other authority will do as well, if its certificates name the nodes in this way.
 */
import { randomBytes, X509Certificate } from 'node:crypto'
import type { NodeName } from '@pidmesh/runtime'
import { generate, type SelfsignedOptions } from 'selfsigned'

/** Texts in PEM form. */
export interface KeyPair {
  readonly certificate: string
  readonly privateKey: string
}

export interface Validity {
  readonly from: Date
  /** @default 3650 for an authority, 365 for a certificate of a node */
  readonly days?: number
}

const DAY_MS = 24 * 60 * 60 * 1_000
const AUTHORITY_DAYS = 3_650
const CERTIFICATE_DAYS = 365

/** Each has a name of its own: of two with one name OpenSSL looks at the first only, whichever has signed. */
export function createAuthority({ from, days = AUTHORITY_DAYS }: Validity): Promise<KeyPair> {
  const name = `pidmesh development authority ${randomBytes(8).toString('hex')}`
  return make(name, from, endAfter(from, days), {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
}

/** A certificate for one node, good for both sides of a connection. It ends with its authority, if that is sooner. */
export function createCertificate(node: NodeName, authority: KeyPair, validity: Validity): Promise<KeyPair> {
  return make(node, validity.from, certificateEnd(authority, validity), {
    ca: { cert: authority.certificate, key: authority.privateKey },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames: [{ type: 6, value: `pidmesh://${node}` }] },
    ],
  })
}

/** When a certificate ends that is made by the authority. */
export function certificateEnd(authority: KeyPair, { from, days = CERTIFICATE_DAYS }: Validity): Date {
  const [wanted, last] = [endAfter(from, days), authorityEnd(authority)]
  return last < wanted ? last : wanted
}

export function authorityEnd({ certificate }: KeyPair): Date {
  return new Date(new X509Certificate(certificate).validTo)
}

/** In whole seconds: a certificate has no others (RFC 5280, section 4.1.2.5). */
export function endAfter(from: Date, days: number): Date {
  return new Date(Math.floor((from.getTime() + days * DAY_MS) / 1_000) * 1_000)
}

async function make(commonName: string, from: Date, end: Date, options: SelfsignedOptions): Promise<KeyPair> {
  const { cert, private: privateKey } = await generate([{ name: 'commonName', value: commonName }], {
    ...options,
    keyType: 'ec',
    algorithm: 'sha256',
    // A minute ago, for machines whose clocks are a little behind.
    notBeforeDate: new Date(from.getTime() - 60_000),
    notAfterDate: end,
  })
  return { certificate: inLines(cert), privateKey: inLines(privateKey) }
}

/** The last line ends, too, so that files of this kind can be put one behind the other. */
function inLines(pem: string): string {
  return `${pem.trimEnd()}\n`
}
