/**
 * The nodes that this node is connected to: who is let in, who comes up, who goes down. At most one connection a node.
 *
 *   transport ─ accept ─▶ Connection ─ handshake ─▶ admit? ─▶ Peer ─▶ onUp
 *   dialer ─── dial ────▶ Connection ─ handshake ─▶ admit? ─▶ Peer ─▶ onUp
 *                                                              └─ ends ─▶ onDown ─▶ dialer tries again
 *
 * Admission, when a node of a name that is connected already proves that it knows the cookie: a connection that was heard a moment ago stands, and
 * the new one is refused; one that was not is half-open or dead: it goes down and the new one takes its place. When both sides dial at the same
 * time the dial of the node with the greater name wins, as in Erlang.
 */
import type { NodeIdentity, NodeName } from '../ids.ts'
import type { NodeDownReason } from '../messages.ts'
import type { Clock, Link, LinkEvents, Logger, Random, TimerHandle, Transport } from '../ports.ts'
import type { RemoteNode } from '../signals/remote-node.ts'
import type { Signal } from '../signals/signal.ts'
import type { FrameCodec } from '../wire/codec.ts'
import type { PeerAddress } from '../wire/frame.ts'
import { Connection, type ConnectFailure } from './connection.ts'
import { Dialer } from './dialer.ts'
import { NONCE_BYTES, type HandshakeConfig, type RefusalCode } from './handshake.ts'
import { lookMs, type LivenessOptions } from './liveness.ts'
import { Peer, type PeerLimits } from './peer.ts'

/**
 * Connections from others that may be in their handshake at the same time. One more closes the oldest: a handshake takes milliseconds, and who leaves his lying about must
 * not keep newcomers out.
 */
const MAX_HANDSHAKES = 256

export interface PeersOptions {
  readonly self: NodeIdentity
  /** See `HandshakeConfig`. */
  readonly cookies: readonly [string, ...string[]]
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly transport: Transport
  readonly codec: FrameCodec
  readonly liveness: LivenessOptions
  readonly limits: PeerLimits
  readonly handshakeTimeoutMs: number
  readonly backoffMs: { readonly first: number; readonly most: number }
  readonly wantFlush: () => void
  readonly onSignal: (remote: RemoteNode, signal: Signal) => void
  readonly onUp: (peer: Peer) => void
  /** Everything of the connection is over: links, monitors and then node monitors are to be told. */
  readonly onDown: (peer: Peer, reason: NodeDownReason) => void
}

export class Peers {
  private readonly options: PeersOptions
  private readonly dialer: Dialer
  private readonly byName = new Map<NodeName, Peer>()
  private readonly handshaking = new Set<Connection>()
  /** Those of them that others have made, the oldest first. */
  private readonly accepting = new Set<Connection>()
  private advertised = ''
  private lookTimer: TimerHandle | undefined = undefined
  private stopped = false

  constructor(options: PeersOptions) {
    this.options = options
    this.dialer = new Dialer({
      clock: options.clock,
      random: options.random,
      log: options.log,
      backoffMs: options.backoffMs,
      isConnected: (node) => this.byName.has(node),
      dial: (address, onFailed, onUp) => this.dial(address, onFailed, onUp),
    })
  }

  /** `host:port` at which others reach this node. */
  get address(): string {
    return this.advertised
  }

  find(node: NodeName): Peer | undefined {
    return this.byName.get(node)
  }

  connected(): NodeName[] {
    return [...this.byName.keys()].sort()
  }

  /** `advertise` makes the address that others dial from the one that is listened on. */
  async listen(address: string, advertise: (address: string) => string): Promise<void> {
    this.advertised = advertise(await this.options.transport.listen(address, (link) => this.accept(link)))
    this.options.log.info({ address: this.advertised }, 'node is listening')
    this.scheduleLook()
  }

  /** Resolves when each seed's first attempt has ended, with those that failed. Goes on dialing. */
  async dialSeeds(
    addresses: readonly string[],
  ): Promise<Array<{ readonly address: string; readonly failure: ConnectFailure }>> {
    const others = addresses.filter((address) => address !== this.advertised)
    const outcomes = await Promise.all(
      others.map(async (address) => ({ address, failure: await this.dialer.addSeed(address) })),
    )
    return outcomes.flatMap(({ address, failure }) => (failure === undefined ? [] : [{ address, failure }]))
  }

  /** The addresses that discovery lists now, all of them. */
  list(addresses: ReadonlySet<string>): void {
    this.dialer.list(new Set([...addresses].filter((address) => address !== this.advertised)))
  }

  /** Ends the connection on purpose: neither side dials the other again by itself. Says whether there was one. */
  disconnect(node: NodeName): boolean {
    const peer = this.byName.get(node)
    if (peer === undefined) return false
    peer.flush()
    peer.tell({ type: 'goodbye', reason: 'disconnect' })
    peer.down('disconnect')
    return true
  }

  /** Connects to a node that is known, if it isn't connected. Resolves with whether it is connected then. */
  connect(node: NodeName): Promise<boolean> {
    return this.byName.has(node) ? Promise.resolve(true) : this.dialer.redial(node)
  }

  flush(): void {
    for (const peer of [...this.byName.values()]) peer.flush()
  }

