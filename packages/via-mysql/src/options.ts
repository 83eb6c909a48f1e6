/**
 * The options of `MysqlLocations`: checked once, at the door, with every default in one place. No message has a password, a user or a URL in it.
 */
import { isIP } from 'node:net'
import { PidmeshError, shown } from '@pidmesh/runtime'
import { areCertificates, isUsableForTls, kindOf } from '@pidmesh/via-kit'

/** How the connections are encrypted, and what the server must show. Texts in PEM form. */
export interface MysqlTls {
  /** Who may have signed the server's certificate. @default those that Node.js trusts */
  readonly ca?: string | undefined
  /** This side's own certificate, and its key: where the server asks for one. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Takes any certificate. For tests. @default false */
  readonly allowAnyServer?: boolean | undefined
}

/** Where the server is, and who we are there: a URL, or its parts. */
export type MysqlPlace =
  | {
      /** `mysql://user:password@host:port/database`, what is special in it percent-encoded. */
      readonly url: string
      readonly host?: undefined
      readonly port?: undefined
      readonly user?: undefined
      readonly password?: undefined
      readonly database?: undefined
    }
  | {
      readonly url?: undefined
      /** @default '127.0.0.1' */
      readonly host?: string | undefined
      /** @default 3306 */
      readonly port?: number | undefined
      readonly user: string
      /** Never logged. @default none */
      readonly password?: string | undefined
      /** It must be there: only the table is made. */
      readonly database: string
    }

export interface MysqlTuning {
  /** `true`: the server's certificate must be for `host`, which must be a name, and signed by whom Node.js trusts. @default none: what is sent can be read on the way */
  readonly ssl?: boolean | MysqlTls | undefined
  /** Letters, digits and `_`. All nodes of a cluster use the same one, and no other cluster does. @default 'pidmesh_names' */
  readonly table?: string | undefined
  /** How long a name stands that isn't refreshed. The same on all nodes: each judges the rows of all by its own. @default 30_000 */
  readonly ttlMs?: number | undefined
  /** After how many milliseconds a call has failed, its wait for a connection included. @default 2_000 */
  readonly timeoutMs?: number | undefined
  /** How many connections there are at most: as many calls are under way at once, and others wait. @default 2 */
  readonly connections?: number | undefined
  /** Makes the table if it isn't there: at the start, or if it is lost later. @default true */
  readonly createTable?: boolean | undefined
}

export type MysqlOptions = MysqlPlace & MysqlTuning

/** Where the server is, and who we are there. */
export interface Server {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  readonly tls: MysqlTls | undefined
}

export interface CheckedOptions {
  readonly server: Server
  readonly table: string
  readonly ttlMs: number
  readonly timeoutMs: number
  readonly connections: number
  readonly createTable: boolean
}

const OF_SERVER = ['host', 'port', 'user', 'password', 'database'] as const
const KNOWN: ReadonlySet<string> = new Set<keyof MysqlOptions>([
  'url',
  ...OF_SERVER,
  'ssl',
  'table',
  'ttlMs',
  'timeoutMs',
  'connections',
  'createTable',
])
const KNOWN_OF_TLS: ReadonlySet<string> = new Set<keyof MysqlTls>(['ca', 'cert', 'key', 'allowAnyServer'])
const DEFAULT_PORT = 3_306
const MAX_TTL_MS = 24 * 60 * 60_000
const MAX_TIMEOUT_MS = 10 * 60_000
const MAX_CONNECTIONS = 64

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkOptions(options: MysqlOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw bad(`options must be an object, not ${kindOf(options)}`)
  for (const name of Object.keys(options))
    if (!KNOWN.has(name)) throw bad(`unknown option ${shown(name)}; there are: ${[...KNOWN].join(', ')}`)
  const { table = 'pidmesh_names', createTable = true } = options
  if (typeof table !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(table))
    throw bad(`table must be up to 64 letters, digits and _, and begin with no digit; it is ${shown(table)}`)
  if (typeof createTable !== 'boolean') throw bad(`createTable must be true or false, not ${kindOf(createTable)}`)
  return {
    server: checkIdentity(checkServer(options)),
    table,
    ttlMs: wholeNumber('ttlMs', options.ttlMs ?? 30_000, MAX_TTL_MS),
    timeoutMs: wholeNumber('timeoutMs', options.timeoutMs ?? 2_000, MAX_TIMEOUT_MS),
    connections: wholeNumber('connections', options.connections ?? 2, MAX_CONNECTIONS),
    createTable,
  }
}

