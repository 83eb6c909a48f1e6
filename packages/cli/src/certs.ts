/**
 * `pidmesh certs`: writes certificates into a directory. Private keys are readable by their owner only.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeName } from '@pidmesh/runtime'
import {
  authorityEnd,
  certificateEnd,
  createAuthority,
  createCertificate,
  endAfter,
  type KeyPair,
  type Validity,
} from './certificates.ts'
import type { CertsOptions } from './options.ts'

export interface Written {
  readonly files: readonly string[]
  /** What is otherwise than it was asked for. */
  readonly note: string | undefined
}

/** Nothing is written if a file is there that must not be written over, or an authority that has expired. */
export async function writeCertificates(options: CertsOptions, from: Date): Promise<Written> {
  const { nodes, directory, days } = options
  const validity = { from, days }
  checkPaths(options)
  mkdirSync(directory, { recursive: true })
  const files: string[] = []
  const authority = await authorityIn(directory, from, files)
  for (const node of nodes) write(pathsOf(directory, node), await createCertificate(node, authority, validity), files)
  return { files, note: noteOn(authority, validity) }
}

function noteOn(authority: KeyPair, { from, days }: Required<Validity>): string | undefined {
  const end = certificateEnd(authority, { from, days })
  if (end.getTime() === endAfter(from, days).getTime()) return undefined
  return `the authority ends on ${dayOf(end)}, before ${days} days are over, and these certificates with it`
}

function checkPaths({ nodes, directory, force }: CertsOptions): void {
  const paths = ['ca' as const, ...new Set(nodes)].flatMap((name) => filesOf(directory, name))
  const twice = paths.find((path, index) => paths.indexOf(path) !== index)
  if (twice !== undefined)
    throw new Error(`two of these would be written to ${twice}: give each a directory of its own`)
  const known = nodes.filter((node) => filesOf(directory, node).some((path) => existsSync(path)))
  if (known.length > 0 && !force)
    throw new Error(`${known.join(', ')} has a certificate, or a key, in ${directory} already; --force writes over it`)
}

async function authorityIn(directory: string, from: Date, written: string[]): Promise<KeyPair> {
  const paths = pathsOf(directory, 'ca')
  const [hasCertificate, hasKey] = [existsSync(paths.certificate), existsSync(paths.privateKey)]
  if (hasCertificate && hasKey) {
    const authority = {
      certificate: readFileSync(paths.certificate, 'utf8'),
      privateKey: readFileSync(paths.privateKey, 'utf8'),
    }
    checkAuthority(authority, paths)
    const end = authorityEnd(authority)
    if (end <= from) {
      const problem = `the authority ${paths.certificate} has expired on ${dayOf(end)}`
      throw new Error(`${problem}: make another in a new directory, and all certificates with it`)
    }
    return authority
  }
  if (hasCertificate) throw new Error(`${paths.certificate} is there, but its key ${paths.privateKey} is not`)
  if (hasKey) throw new Error(`${paths.privateKey} is there, but its certificate ${paths.certificate} is not`)
  const authority = await createAuthority({ from })
  write(paths, authority, written)
  return authority
}

/** The files may be anybody's, or one of each of two authorities: what they sign would be believed by no node. */
function checkAuthority(authority: KeyPair, paths: Paths): void {
  const certificate = readPem(paths.certificate, 'certificate', () => new X509Certificate(authority.certificate))
  const key: KeyObject = readPem(paths.privateKey, 'private key', () => createPrivateKey(authority.privateKey))
  if (!certificate.ca) throw new Error(`${paths.certificate} is not the certificate of an authority`)
  if (!certificate.checkPrivateKey(key))
    throw new Error(`${paths.privateKey} is not the key of ${paths.certificate}, but of another certificate`)
  if (key.asymmetricKeyType !== 'ec')
    throw new Error(
      `${paths.privateKey} is a key of type ${key.asymmetricKeyType}: certificates are signed with those of type ec only`,
    )
}

function readPem<T>(path: string, what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new Error(`there is no ${what} that can be read in ${path}`, { cause: error })
  }
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}

interface Paths {
  readonly certificate: string
  readonly privateKey: string
}

function pathsOf(directory: string, name: NodeName | 'ca'): Paths {
  // A host may be an IPv6 address.
  const base = join(directory, name.replaceAll(/[^A-Za-z0-9_.@-]/g, '_'))
  return { certificate: `${base}.pem`, privateKey: `${base}-key.pem` }
}

function filesOf(directory: string, name: NodeName | 'ca'): string[] {
  const { certificate, privateKey } = pathsOf(directory, name)
  return [certificate, privateKey]
}

/** Both are written beside their places, and put there when they are whole: on a disk that is full what was there stays. */
function write(paths: Paths, { certificate, privateKey }: KeyPair, written: string[]): void {
  const drafts = { certificate: `${paths.certificate}.draft`, privateKey: `${paths.privateKey}.draft` }
  try {
    // A file that is there already keeps its mode when it is written over.
    for (const draft of Object.values(drafts)) rmSync(draft, { force: true })
    writeFileSync(drafts.certificate, certificate, { flag: 'wx' })
    writeFileSync(drafts.privateKey, privateKey, { flag: 'wx', mode: 0o600 })
    renameSync(drafts.privateKey, paths.privateKey)
    renameSync(drafts.certificate, paths.certificate)
  } finally {
    for (const draft of Object.values(drafts)) rmSync(draft, { force: true })
  }
  written.push(paths.certificate, paths.privateKey)
}
