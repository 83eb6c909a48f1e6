/**
 * Certificates for Redis over TLS.
 */
import {
  makeCertificates,
  mustSkip,
  opensslMissing,
  redisMissing,
  redisTlsMissing,
  type RedisTlsFiles,
} from '@pidmesh/dev-services'

/** Whom the authority has signed, and for which hosts. */
const SIGNED = {
  server: { names: 'DNS:localhost,IP:127.0.0.1' },
  named: { names: 'DNS:localhost' },
  elsewhere: { names: 'DNS:elsewhere.example' },
} as const

export type Signed = keyof typeof SIGNED

export interface RedisCertificates {
  readonly ca: string
  /** Of an authority that nobody knows. */
  readonly otherCa: string
  /** Of who comes. */
  readonly cert: string
  readonly key: string
  /** For a server. */
  filesOf(name: Signed): RedisTlsFiles
  remove(): void
}

/** For `describe.skipIf`. @throws Error if nothing may be skipped */
export function hasNoTls(): boolean {
  return mustSkip(redisMissing() ?? redisTlsMissing() ?? opensslMissing())
}

export function makeRedisCertificates(): RedisCertificates {
  const { path, read, remove } = makeCertificates(SIGNED)
  return {
    ca: read('ca.pem'),
    otherCa: read('other.pem'),
    cert: read('server.pem'),
    key: read('server.key'),
    filesOf: (name) => ({ ca: path('ca.pem'), cert: path(`${name}.pem`), key: path(`${name}.key`) }),
    remove,
  }
}
