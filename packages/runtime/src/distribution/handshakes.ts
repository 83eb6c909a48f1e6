/**
 * The connections that are still in their handshake, those that we dial and those that others make: how many there may be, and what becomes of those that fail.
 *
 *   transport ─ accept ─▶ Connection ─ handshake ─▶ onUp
 *   dialer ─── dial ────▶ Connection ─ handshake ─▶ onUp
 *                                   └─ refused, too late, malformed ─▶ counted, logged, and the dialer is told
 *
 * Not here: who may connect (peers: `prove` and `admit`), when a node is dialed (dialer), what is said (handshake).
 */
import { hostOf } from '../address.ts'
import { assertNever } from '../assert-never.ts'
import type { NodeIdentity, NodeName } from '../ids.ts'
import type { Counters } from '../observe/counters.ts'
import { RateLimitedLog, type LogRate } from '../observe/rate-limited-log.ts'
import type { Clock, Link, LinkEvents, Logger, Random, Transport } from '../ports.ts'
import type { FrameCodec } from '../wire/codec.ts'
import type { ClaimedIdentity } from '../wire/frame.ts'
import { Connection, type ConnectFailure, type ConnectionSink } from './connection.ts'
import type { Cookies } from './cookies.ts'
import { NONCE_BYTES, PROTOCOL_VERSIONS, type HandshakeConfig, type Introduced, type RefusalCode } from './handshake.ts'

/**
 * Connections from others that may be in their handshake at the same time. One more closes the oldest: a handshake takes milliseconds, and who leaves his
 * lying about must not keep newcomers out.
 */
const MAX_HANDSHAKES = 256

/** Of what comes from one host, and to nothing for one reason: a node that can't be let in dials on, and gRPC twice each time. */
const STRANGER_RATE: LogRate = { lines: 1, windowMs: 10_000 }
/** Hosts and reasons that are told apart; the one that came first is forgotten. */
const MAX_STRANGERS = 256

export type Role = 'dialer' | 'listener'

export interface HandshakesOptions {
  readonly self: NodeIdentity
  readonly isHidden: boolean
  /** See `HandshakeConfig`. */
  readonly cookies: Cookies
  readonly tickMs: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly transport: Transport
  readonly codec: FrameCodec
  readonly counters: Counters
  readonly handshakeTimeoutMs: number
  readonly prove: (peer: ClaimedIdentity) => RefusalCode | 'prove'
  readonly admit: (peer: NodeIdentity, role: Role) => RefusalCode | 'admit'
  /** Who is there takes the frames from here on. */
  readonly onUp: (connection: Connection, peer: Introduced) => ConnectionSink
}

export class Handshakes {
  private readonly options: HandshakesOptions
  private readonly underWay = new Set<Connection>()
  /** Those of them that others have made, the oldest first. */
  private readonly accepted = new Set<Connection>()
  /** What strangers can cause by the thousand is logged by the hundred. */
  private readonly failures: RateLimitedLog
  private readonly evictions: RateLimitedLog
  private readonly strangers = new Map<string, RateLimitedLog>()
  private advertised = ''
  private stopped = false

  constructor(options: HandshakesOptions) {
    this.options = options
    this.failures = new RateLimitedLog(options.log, options.clock)
    this.evictions = new RateLimitedLog(options.log, options.clock)
  }

  /** `host:port` at which others reach this node. */
  get address(): string {
    return this.advertised
  }

  /** `advertise` makes the address that others dial from the one that is listened on. */
  async listen(address: string, advertise: (address: string) => string): Promise<void> {
    this.advertised = advertise(
      await this.options.transport.listen(
        address,
        (link) => this.accept(link),
        (from, detail) => this.onStranger(from, detail),
      ),
    )
  }

  dial(address: string, onFailed: (failure: ConnectFailure) => void, onUp: (node: NodeName) => void): Connection {
    const connection = this.connection('dialer', onFailed, onUp)
    let link: Link
    try {
      link = this.options.transport.dial(address, connection)
    } catch (error) {
      // An address that the transport can't read: as if nobody were there.
      const detail = error instanceof Error ? error.message : String(error)
      this.options.clock.setTimer(0, () => connection.onEnd({ type: 'unreachable', detail }))
      return connection
    }
    connection.open(link)
    return connection
  }