function checkServer(options: MysqlOptions): Server {
  const tls = checkTls(options.ssl)
  if (options.url !== undefined) {
    const other = OF_SERVER.find((name) => options[name] !== undefined)
    if (other !== undefined) throw bad(`url and ${other} exclude each other`)
    return { ...fromUrl(options.url), tls }
  }
  const { host = '127.0.0.1', port = DEFAULT_PORT, user, password, database } = options
  for (const [name, value] of Object.entries({ host, user, database }))
    if (typeof value !== 'string' || value === '')
      throw bad(`${name} must be a text, not ${kindOf(value)}; or give a url`)
  if (password !== undefined && typeof password !== 'string')
    throw bad(`password must be a text, not ${kindOf(password)}`)
  return { host, port: wholeNumber('port', port, 65_535), user: user ?? '', password, database: database ?? '', tls }
}

/** The driver can't tell whether a certificate is for an address: it would take one for `localhost`. */
function checkIdentity(server: Server): Server {
  if (server.tls !== undefined && server.tls.allowAnyServer !== true && isIP(server.host) !== 0)
    throw bad('ssl needs the name of the host that is in its certificate, not an address')
  return server
}

function fromUrl(text: string): Omit<Server, 'tls'> {
  const url = typeof text === 'string' ? parsed(text) : undefined
  if (url?.protocol !== 'mysql:' && url?.protocol !== 'mariadb:')
    throw bad('url must be of the form mysql://user:password@host:port/database')
  if (url.search !== '' || url.hash !== '') throw bad('url must have nothing after the database: give options instead')
  const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decoded)
  if (!user || !database || !url.hostname) throw bad('url must say the user, the host and the database')
  return {
    // An address of IPv6 stands in brackets in a URL only.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : wholeNumber('the port of url', Number(url.port), 65_535),
    user,
    password: password === '' ? undefined : password,
    database,
  }
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw bad('url has a % that is no percent-encoding: write %25')
  }
}

/** @returns what was checked, and not what its owner may change */
function checkTls(given: MysqlOptions['ssl']): MysqlTls | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return {}
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw bad(`ssl must be true, false or an object, not ${kindOf(given)}`)
  const ssl = { ...given }
  for (const name of Object.keys(ssl))
    if (!KNOWN_OF_TLS.has(name))
      throw bad(`unknown option ${shown(`ssl.${name}`)}; there are: ${[...KNOWN_OF_TLS].join(', ')}`)
  for (const name of ['ca', 'cert', 'key'] as const)
    if (ssl[name] !== undefined && (typeof ssl[name] !== 'string' || ssl[name] === ''))
      throw bad(`ssl.${name} must be a text in PEM form`)
  if ((ssl.cert === undefined) !== (ssl.key === undefined)) throw bad('ssl.cert and ssl.key go together')
  if (ssl.allowAnyServer !== undefined && typeof ssl.allowAnyServer !== 'boolean')
    throw bad('ssl.allowAnyServer must be true or false')
  const { ca, cert, key } = ssl
  if (ca !== undefined && !areCertificates(ca)) throw bad('ssl.ca must be a certificate, or several, in PEM form')
  if (!isUsableForTls({ ca, cert, key }))
    throw bad('ssl.cert and ssl.key must be a certificate and its key in PEM form')
  return ssl
}

function wholeNumber(name: string, value: unknown, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value
  throw bad(`${name} must be a whole number from 1 to ${max}, not ${kindOf(value)}`)
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
