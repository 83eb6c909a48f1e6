/**
 * The options of a gateway: checked once, with every default in one place.
 */
import { constants } from 'node:buffer'
import type { IncomingHttpHeaders, Server } from 'node:http'
import type { BlockList } from 'node:net'
import { PidmeshError, shown, type Awaitable, type Groups, type Via } from '@pidmesh/runtime'
import { trustedProxies } from './client-address.ts'
import { checkCredentialOptions, type CredentialOptions, type FoundToken } from './credentials.ts'
import type { GatewayStats } from './counters.ts'
import type { HeartbeatOptions } from './heartbeat.ts'
import type { ListenOn } from './listener.ts'
import { DEFAULT_THRESHOLDS, heapShare as heapShareOfV8, type LoadThresholds } from './load.ts'
import { defaultPrincipalId, type Authenticated, type Nobody } from './principal.ts'
import type { ResumeOptions } from './session-hub.ts'
import { SocketSession, type SessionClass } from './session.ts'
import type { Rate } from './token-bucket.ts'
import type { MessageSchema } from './validate.ts'

/** What is known of a client that wants to be somebody. */
export interface UpgradeRequest {
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  /** The client's address: behind trusted proxies the one that they tell. */
  readonly remoteAddress: string
  /** The token that the client has shown, if it has. */
  readonly token: string | undefined
  /** Where the token was: in the upgrade, or in a message (`hello`, `auth`). */
  readonly tokenFrom: FoundToken['from'] | 'message' | undefined
}

/** What serves `/metrics`: `@pidmesh/metrics` makes one. */
export interface MetricsSource {
  readonly contentType: string
  text(): Promise<string>
}

/** Options as they are given: what is left out, or `undefined`, has its default. */
type Given<Options> = { readonly [Option in keyof Options]?: Options[Option] | undefined }

export interface GatewayOptions<ClientMessage, ServerMessage, Principal, Info = ServerMessage> {
  /** Where sessions register their names. */
  readonly names: Via
  /** Where sessions have their rooms: `ProcessGroups`. Without it there are no rooms, no presence, and no names of the policy `multi`. @default none */
  readonly groups?: Groups | undefined
  /** The class of the sessions: one instance, and one process, for each client. */
  readonly session: SessionClass<ClientMessage, ServerMessage, Principal, Info>
  /**
   * Says who a client is, by its token or whatever the request has. `undefined`, `null` or `false` refuses it: 401, or 4003 if the token was in a message. A throw or rejection means
   * that it can't be said now: 503 or 1013. Return `new Authenticated(principal, { expiresAtMs })` if it isn't for ever.
   */
  readonly authenticate: (
    request: UpgradeRequest,
  ) => Awaitable<NoInfer<Principal> | Authenticated<NoInfer<Principal>> | Nobody>
  /**
   * The same for all sessions of one principal: a session can be resumed by its own principal only, and presence tells it to others. @default the principal, if it is a text; otherwise
   * its JSON, with the keys in order
   */
  readonly principalId?: ((principal: NoInfer<Principal>) => string) | undefined
  /** What clients may send, as any Standard Schema (zod, valibot, …); anything else closes with 4400. @default any JSON */
  readonly messages?: MessageSchema<NoInfer<ClientMessage>> | undefined

  /** The port to listen on; 0 lets the system choose. Give this or `server`. */
  readonly port?: number | undefined
  /** The address to listen on. @default '127.0.0.1' */
  readonly host?: string | undefined
  /** An HTTP server of yours, already listening or not: the gateway takes its upgrades for `path`, and leaves the rest. */
  readonly server?: Server | undefined
  /** @default '/ws' */
  readonly path?: string | undefined
  /** Which web pages may connect: origins such as `https://chat.example`, or '*' for all. @default pages of the same host; no Origin at all is accepted */
  readonly origins?: readonly string[] | '*' | undefined
  /** Where else than in `Authorization`, the subprotocol and messages a token may be: a cookie of this name, a query parameter of this name. @default nowhere */
  readonly tokens?: CredentialOptions | undefined
  /** Addresses or networks (`10.0.0.0/8`) of proxies that tell the client's address in `X-Forwarded-For`. @default none */
  readonly trustedProxies?: readonly string[] | undefined
  /** Makes what answers `/metrics` on the gateway's own port, and in `handleRequest`. @default none */
  readonly metrics?: ((gateway: { readonly stats: GatewayStats }) => MetricsSource) | undefined

  /** How sessions outlive their sockets; `false`: they don't. */
  readonly resume?: Given<ResumeOptions> | false | undefined

