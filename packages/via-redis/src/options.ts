/**
 * Where Redis is, and how long it is waited for: read once, and refused at the caller.
 *
 * URLs have passwords in them: no error here says what it was given for one, and none has a cause that does.
 */
import { PidmeshError, shown } from '@pidmesh/runtime'
import { areCertificates, isUsableForTls, kindOf } from '@pidmesh/via-kit'

/** Servers that Redis Sentinel watches. */
export interface SentinelPlace {
  /** What the sentinels call them. */
  readonly name: string
  /** Of the sentinels: `redis://host:26379`, with user and password if they want some. */
  readonly urls: readonly string[]
  /** What the servers themselves want. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** @default 0 */
  readonly database?: number | undefined
  /** Whether the servers themselves are spoken to over TLS. @default false */
  readonly tls?: boolean | undefined
}

/** One of the three. In a URL what is special in a user or a password is percent-encoded. */
export type RedisPlace =
  | {
      /** One server: `redis://user:password@host:6379/0`; `rediss:` over TLS. */
      readonly url: string
      readonly cluster?: undefined
      readonly sentinel?: undefined
    }
  | {
      /** Redis Cluster: URLs of some of its nodes, all of one scheme. User and password of the first one are those of all. */
      readonly cluster: readonly string[]
      readonly url?: undefined
      readonly sentinel?: undefined
    }
  | { readonly sentinel: SentinelPlace; readonly url?: undefined; readonly cluster?: undefined }

/** How a server is known that is spoken to over TLS, and who we are. Texts in PEM form. */
export interface RedisTls {
  /** Certificates of the authorities that are trusted. @default those that Node.js trusts */
  readonly ca?: string | undefined
  /** For a server that wants to know who comes (`tls-auth-clients`, which it does by default). */
  readonly cert?: string | undefined
  /** Of `cert`. */
  readonly key?: string | undefined
}

export interface CommonOptions {
  /** For `rediss:`, of servers and sentinels. */
  readonly tls?: RedisTls | undefined
  /** Before each key and each channel. @default 'pidmesh:' */
  readonly prefix?: string | undefined
  /** In ms: how long a call waits for Redis. @default 2_000 */
  readonly timeoutMs?: number | undefined
}

export interface LocationsTuning extends CommonOptions {
  /** In ms: how long a row holds that is not written again. @default 30_000 */
  readonly ttlMs?: number | undefined
}

export interface PubSubTuning extends CommonOptions {
  /** One channel for everything, or one for each that is listened to. @default 'each' */
  readonly channels?: 'shared' | 'each' | undefined
  /** Sharded pub-sub, which a cluster does not send to all its nodes. For Redis 7. @default false */
  readonly sharded?: boolean | undefined
}

export type RedisLocationsOptions = RedisPlace & LocationsTuning
export type RedisPubSubOptions = RedisPlace & PubSubTuning

