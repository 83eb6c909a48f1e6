/**
 * Certificates for tests of TLS, made by openssl: of an authority, and of another one that nobody knows.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, mustSkip, redisMissing, redisTlsMissing, type RedisTlsFiles } from '@pidmesh/dev-services'

/** Whom the authority has signed, and for which hosts. */
const SIGNED = {
  server: 'DNS:localhost,IP:127.0.0.1',
  named: 'DNS:localhost',
  elsewhere: 'DNS:elsewhere.example',
} as const

export type Signed = keyof typeof SIGNED

export interface Certificates {
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

export function makeCertificates(): Certificates {
  const { folder, remove } = makeFolder('certificates')
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other']) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
    openssl('req', '-x509', ...newKey, ...files, '-subj', `/CN=${name}`, '-days', '2')
  }
  for (const [name, names] of Object.entries(SIGNED)) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(join(folder, 'names'), `subjectAltName = ${names}`)
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signed)
  }
  const path = (file: string): string => join(folder, file)
  const read = (file: string): string => readFileSync(path(file), 'utf8')
  return {
    ca: read('ca.pem'),
    otherCa: read('other.pem'),
    cert: read('server.pem'),
    key: read('server.key'),
    filesOf: (name) => ({ ca: path('ca.pem'), cert: path(`${name}.pem`), key: path(`${name}.key`) }),
    remove,
  }
}

function opensslMissing(): string | undefined {
  return spawnSync('openssl', ['version']).error && 'openssl is not here: it is in the Debian package openssl'
}