  /** A larger message closes with 1009. @default 65536 */
  readonly maxPayloadBytes?: number | undefined
  /** More of one client closes with 4005. Pings count, too. @default 100 */
  readonly maxMessagesPerSecond?: number | undefined
  /** So many may come at once, in one frame too. @default 256, or `maxMessagesPerSecond`, if that is more */
  readonly messageBurst?: number | undefined
  /** Above so many bytes that wait for a client droppable messages are left out, and of coalescible ones all but the latest. @default 262144 */
  readonly softBufferedBytes?: number | undefined
  /** Bytes that may wait for a client; more closes with 4008. @default 1048576 */
  readonly maxBufferedBytes?: number | undefined
  /** A client for which more than `softBufferedBytes` have waited for so long is closed with 4008. @default 10000 */
  readonly slowTimeoutMs?: number | undefined
  /** Messages of one client that may wait for its session; more waits in the socket, but for what was read in one
   * chunk of up to 64 KiB. @default 64 */
  readonly maxPendingMessages?: number | undefined
  /** Further sockets are refused with 503. @default 100000 */
  readonly maxConnections?: number | undefined
  /** Further sockets of one address are refused with 429; of IPv6 a /64 counts as one. @default 1000 */
  readonly maxConnectionsPerAddress?: number | undefined
  /**
   * Clients of whom it isn't known yet who they are; further ones are refused with 503. Of one address at most a quarter of them, with 429, unless `maxConnectionsPerAddress` is more than
   * this. @default 1000
   */
  readonly maxAuthenticating?: number | undefined
  /** For `authenticate`, and for the client to say `hello`. @default 5000 */
  readonly authenticateTimeoutMs?: number | undefined
  /**
   * `handleConnect` may take so long, and a session from another node until it has run `handleResume` here; then the socket is closed with 1011. If the session doesn't answer there it is
   * closed with 1013, at half of it. @default 10000
   */
  readonly connectTimeoutMs?: number | undefined
  /** A session whose socket is closed, or that is revoked, has so long to finish what it is at, and any for its `terminate`; then it is killed. @default 10000 */
  readonly sessionEndTimeoutMs?: number | undefined
  /** A client that was silent for so long is pinged. @default 25000 */
  readonly pingIntervalMs?: number | undefined
  /** A client that doesn't answer a ping for so long is closed with 4010. @default 10000 */
  readonly pingTimeoutMs?: number | undefined
  /** permessage-deflate. It costs several times the CPU and memory of a connection. @default false */
  readonly compression?: boolean | undefined
  /**
   * Shares of the heap's limit: above `refuseAt` new sockets get 503, above `shedAt` the slowest clients are closed with 1013, until it is `margin` below.
   * @default { refuseAt: 0.85, shedAt: 0.95, margin: 0.05 }
   */
  readonly heapThresholds?: Given<LoadThresholds> | undefined
  /** How much of the heap's limit is in use, from 0 to 1. @default V8's own figures */
  readonly heapShare?: (() => number) | undefined
}

export interface CheckedGatewayOptions<ClientMessage, ServerMessage, Principal, Info = ServerMessage> {
  readonly names: Via
  readonly groups: Groups | undefined
  readonly session: SessionClass<ClientMessage, ServerMessage, Principal, Info>
  readonly authenticate: (request: UpgradeRequest) => Awaitable<Principal | Authenticated<Principal> | Nobody>
  readonly principalId: (principal: Principal) => string
  readonly messages: MessageSchema<ClientMessage> | undefined
  readonly listen: ListenOn
  readonly path: string
  readonly origins: readonly string[] | '*' | undefined
  readonly tokens: CredentialOptions
  readonly trustedProxies: BlockList
  readonly metrics: ((gateway: { readonly stats: GatewayStats }) => MetricsSource) | undefined
  readonly resume: ResumeOptions | undefined
  readonly maxPayloadBytes: number
  readonly rate: Rate
  readonly softBufferedBytes: number
  readonly maxBufferedBytes: number
  readonly slowTimeoutMs: number
  readonly maxPendingMessages: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly maxAuthenticating: number
  readonly authenticateTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly sessionEndTimeoutMs: number
  readonly heartbeat: HeartbeatOptions
  readonly compression: boolean
  readonly heapThresholds: LoadThresholds
  readonly heapShare: () => number
}

const { MAX_STRING_LENGTH } = constants

