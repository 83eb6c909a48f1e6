/**
 * Who gets a socket.
 *
 *   upgrade ─▶ path ─▶ origin ─▶ token not in the URL ─▶ limits ─▶ authenticate ─▶ limits again ─▶ socket
 *
 * A client that speaks a protocol with a hello may come without a token: it is asked for it then (connection.ts). Everybody else is somebody before there is a socket.
 *
 * State: how many sockets there are, how many for each address, of how many it isn't known who they are, of each address, too.
 */
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger, RateLimitedLog } from '@pidmesh/runtime'
import { WebSocketServer, type Server } from 'ws'
import type { AuthenticationFailure } from './authentication.ts'
import { AddressCounts, limitKey } from './client-address.ts'
import { offeredSubprotocols } from './credentials.ts'
import type { Codec, CodecName } from './codec/codec.ts'
import { chooseProtocol, createCodecs, PROTOCOLS } from './codec/protocols.ts'
import { CLOSE_GRACE_MS, type Connection } from './connection.ts'
import type { Counters } from './counters.ts'
import { GatewaySocket } from './gateway-socket.ts'
import type { CheckedGatewayOptions, UpgradeRequest } from './options.ts'
import type { Identity } from './principal.ts'
import { isOriginAllowed, parseUpgrade, pathOf, refuse, shownAddress, urlOf, type Refusal } from './upgrade.ts'

/** An upgrade that no listener of a shared server takes is cut off after so long. */
const UNCLAIMED_MS = 5_000
/** Of those that are being authenticated an address may have this share: a single one that says nothing must not keep all others out. */
const STRANGERS_SHARE = 0.25
const FULL: Refusal = { status: 503, text: 'too many connections', retryAfterS: 5 }
const UNKNOWN_SUBPROTOCOL: Refusal = {
  status: 400,
  text: `no token, and none of the subprotocols: ${PROTOCOLS.map(({ subprotocol }) => subprotocol).join(', ')}`,
}

export interface Admitted {
  readonly socket: GatewaySocket
  readonly stream: Duplex
  readonly codec: Codec
  readonly request: UpgradeRequest
  readonly identity: Identity<unknown> | undefined
}

export interface DoorComponents {
  readonly options: Pick<
    CheckedGatewayOptions<never, never, never>,
    | 'path'
    | 'origins'
    | 'tokens'
    | 'trustedProxies'
    | 'maxConnections'
    | 'maxConnectionsPerAddress'
    | 'maxAuthenticating'
    | 'maxPayloadBytes'
    | 'compression'
  >
  readonly counters: Counters
  readonly log: Logger
  readonly faults: RateLimitedLog
  /** For what is hardly ever wrong but in a new deployment. */
  readonly seldom: Pick<Logger, 'warn'>
  /** Why nobody comes in, if nobody does. */
  readonly whyClosed: () => string | undefined
  readonly isOverloaded: () => boolean
  readonly authenticate: (request: UpgradeRequest) => Promise<Identity<unknown> | AuthenticationFailure>
  readonly enter: (admitted: Admitted) => void
}

/** RFC 6455, 4.4, and RFC 9110, 15.5.6. */
const NOT_OF_WEBSOCKET = ['Sec-WebSocket-Version: 13, 8', 'Allow: GET']

/** Who has passed, and has no socket yet. */
interface Visitor {
  readonly request: UpgradeRequest
  readonly codec: Codec
  readonly identity: Identity<unknown> | undefined
}

export class Door {
  private readonly components: DoorComponents
  private readonly webSockets: Server<typeof GatewaySocket, typeof IncomingMessage>
  private readonly codecs: Readonly<Record<CodecName, Codec>> = createCodecs()
  private readonly addresses: AddressCounts
  private readonly strangers: AddressCounts

