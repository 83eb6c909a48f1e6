/**
 * The options of a gateway: checked once, with every default in one place.
 */
import type { IncomingHttpHeaders, Server } from 'node:http'
import { PidmeshError, type Awaitable, type Via } from '@pidmesh/runtime'
import type { MessageSchema } from './codec.ts'
import type { HeartbeatOptions } from './heartbeat.ts'
import { SocketSession, type SessionClass } from './session.ts'

/** What is known of a client before it has a socket. */
export interface UpgradeRequest {
  readonly url: URL
  readonly headers: IncomingHttpHeaders
  readonly remoteAddress: string
}

export interface GatewayOptions<ClientMessage, ServerMessage, Principal> {
  /** Where sessions register their names. */
  readonly names: Via
  /** The class of the sessions: one instance, and one process, for each socket. */
  readonly session: SessionClass<ClientMessage, ServerMessage, Principal>
  /** Says who a client is: `undefined` or a throw refuses it with 401. A query token is in `url`, if you want that. */
  readonly authenticate: (request: UpgradeRequest) => Awaitable<NoInfer<Principal> | undefined>
  /** What clients may send, as any Standard Schema (zod, valibot, …); anything else closes with 4400. @default any JSON */
  readonly messages?: MessageSchema<ClientMessage>

  /** The port to listen on; 0 lets the system choose. Give this or `server`. */
  readonly port?: number
  /** The address to listen on. @default '127.0.0.1' */
  readonly host?: string
  /** An HTTP server of yours, already listening or not: the gateway takes its upgrades for `path`, and leaves the rest. */
  readonly server?: Server
  /** @default '/ws' */
  readonly path?: string
  /** Which web pages may connect: origins such as `https://chat.example`, or '*' for all. @default pages of the same host; no Origin at all is accepted */
  readonly origins?: readonly string[] | '*'

  /** A larger message closes with 1009. @default 65536 */
  readonly maxPayloadBytes?: number
  /** Bytes that may wait for a client; more closes with 4008. @default 1048576 */
  readonly maxBufferedBytes?: number
  /** Messages of one client that may wait for its session; more waits in the socket, but for what was read in one
   * chunk of up to 64 KiB. @default 64 */
  readonly maxPendingMessages?: number
  /** Further sockets are refused with 503. @default 100000 */
  readonly maxConnections?: number
  /** Clients that may be authenticating at the same time; further ones are refused with 503. @default 1000 */
  readonly maxAuthenticating?: number
  /** @default 5000 */
  readonly authenticateTimeoutMs?: number
  /** `handleConnect` may take so long; then the socket is closed with 1011. @default 10000 */
  readonly connectTimeoutMs?: number
  /** A session whose socket is closed has so long to finish what it is at; then it is killed. @default 10000 */
  readonly sessionEndTimeoutMs?: number
  /** A client that was silent for so long is pinged. @default 25000 */
  readonly pingIntervalMs?: number
  /** A client that doesn't answer a ping for so long is closed with 4010. @default 10000 */
  readonly pingTimeoutMs?: number
}

export interface CheckedGatewayOptions<ClientMessage, ServerMessage, Principal> {
  readonly names: Via
  readonly session: SessionClass<ClientMessage, ServerMessage, Principal>
  readonly authenticate: (request: UpgradeRequest) => Awaitable<Principal | undefined>
  readonly messages: MessageSchema<ClientMessage> | undefined
  readonly listen: { readonly port: number; readonly host: string } | { readonly server: Server }
  readonly path: string
  readonly origins: readonly string[] | '*' | undefined
  readonly maxPayloadBytes: number
  readonly maxBufferedBytes: number
  readonly maxPendingMessages: number
  readonly maxConnections: number
  readonly maxAuthenticating: number
  readonly authenticateTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly sessionEndTimeoutMs: number
  readonly heartbeat: HeartbeatOptions
}

const KNOWN: ReadonlySet<string> = new Set<keyof GatewayOptions<never, never, never>>([
  'names',
  'session',
  'authenticate',
  'messages',
  'port',
  'host',
  'server',
  'path',
  'origins',
  'maxPayloadBytes',
  'maxBufferedBytes',
  'maxPendingMessages',
  'maxConnections',
  'maxAuthenticating',
  'authenticateTimeoutMs',
  'connectTimeoutMs',
  'sessionEndTimeoutMs',
  'pingIntervalMs',
  'pingTimeoutMs',
])

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkGatewayOptions<C, S, P>(options: GatewayOptions<C, S, P>): CheckedGatewayOptions<C, S, P> {
  for (const key of Object.keys(options)) if (!KNOWN.has(key)) throw bad(`unknown option ${JSON.stringify(key)}`)
  const { names, session, authenticate, messages, port, host = '127.0.0.1', server, path = '/ws', origins } = options
  if (typeof authenticate !== 'function') throw bad('authenticate must be a function')
  if (typeof session !== 'function' || !(session.prototype instanceof SocketSession)) {
    throw bad('session must be a class that extends SocketSession')
  }
  for (const method of ['registerName', 'send', 'whereisName'] as const) {
    if (typeof names?.[method] !== 'function') throw bad('names must be a Via, such as GlobalEts')
  }
  if (messages !== undefined && typeof messages['~standard']?.validate !== 'function')
    throw bad('messages must be a Standard Schema')
  if (origins !== undefined && origins !== '*') checkOrigins(origins)
  if ((port === undefined) === (server === undefined)) throw bad('give either port or server')
  if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65_535))
    throw bad(`port must be an integer from 0 to 65535, not ${String(port)}`)
  if (typeof path !== 'string' || !path.startsWith('/')) throw bad('path must begin with /')
  return {
    names,
    session,
    authenticate,
    messages,
    listen: server !== undefined ? { server } : { port: port ?? 0, host },
    path,
    origins,
    maxPayloadBytes: positive('maxPayloadBytes', options.maxPayloadBytes, 64 * 1024),
    maxBufferedBytes: positive('maxBufferedBytes', options.maxBufferedBytes, 1024 * 1024),
    maxPendingMessages: positive('maxPendingMessages', options.maxPendingMessages, 64),
    maxConnections: positive('maxConnections', options.maxConnections, 100_000),
    maxAuthenticating: positive('maxAuthenticating', options.maxAuthenticating, 1_000),
    authenticateTimeoutMs: positive('authenticateTimeoutMs', options.authenticateTimeoutMs, 5_000),
    connectTimeoutMs: positive('connectTimeoutMs', options.connectTimeoutMs, 10_000),
    sessionEndTimeoutMs: positive('sessionEndTimeoutMs', options.sessionEndTimeoutMs, 10_000),
    heartbeat: {
      pingIntervalMs: positive('pingIntervalMs', options.pingIntervalMs, 25_000),
      pingTimeoutMs: positive('pingTimeoutMs', options.pingTimeoutMs, 10_000),
    },
  }
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

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