  /** Says goodbye to all and lets go of everything. */
  async stop(): Promise<void> {
    this.stopped = true
    this.lookTimer?.cancel()
    this.dialer.stop()
    for (const connection of [...this.handshaking]) connection.close()
    for (const peer of [...this.byName.values()]) {
      peer.flush()
      peer.tell({ type: 'goodbye', reason: 'shutdown' })
      peer.down('shutdown')
    }
    await this.options.transport.stop()
  }

  private dial(
    address: string,
    onFailed: (failure: ConnectFailure) => void,
    onUp: (node: NodeName) => void,
  ): Connection {
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

  private accept(link: Link): LinkEvents {
    const connection = this.connection('listener', (failure) => this.onAcceptFailed(link, failure))
    connection.open(link)
    this.accepting.add(connection)
    if (this.stopped) this.letGo(connection)
    const [oldest] = this.accepting
    if (oldest !== undefined && this.accepting.size > MAX_HANDSHAKES) this.letGo(oldest)
    return connection
  }

  /** Closes a connection in its handshake. */
  private letGo(connection: Connection): void {
    this.handshaking.delete(connection)
    this.accepting.delete(connection)
    connection.close()
  }

  private connection(
    role: 'dialer' | 'listener',
    onFailed: (failure: ConnectFailure) => void,
    onUp?: (node: NodeName) => void,
  ): Connection {
    const { self, cookies, random, codec, clock, handshakeTimeoutMs } = this.options
    const config: HandshakeConfig = {
      self,
      cookies,
      nonce: random.bytes(NONCE_BYTES),
      address: this.advertised,
      isConnected: (peer) => this.isConnected(peer),
      admit: (peer) => (connection.isCertified(peer.name) ? this.admit(peer, role) : 'bad_certificate'),
    }
    const connection: Connection = new Connection({
      role,
      config,
      codec,
      clock,
      handshakeTimeoutMs,
      onUp: (made, identity, address) => {
        this.handshaking.delete(made)
        this.accepting.delete(made)
        const peer = this.addPeer(made, identity, address)
        onUp?.(identity.name)
        return peer
      },
      onFailed: (made, failure) => {
        this.handshaking.delete(made)
        this.accepting.delete(made)
        onFailed(failure)
      },
    })
    this.handshaking.add(connection)
    return connection
  }

  private admit(peer: NodeIdentity, role: 'dialer' | 'listener'): RefusalCode | 'admit' {
    const existing = this.byName.get(peer.name)
    if (existing !== undefined) {
      if (this.isHeard(existing))
        return existing.identity.incarnation === peer.incarnation ? 'already_connected' : 'duplicate_name'
    }
    const weDial = role === 'listener' && this.dialer.isDialing(peer.name)
    if (weDial && this.options.self.name > peer.name) return 'simultaneous'
    existing?.down('connection_closed')
    return 'admit'
  }

  private isConnected({ name, incarnation }: NodeIdentity): boolean {
    const existing = this.byName.get(name)
    return existing !== undefined && existing.identity.incarnation === incarnation && this.isHeard(existing)
  }

  /** A connection that was not heard for longer than a tick and a half may be half-open. */
  private isHeard(peer: Peer): boolean {
    return peer.silentForMs < this.options.liveness.tickMs * 1.5
  }

  private addPeer(connection: Connection, identity: NodeIdentity, address: string): Peer {
    const { clock, log, liveness, limits, wantFlush, onSignal, onUp } = this.options
    const others: PeerAddress[] = [...this.byName.values()].map((peer) => ({
      name: peer.identity.name,
      address: peer.address,
    }))
    const peer = new Peer({
      identity,
      address,
      connection,
      clock,
      log,
      liveness,
      limits,
      events: {
        wantFlush,
        onSignal,
        onPeers: (peers) => this.learn(peers),
        onDown: (ended, reason) => this.onPeerDown(ended, reason),
      },
    })
    this.byName.set(identity.name, peer)
    this.dialer.release(identity.name)
    log.info({ peer: identity.name, address }, 'node up')
    onUp(peer)
    if (others.length > 0) peer.tell({ type: 'peers', peers: others })
    // Whoever dialed, each side remembers the other's address: after a break either may be the first to come back.
    this.dialer.learn({ name: identity.name, address })
    return peer
  }

  private onPeerDown(peer: Peer, reason: NodeDownReason): void {
    if (this.byName.get(peer.identity.name) === peer) this.byName.delete(peer.identity.name)
    this.options.log.info({ peer: peer.identity.name, reason }, 'node down')
    this.options.onDown(peer, reason)
    if (reason === 'disconnect') this.dialer.hold(peer.identity.name)
    else if (!this.stopped) this.dialer.onDown(peer.identity.name)
  }

  private learn(peers: readonly PeerAddress[]): void {
    for (const peer of peers) if (peer.name !== this.options.self.name) this.dialer.learn(peer)
  }

  private onAcceptFailed(link: Link, failure: ConnectFailure): void {
    const expected = failure.type === 'refused' && ['already_connected', 'simultaneous', 'self'].includes(failure.code)
    const fields = { from: link.remoteAddress, ...failure }
    if (expected || failure.type === 'unreachable') this.options.log.debug(fields, 'connection not made')
    else this.options.log.warn(fields, 'connection not made')
  }

  private scheduleLook(): void {
    this.lookTimer = this.options.clock.setTimer(lookMs(this.options.liveness), () => {
      this.scheduleLook()
      for (const peer of [...this.byName.values()]) peer.look()
    })
  }
}