export interface Access {
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

export interface Server extends Access {
  readonly host: string
  readonly port: number
}

export type Place =
  | { readonly type: 'one'; readonly server: Server }
  | { readonly type: 'cluster'; readonly roots: readonly [Server, ...Server[]] }
  | {
      readonly type: 'sentinel'
      readonly name: string
      readonly sentinels: readonly [Server, ...Server[]]
      readonly access: Access
    }

export interface Settings {
  readonly place: Place
  readonly tls: RedisTls | undefined
  readonly prefix: string
  readonly timeoutMs: number
}

const COMMON = ['url', 'cluster', 'sentinel', 'tls', 'prefix', 'timeoutMs']
const PORT = 6_379
const SENTINEL_PORT = 26_379
/** Longer ones are refused by timers, and by Redis' clock. */
const MAX_MS = 2_147_483_647

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkLocationsOptions(options: RedisLocationsOptions): Settings & { readonly ttlMs: number } {
  checkKnown('RedisLocations', options, [...COMMON, 'ttlMs'])
  const { ttlMs = 30_000 } = options
  return { ...checkCommon('RedisLocations', options), ttlMs: checkMs('ttlMs', ttlMs) }
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkPubSubOptions(
  options: RedisPubSubOptions,
): Settings & { readonly channels: 'shared' | 'each'; readonly sharded: boolean } {
  checkKnown('RedisPubSub', options, [...COMMON, 'channels', 'sharded'])
  const { channels = 'each', sharded = false } = options
  if (channels !== 'shared' && channels !== 'each')
    throw bad(`channels must be 'shared' or 'each', not ${kindOf(channels)}`)
  if (typeof sharded !== 'boolean') throw bad(`sharded must be true or false, not ${kindOf(sharded)}`)
  return { ...checkCommon('RedisPubSub', options), channels, sharded }
}

function checkKnown(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw bad(`the options of ${what} must be an object, not ${kindOf(options)}`)
  const unknown = Object.keys(options).find((key) => !known.includes(key))
  if (unknown !== undefined) throw bad(`${what} has no option ${shown(unknown)}; there are: ${known.join(', ')}`)
}

function checkCommon(what: string, options: RedisPlace & CommonOptions): Settings {
  const { prefix = 'pidmesh:', timeoutMs = 2_000 } = options
  if (typeof prefix !== 'string' || /\p{Surrogate}/u.test(prefix))
    throw bad(`prefix must be a well-formed text, not ${kindOf(prefix)}`)
  const place = checkPlace(what, options)
  return { place, tls: checkTls(options.tls, place), prefix, timeoutMs: checkMs('timeoutMs', timeoutMs) }
}

/** @returns what was checked, and not what its owner may change */
function checkTls(given: RedisTls | undefined, place: Place): RedisTls | undefined {
  if (given === undefined) return undefined
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw bad(`tls must be an object with ca, cert and key`)
  const tls = { ...given }
  checkKnown('tls', tls, ['ca', 'cert', 'key'])
  const { ca, cert, key } = tls
  for (const [name, text] of Object.entries({ ca, cert, key }))
    if (text !== undefined && (typeof text !== 'string' || text === ''))
      throw bad(`tls.${name} must be a text in PEM form`)
  if ((cert === undefined) !== (key === undefined)) throw bad('tls.cert and tls.key go together')
  if (!speaksTls(place)) throw bad('tls is given, but no URL begins with rediss:')
  if (ca !== undefined && !areCertificates(ca)) throw bad('tls.ca must be a certificate, or several, in PEM form')
  if (cert !== undefined && key !== undefined && !isUsableForTls({ cert, key }))
    throw bad('tls.cert and tls.key must be a certificate and its key in PEM form')
  return tls
}

function speaksTls(place: Place): boolean {
  switch (place.type) {
    case 'one':
      return place.server.tls
    case 'cluster':
      return place.roots[0].tls
    case 'sentinel':
      return place.access.tls || place.sentinels.some(({ tls }) => tls)
  }
}

function checkMs(name: string, ms: number): number {
  if (Number.isInteger(ms) && ms >= 1 && ms <= MAX_MS) return ms
  throw bad(`${name} must be a whole number of milliseconds, from 1 to ${MAX_MS}, not ${kindOf(ms)}`)
}

function checkPlace(what: string, { url, cluster, sentinel }: RedisPlace): Place {
  const given = [url, cluster, sentinel].filter((place) => place !== undefined)
  if (given.length !== 1) throw bad(`${what} takes one of url, cluster and sentinel`)
  if (url !== undefined) return { type: 'one', server: serverOf('url', url, PORT) }
  if (cluster !== undefined) return { type: 'cluster', roots: rootsOf(cluster) }
  return checkSentinel(sentinel)
}

function rootsOf(cluster: readonly string[]): readonly [Server, ...Server[]] {
  const [first, ...others] = serversOf('cluster', cluster, PORT)
  const { host: _, port: __, ...access } = first
  if (access.database !== 0) throw bad('cluster: Redis Cluster has no database but 0')
  if (others.some(({ tls }) => tls !== access.tls))
    throw bad('cluster: its URLs must all begin with redis:, or all with rediss:')
  return [first, ...others.map(({ host, port }) => ({ host, port, ...access }))]
}

function checkSentinel(sentinel: SentinelPlace | undefined): Place {
  if (typeof sentinel !== 'object' || sentinel === null) throw bad('sentinel must be an object')
  checkKnown('sentinel', sentinel, ['name', 'urls', 'username', 'password', 'database', 'tls'])
  const { name, urls, username, password, database = 0, tls = false } = sentinel
  if (typeof name !== 'string' || name === '') throw bad(`sentinel.name must be a text, not ${kindOf(name)}`)
  for (const [key, value] of Object.entries({ username, password }))
    if (value !== undefined && typeof value !== 'string') throw bad(`sentinel.${key} must be a text`)
  if (typeof tls !== 'boolean') throw bad(`sentinel.tls must be true or false, not ${kindOf(tls)}`)
  const sentinels = serversOf('sentinel.urls', urls, SENTINEL_PORT)
  const access = { tls, username, password, database: checkDatabase('sentinel.database', database) }
  return { type: 'sentinel', name, sentinels, access }
}

function serversOf(what: string, urls: readonly string[], port: number): readonly [Server, ...Server[]] {
  const [first, ...others] = Array.isArray(urls) ? (urls as readonly string[]) : []
  if (first === undefined) throw bad(`${what} must be a list of URLs, of one or more`)
  const server = (url: string): Server => serverOf(what, url, port)
  return [server(first), ...others.map(server)]
}

function serverOf(what: string, text: string, defaultPort: number): Server {
  const url = typeof text === 'string' ? parsed(text) : undefined
  if (url === undefined || (url.protocol !== 'redis:' && url.protocol !== 'rediss:') || url.hostname === '')
    throw bad(`${what} must be a URL, as a text, such as redis://host:${defaultPort}, or rediss: over TLS`)
  if (url.search !== '' || url.hash !== '')
    throw bad(`${what} must have nothing after the database; a # or a ? of a password is percent-encoded: %23, %3F`)
  if (url.port === '0') throw bad(`${what}: there is no port 0`)
  if (!/^\/?\d*$/.test(url.pathname)) throw bad(`${what}: the database must be a whole number, 0 or more`)
  const username = decoded(what, url.username)
  const password = decoded(what, url.password)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    tls: url.protocol === 'rediss:',
    username: username === '' ? undefined : username,
    password: password === '' ? undefined : password,
    database: checkDatabase(what, url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0),
  }
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    // What was thrown has the URL in it.
    return undefined
  }
}

function decoded(what: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad(`${what}: user and password must be percent-encoded`)
  }
}

function checkDatabase(what: string, database: number): number {
  if (Number.isInteger(database) && database >= 0) return database
  throw bad(`${what}: the database must be a whole number, 0 or more`)
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