  stop(): void {
    this.stopped = true
    for (const connection of [...this.underWay]) connection.close()
  }

  private accept(link: Link): LinkEvents {
    const connection = this.connection('listener', (failure) => this.onAcceptFailed(link, failure))
    connection.open(link)
    this.accepted.add(connection)
    if (this.stopped) this.letGo(connection)
    const [oldest] = this.accepted
    if (oldest !== undefined && this.accepted.size > MAX_HANDSHAKES) this.evict(oldest)
    return connection
  }

  private evict(connection: Connection): void {
    this.options.counters.handshakesEvicted++
    this.evictions.warn(
      { from: connection.remoteAddress },
      'too many connections in their handshake: the oldest is closed',
    )
    this.letGo(connection)
  }

  /** Closes a connection in its handshake. */
  private letGo(connection: Connection): void {
    this.over(connection)
    connection.close()
  }

  /** Its handshake is. */
  private over(connection: Connection): void {
    this.underWay.delete(connection)
    this.accepted.delete(connection)
  }

  private connection(
    role: Role,
    onFailed: (failure: ConnectFailure) => void,
    onUp?: (node: NodeName) => void,
  ): Connection {
    const { self, isHidden, tickMs, cookies, random, codec, clock, handshakeTimeoutMs } = this.options
    const config: HandshakeConfig = {
      self,
      cookies,
      nonce: random.bytes(NONCE_BYTES),
      address: this.advertised,
      versions: PROTOCOL_VERSIONS,
      isHidden,
      tickMs,
      prove: this.options.prove,
      admit: (peer) => (connection.isCertified(peer.name) ? this.options.admit(peer, role) : 'bad_certificate'),
    }
    const connection: Connection = new Connection({
      role,
      config,
      codec,
      clock,
      handshakeTimeoutMs,
      onUp: (made, introduced) => {
        this.over(made)
        const sink = this.options.onUp(made, introduced)
        onUp?.(introduced.identity.name)
        return sink
      },
      onFailed: (made, failure) => {
        this.over(made)
        this.count(failure)
        onFailed(failure)
      },
    })
    this.underWay.add(connection)
    return connection
  }

  private count(failure: ConnectFailure): void {
    const { counters } = this.options
    switch (failure.type) {
      case 'refused':
        if (!isExpected(failure.code)) counters.handshakesRefused++
        return
      case 'handshake_timeout':
        counters.handshakesTimedOut++
        return
      case 'malformed':
      case 'no_node':
        counters.handshakesMalformed++
        return
      case 'unreachable':
        return
      default:
        assertNever(failure)
    }
  }

  private onStranger(from: string, detail: string | undefined): void {
    this.options.counters.handshakesMalformed++
    this.logOf(`${hostOf(from)} ${detail}`).warn(
      { from, ...(detail !== undefined && { detail }) },
      'a connection that is none of a node: are the transport and TLS the same on both sides?',
    )
  }

  private logOf(stranger: string): RateLimitedLog {
    const known = this.strangers.get(stranger)
    if (known !== undefined) return known
    const [oldest] = this.strangers.keys()
    if (oldest !== undefined && this.strangers.size >= MAX_STRANGERS) this.strangers.delete(oldest)
    const log = new RateLimitedLog(this.failures, this.options.clock, STRANGER_RATE)
    this.strangers.set(stranger, log)
    return log
  }

  private onAcceptFailed(link: Link, failure: ConnectFailure): void {
    const expected = failure.type === 'refused' && isExpected(failure.code)
    const fields = { from: link.remoteAddress, ...failure }
    if (expected || failure.type === 'unreachable') this.options.log.debug(fields, 'connection not made')
    else this.failures.warn(fields, 'connection not made')
  }
}

/** Two nodes that dial each other, or one that dials itself, are refused in the course of things. */
function isExpected(code: RefusalCode): boolean {
  return code === 'already_connected' || code === 'simultaneous' || code === 'self'
}