  constructor(components: DoorComponents) {
    this.components = components
    const { maxConnections, maxConnectionsPerAddress, maxAuthenticating } = components.options
    const { maxPayloadBytes, compression } = components.options
    this.addresses = new AddressCounts({ maxPerAddress: maxConnectionsPerAddress, maxAddresses: maxConnections })
    // Who lets an address have more connections than are authenticated at once means that all come from one: that of a proxy, or of a test.
    const share = maxConnectionsPerAddress > maxAuthenticating ? 1 : STRANGERS_SHARE
    this.strangers = new AddressCounts({
      maxPerAddress: Math.ceil(maxAuthenticating * share),
      maxAddresses: maxAuthenticating,
    })
    this.webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      WebSocket: GatewaySocket,
      maxPayload: maxPayloadBytes,
      ...LINGER,
      // Those of one message are kept until it is whole, and cost far more than their bytes.
      maxFragments: MAX_FRAGMENTS,
      // Without a context that is kept from message to message: it costs 300 KB a socket.
      perMessageDeflate: compression ? { serverNoContextTakeover: true, clientNoContextTakeover: true } : false,
      handleProtocols: (_offered, { headers }) =>
        chooseProtocol(offeredSubprotocols(headers['sec-websocket-protocol'])).subprotocol ?? false,
    })
    // What is no upgrade of WebSocket `ws` would refuse by itself, and nobody would count it.
    this.webSockets.on('wsClientError', ({ message }, stream, { method }) =>
      this.refuse(stream, { status: method === 'GET' ? 400 : 405, text: message, headers: NOT_OF_WEBSOCKET }),
    )
  }

  /** @param isShared others listen for upgrades of the same server, too */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, isShared: boolean): void {
    // Before anything else: a client that is gone already must not take the node with it.
    socket.on('error', destroyIt)
    const url = urlOf(request)
    // On a server of the user's another path may be another listener's; one that nobody takes must not stay for ever. (`ws` ends the timeout.)
    if (pathOf(request) !== this.components.options.path && isShared) {
      if (socket instanceof Socket) socket.setTimeout(UNCLAIMED_MS, () => socket.destroy())
      return
    }
    this.admit(request, url, socket).then(
      (verdict) => this.answer(verdict, request, socket, head),
      () => this.refuse(socket, { status: 503, text: 'not now' }),
    )
  }

  /** Who has the connection is known from now on. */
  identified(connection: Connection): void {
    if (connection.isUnauthenticated) this.strangerLeft(limitKey(connection.address))
  }

  left(connection: Connection): void {
    const { counters } = this.components
    counters.connections--
    this.addresses.leave(limitKey(connection.address))
    if (connection.isUnauthenticated) this.strangerLeft(limitKey(connection.address))
  }

  /** One of this address of whom it isn't known yet who he is. */
  private strangerCame(address: string): void {
    this.components.counters.unauthenticated++
    this.strangers.enter(address)
  }

  private strangerLeft(address: string): void {
    this.components.counters.unauthenticated--
    this.strangers.leave(address)
  }

  private answer(verdict: Refusal | Visitor, request: IncomingMessage, stream: Duplex, head: Buffer): void {
    // Again, and here: others may have come in while this one was authenticated, at the same moment even.
    const refusal = 'status' in verdict ? verdict : this.whyFull(verdict.request, verdict.identity === undefined)
    if (refusal !== undefined) {
      this.refuse(stream, refusal)
      return
    }
    const visitor = verdict as Visitor
    // What the session sends at once goes out with the answer: its writer ends this (socket-writer.ts). An answer that is a refusal ends the stream, and this too.
    stream.cork()
    this.upgrade(visitor, request, stream, head)
  }

  private upgrade(visitor: Visitor, request: IncomingMessage, stream: Duplex, head: Buffer): void {
    try {
      this.webSockets.handleUpgrade(request, stream, head, (socket) => {
        const { counters, enter } = this.components
        // The WebSocket looks after its stream.
        stream.off('error', destroyIt)
        counters.connections++
        this.addresses.enter(limitKey(visitor.request.remoteAddress))
        if (visitor.identity === undefined) this.strangerCame(limitKey(visitor.request.remoteAddress))
        enter({ socket, stream, ...visitor })
      })
    } catch (thrown) {
      // Whose it is now has to go on with it: a WebSocketServer that was given the same server and no path takes them all.
      stream.uncork()
      this.components.faults.error({ problem: String(thrown) }, 'another listener of the server has taken an upgrade')
    }
  }

  private async admit(request: IncomingMessage, url: URL | undefined, socket: Duplex): Promise<Refusal | Visitor> {
    const { options, whyClosed, authenticate, seldom } = this.components
    if (url === undefined) return { status: 400, text: 'malformed request' }
    if (pathOf(request) !== options.path) return { status: 404, text: 'no WebSocket here' }
    const { origin, host } = request.headers
    if (!isOriginAllowed(origin, host, options.origins)) {
      // Browsers tell the page nothing of it.
      seldom.warn(
        { origin: shownAddress(origin), host: shownAddress(host) },
        'a page may not connect for its origin: if it is yours, list that in `origins`',
      )
      return { status: 403, text: 'this origin is not allowed' }
    }
    const closed = whyClosed()
    if (closed !== undefined) return { status: 503, text: closed, retryAfterS: 1 }
    const parsed = parseUpgrade(request, url, options)
    if ('status' in parsed) return parsed
    const full = this.whyFull(parsed, true)
    if (full !== undefined) return full
    const offered = offeredSubprotocols(request.headers['sec-websocket-protocol'])
    const codec = this.codecs[chooseProtocol(offered).codec]
    const address = limitKey(parsed.remoteAddress)
    this.strangerCame(address)
    const identity = await authenticate(parsed).finally(() => this.strangerLeft(address))
    if (typeof identity !== 'string') return { request: parsed, codec, identity }
    if (identity === 'timeout') return { status: 408, text: 'authentication took too long' }
    if (identity === 'failed') return { status: 503, text: 'authentication is not possible now', retryAfterS: 5 }
    if (parsed.token !== undefined || socket.destroyed) return { status: 401, text: 'not authenticated' }
    // It would say who it is in its first message, if it spoke a subprotocol that has one.
    if (codec.name === 'bare')
      return offered.length > 0 ? UNKNOWN_SUBPROTOCOL : { status: 401, text: 'not authenticated' }
    return { request: parsed, codec, identity: undefined }
  }

  private whyFull({ remoteAddress }: UpgradeRequest, isStranger: boolean): Refusal | undefined {
    const { options, counters, isOverloaded } = this.components
    const address = limitKey(remoteAddress)
    if (counters.connections >= options.maxConnections) return FULL
    if (isOverloaded()) return { ...FULL, text: 'too much to do' }
    if (isStranger && counters.unauthenticated >= options.maxAuthenticating)
      return { ...FULL, text: 'too many connections are being authenticated' }
    if (this.addresses.isFull(address)) return { status: 429, text: 'too many connections from this address' }
    if (isStranger && this.strangers.isFull(address))
      return { status: 429, text: 'too many connections from this address are being authenticated', retryAfterS: 1 }
    return undefined
  }

  private refuse(socket: Duplex, refusal: Refusal): void {
    const { counters, log } = this.components
    counters.countRefused(refusal.status)
    log.debug({ status: refusal.status, why: refusal.text }, 'an upgrade was refused')
    refuse(socket, refusal)
  }
}

/** Not a closure: it stays on the socket, and would keep all that the upgrade has come with. */
function destroyIt(this: Duplex): void {
  this.destroy()
}

/** How long a connection may linger after its close frame: `ws` would give it 30 s. Its types don't know the option. */
const LINGER = { closeTimeout: CLOSE_GRACE_MS }

/** One-byte fragments of a message of 64 KiB would be 65,536. */
const MAX_FRAGMENTS = 1_024