const KNOWN: ReadonlySet<string> = new Set<keyof GatewayOptions<never, never, never>>([
  'names',
  'groups',
  'session',
  'authenticate',
  'principalId',
  'messages',
  'port',
  'host',
  'server',
  'path',
  'origins',
  'tokens',
  'trustedProxies',
  'metrics',
  'resume',
  'maxPayloadBytes',
  'maxMessagesPerSecond',
  'messageBurst',
  'softBufferedBytes',
  'maxBufferedBytes',
  'slowTimeoutMs',
  'maxPendingMessages',
  'maxConnections',
  'maxConnectionsPerAddress',
  'maxAuthenticating',
  'authenticateTimeoutMs',
  'connectTimeoutMs',
  'sessionEndTimeoutMs',
  'pingIntervalMs',
  'pingTimeoutMs',
  'compression',
  'heapThresholds',
  'heapShare',
])
const RESUME_OPTIONS: ReadonlySet<string> = new Set<keyof ResumeOptions>([
  'graceMs',
  'maxMessages',
  'maxBytes',
  'maxDetached',
  'maxDetachedPerPrincipal',
])
const LOAD_THRESHOLDS: ReadonlySet<string> = new Set<keyof LoadThresholds>(['refuseAt', 'shedAt', 'margin'])

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkGatewayOptions<C, S, P, I = S>(
  options: GatewayOptions<C, S, P, I>,
): CheckedGatewayOptions<C, S, P, I> {
  if (typeof options !== 'object' || options === null) throw bad('the options of a gateway are an object')
  for (const key of Object.keys(options)) if (!KNOWN.has(key)) throw bad(`unknown option ${JSON.stringify(key)}`)
  const { names, groups, session, authenticate, messages, path = '/ws', origins, metrics, tokens = {} } = options
  const { principalId = defaultPrincipalId, compression = false, heapShare = heapShareOfV8 } = options
  if (typeof authenticate !== 'function') throw bad('authenticate must be a function')
  if (typeof principalId !== 'function') throw bad('principalId must be a function')
  if (typeof heapShare !== 'function') throw bad('heapShare must be a function')
  if (typeof compression !== 'boolean') throw bad('compression must be true or false')
  if (typeof session !== 'function' || !(session.prototype instanceof SocketSession)) {
    throw bad('session must be a class that extends SocketSession')
  }
  for (const method of ['registerName', 'send', 'whereisName'] as const) {
    if (typeof names?.[method] !== 'function') throw bad('names must be a Via, such as GlobalEts')
  }
  for (const method of ['join', 'broadcast', 'monitorGroup'] as const) {
    if (groups !== undefined && typeof groups?.[method] !== 'function')
      throw bad('groups must be Groups, such as ProcessGroups')
  }
  if (messages !== undefined && typeof messages?.['~standard']?.validate !== 'function')
    throw bad('messages must be a Standard Schema')
  if (metrics !== undefined && typeof metrics !== 'function') throw bad('metrics must be a function')
  if (origins !== undefined && origins !== '*') checkOrigins(origins)
  if (typeof path !== 'string' || !path.startsWith('/')) throw bad('path must begin with /')
  // Any other would never be that of a request.
  if (pathnameOf(path) !== path)
    throw bad(`path must be as it stands in a URL, without a query, not ${JSON.stringify(path)}`)
  const maxConnections = positive('maxConnections', options.maxConnections, 100_000)
  const maxPayloadBytes = positive('maxPayloadBytes', options.maxPayloadBytes, 64 * 1024)
  if (maxPayloadBytes > MAX_STRING_LENGTH)
    throw bad(`maxPayloadBytes must be ${MAX_STRING_LENGTH} or less: a longer text can't be read`)
  const rate = positive('maxMessagesPerSecond', options.maxMessagesPerSecond, 100)
  const softBufferedBytes = positive('softBufferedBytes', options.softBufferedBytes, 256 * 1024)
  const maxBufferedBytes = positive('maxBufferedBytes', options.maxBufferedBytes, 1024 * 1024)
  return {
    names,
    groups,
    session,
    authenticate,
    principalId,
    messages,
    listen: checkListen(options),
    path,
    origins,
    tokens: checkTokens(tokens),
    trustedProxies: trustedProxies(options.trustedProxies ?? []),
    metrics,
    resume: checkResume(options.resume, maxConnections),
    maxPayloadBytes,
    rate: { perSecond: rate, burst: positive('messageBurst', options.messageBurst, Math.max(256, rate)) },
    softBufferedBytes: Math.min(softBufferedBytes, maxBufferedBytes),
    maxBufferedBytes,
    slowTimeoutMs: positive('slowTimeoutMs', options.slowTimeoutMs, 10_000),
    maxPendingMessages: positive('maxPendingMessages', options.maxPendingMessages, 64),
    maxConnections,
    maxConnectionsPerAddress: positive('maxConnectionsPerAddress', options.maxConnectionsPerAddress, 1_000),
    maxAuthenticating: positive('maxAuthenticating', options.maxAuthenticating, 1_000),
    authenticateTimeoutMs: positive('authenticateTimeoutMs', options.authenticateTimeoutMs, 5_000),
    connectTimeoutMs: positive('connectTimeoutMs', options.connectTimeoutMs, 10_000),
    sessionEndTimeoutMs: positive('sessionEndTimeoutMs', options.sessionEndTimeoutMs, 10_000),
    heartbeat: {
      pingIntervalMs: positive('pingIntervalMs', options.pingIntervalMs, 25_000),
      pingTimeoutMs: positive('pingTimeoutMs', options.pingTimeoutMs, 10_000),
    },
    compression,
    heapThresholds: checkThresholds(options.heapThresholds),
    heapShare,
  }
}

