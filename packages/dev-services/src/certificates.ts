/**
 * Certificates for tests of TLS, made by openssl in a folder of their own: of an authority, and of another one that nobody knows.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isInstalled } from './programs.ts'
import { makeFolder } from './server-process.ts'

export type Authority = 'ca' | 'other'

export interface CertificateOf {
  /** For whom it is, as openssl has it: `DNS:localhost,IP:127.0.0.1`. */
  readonly names: string
  /** @default 'ca' */
  readonly by?: Authority
}

/** Files `name.pem` and `name.key`, of those that were asked for and of the two authorities. */
export interface Certificates<Name extends string> {
  path(file: `${Name | Authority}.${'pem' | 'key'}`): string
  /** In PEM form. */
  read(file: `${Name | Authority}.${'pem' | 'key'}`): string
  readonly folder: string
  remove(): void
}

/** What is missing to make certificates, and how to get it. */
export function opensslMissing(): string | undefined {
  return isInstalled('openssl') ? undefined : 'openssl is not here: it is in the Debian package openssl'
}

/** Each has a key of its own. They are good for two days. */
export function makeCertificates<Name extends string>(
  wanted: Readonly<Record<Name, CertificateOf>>,
): Certificates<Name> {
  const { folder, remove } = makeFolder('certificates')
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other'] satisfies Authority[]) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`]
    openssl('req', '-x509', ...newKey, ...files, '-subj', `/CN=${name}`, '-days', '2')
  }
  for (const [name, { names, by = 'ca' }] of Object.entries<CertificateOf>(wanted)) {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(join(folder, 'names'), `subjectAltName = ${names}`)
    const signed = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', '-extfile', 'names', '-days', '2']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, ...signed)
  }
  return {
    folder,
    path: (file) => join(folder, file),
    read: (file) => readFileSync(join(folder, file), 'utf8'),
    remove,
  }
}
