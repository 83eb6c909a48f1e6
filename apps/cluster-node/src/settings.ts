// What the environment says of a node. Secrets are in files: whoever can look at a process can read its environment.

import { X509Certificate } from 'node:crypto'

export type Settings = {
  /** `name@host`; the host is where the other nodes reach it. */
  readonly name: string
  /** Where it listens, for nodes and for clients. */
  readonly bindHost: string
  readonly meshPort: number
  /** What it speaks with other nodes, the same on all of them. */
  readonly transport: 'grpc' | 'tcp'
  /** Waits awake for nodes with which it takes turns quickly. Not where CPU time is limited. */
  readonly busyWait: boolean
  /** For clients and probes. */
  readonly port: number
  readonly cookieFile: string
  readonly tlsFiles: { readonly ca: string; readonly certificate: string; readonly privateKey: string } | undefined
  /** Whose addresses are those of all nodes. */
  readonly dnsName: string
  /** Name servers to ask; `undefined`: those of the machine. */
  readonly dnsServers: readonly string[] | undefined
  /** A node that has found no other for so long is the first of its cluster. */
  readonly joinWaitMs: number
  /** How long it goes on serving when it is told to end, so that proxies can learn that it is not ready. */
  readonly drainMs: number
}

export class SettingsError extends Error {}

/** @throws SettingsError */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const optional = (name: string): string | undefined => env[name] || undefined
  const required = (name: string): string => {
    const value = optional(name)
    if (value === undefined) throw new SettingsError(`${name} is not set`)
    return value
  }
  const integer = (name: string, least: number, most: number): number => {
    const number = /^\d{1,9}$/.test(required(name)) ? Number(env[name]) : Number.NaN
    if (number >= least && number <= most) return number
    throw new SettingsError(`${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(env[name])}`)
  }
  const transport = optional('TRANSPORT') ?? 'grpc'
  if (transport !== 'grpc' && transport !== 'tcp')
    throw new SettingsError(`TRANSPORT must be grpc or tcp, not ${JSON.stringify(transport)}`)
  const busyWait = optional('BUSY_WAIT') ?? 'true'
  if (busyWait !== 'true' && busyWait !== 'false')
    throw new SettingsError(`BUSY_WAIT must be true or false, not ${JSON.stringify(busyWait)}`)
  const tls = ['TLS_CA_FILE', 'TLS_CERTIFICATE_FILE', 'TLS_KEY_FILE'].filter((name) => optional(name) !== undefined)
  const [meshPort, port] = [integer('MESH_PORT', 1, 65_535), integer('PORT', 1, 65_535)]
  if (meshPort === port) throw new SettingsError(`MESH_PORT and PORT must differ, and are both ${port}`)
  return {
    name: required('NODE_NAME'),
    bindHost: required('BIND_HOST'),
    meshPort,
    transport,
    busyWait: busyWait === 'true',
    port,
    cookieFile: required('COOKIE_FILE'),
    // All or none: a node that talks in the clear for a misspelt name would be a bad surprise.
    tlsFiles:
      tls.length === 0
        ? undefined
        : {
            ca: required('TLS_CA_FILE'),
            certificate: required('TLS_CERTIFICATE_FILE'),
            privateKey: required('TLS_KEY_FILE'),
          },
    dnsName: required('DNS_NAME'),
    dnsServers: optional('DNS_SERVERS')
      ?.split(',')
      .map((server) => server.trim()),
    joinWaitMs: integer('JOIN_WAIT_MS', 0, 600_000),
    drainMs: integer('DRAIN_MS', 0, 600_000),
  }
}

/** Another node's would be refused by all others. @throws SettingsError */
export function checkCertificate(pem: string, name: string): void {
  if (!namesIn(pem).includes(`URI:pidmesh://${name}`))
    throw new SettingsError(`the certificate in TLS_CERTIFICATE_FILE is not for ${name}`)
}

function namesIn(pem: string): readonly string[] {
  try {
    return new X509Certificate(pem).subjectAltName?.split(', ') ?? []
  } catch {
    throw new SettingsError('there is no certificate in TLS_CERTIFICATE_FILE')
  }
}

/** One cookie a line: the first is the one that this node proves to know. */
export function readCookies(text: string): readonly [string, ...string[]] {
  const [first, ...others] = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  if (first === undefined) throw new SettingsError('there is no cookie in COOKIE_FILE')
  return [first, ...others]
}