function checkListen({
  port,
  host = '127.0.0.1',
  server,
}: Pick<GatewayOptions<never, unknown, unknown>, 'port' | 'host' | 'server'>): ListenOn {
  if ((port === undefined) === (server === undefined)) throw bad('give either port or server')
  if (server !== undefined) {
    if (typeof server?.on !== 'function' || typeof server.address !== 'function')
      throw bad('server must be an HTTP server')
    return { server }
  }
  if (port === undefined || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw bad(`port must be an integer from 0 to 65535, not ${String(port)}`)
  // Of an empty one Node would make all addresses.
  if (typeof host !== 'string' || host === '')
    throw bad(`host must be a name or an address, not ${shown(host)}: '0.0.0.0' or '::' for all`)
  return { port, host }
}

function pathnameOf(path: string): string | undefined {
  return URL.canParse(path, 'http://gateway') ? new URL(path, 'http://gateway').pathname : undefined
}

function checkResume(
  resume: Given<ResumeOptions> | false | undefined,
  maxConnections: number,
): ResumeOptions | undefined {
  if (resume === false) return undefined
  if (resume !== undefined && (typeof resume !== 'object' || resume === null))
    throw bad('resume must be an object, or false')
  for (const key of Object.keys(resume ?? {}))
    if (!RESUME_OPTIONS.has(key)) throw bad(`resume has no option ${JSON.stringify(key)}`)
  return {
    graceMs: positive('resume.graceMs', resume?.graceMs, 60_000),
    maxMessages: positive('resume.maxMessages', resume?.maxMessages, 64),
    maxBytes: positive('resume.maxBytes', resume?.maxBytes, 8 * 1024),
    maxDetached: positive('resume.maxDetached', resume?.maxDetached, maxConnections),
    maxDetachedPerPrincipal: positive('resume.maxDetachedPerPrincipal', resume?.maxDetachedPerPrincipal, 16),
  }
}

function checkTokens(tokens: CredentialOptions): CredentialOptions {
  if (typeof tokens !== 'object' || tokens === null) throw bad('tokens must be an object')
  for (const key of Object.keys(tokens))
    if (key !== 'cookie' && key !== 'queryParameter') throw bad(`tokens has no option ${JSON.stringify(key)}`)
  return checkCredentialOptions(tokens)
}

function checkThresholds(given: Given<LoadThresholds> = {}): LoadThresholds {
  if (typeof given !== 'object' || given === null) throw bad('heapThresholds must be an object')
  for (const key of Object.keys(given))
    if (!LOAD_THRESHOLDS.has(key)) throw bad(`heapThresholds has no option ${JSON.stringify(key)}`)
  const { refuseAt = DEFAULT_THRESHOLDS.refuseAt, shedAt = DEFAULT_THRESHOLDS.shedAt } = given
  const { margin = DEFAULT_THRESHOLDS.margin } = given
  if (!(margin >= 0 && margin < refuseAt && refuseAt <= shedAt && shedAt <= 1))
    throw bad('heapThresholds must be 0 <= margin < refuseAt <= shedAt <= 1')
  return { refuseAt, shedAt, margin }
}

function checkOrigins(origins: unknown): void {
  if (!Array.isArray(origins)) throw bad("origins must be a list, or '*'")
  for (const origin of origins as unknown[]) {
    if (typeof origin !== 'string' || !URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw bad(
        `an origin has the form https://host or https://host:port, and nothing after it, not ${JSON.stringify(origin)}`,
      )
    }
  }
}

function positive(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault
  if (!Number.isFinite(value) || value < 1) throw bad(`${name} must be a number of 1 or more, not ${String(value)}`)
  return value
}

const MAX_DRAIN_MS = 24 * 60 * 60 * 1_000

/** @throws PidmeshError `ERR_BAD_OPTION` if one is no number of milliseconds up to a day */
export function checkDrain(times: { readonly [option: string]: number }): void {
  for (const [option, ms] of Object.entries(times))
    if (!(ms >= 0 && ms <= MAX_DRAIN_MS))
      throw bad(`${option} must be a number of milliseconds from 0 to ${MAX_DRAIN_MS}`)
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
