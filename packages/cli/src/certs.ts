/**
 * `pidmesh certs`: writes certificates into a directory. Private keys are readable by their owner only.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeName } from '@pidmesh/runtime'
import { createAuthority, createCertificate, type KeyPair, type Validity } from './certificates.ts'
import type { CertsOptions } from './options.ts'

/** Resolves with the files that were written. Nothing is written if one is there that must not be written over. */
export async function writeCertificates(options: CertsOptions, from: Date): Promise<readonly string[]> {
  const { nodes, directory, days } = options
  const validity: Validity = { from, days }
  checkPaths(options)
  mkdirSync(directory, { recursive: true })
  const written: string[] = []
  const authority = await authorityIn(directory, validity, written)
  for (const node of nodes) write(pathsOf(directory, node), await createCertificate(node, authority, validity), written)
  return written
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

async function authorityIn(directory: string, validity: Validity, written: string[]): Promise<KeyPair> {
  const paths = pathsOf(directory, 'ca')
  const [hasCertificate, hasKey] = [existsSync(paths.certificate), existsSync(paths.privateKey)]
  if (hasCertificate && hasKey) {
    return { certificate: readFileSync(paths.certificate, 'utf8'), privateKey: readFileSync(paths.privateKey, 'utf8') }
  }
  if (hasCertificate) throw new Error(`${paths.certificate} is there, but its key ${paths.privateKey} is not`)
  if (hasKey) throw new Error(`${paths.privateKey} is there, but its certificate ${paths.certificate} is not`)
  const authority = await createAuthority(validity)
  write(paths, authority, written)
  return authority
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

function write(paths: Paths, { certificate, privateKey }: KeyPair, written: string[]): void {
  writeFileSync(paths.certificate, certificate)
  // A file that is there already keeps its mode when it is written over.
  rmSync(paths.privateKey, { force: true })
  writeFileSync(paths.privateKey, privateKey, { mode: 0o600 })
  written.push(paths.certificate, paths.privateKey)
}
