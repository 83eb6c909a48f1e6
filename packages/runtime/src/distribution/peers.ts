/**
 * The nodes that this node is connected to: who is let in, who comes up, who goes down. At most one connection a node.
 *
 *   handshakes ─ admit? ─▶ Peer ─▶ onUp
 *                            └─ ends ─▶ onDown ─▶ dialer tries again
 *
 * Admission, when a node of a name that is connected already proves that it knows the cookie: a connection that was heard a moment ago stands, and
 * the new one is refused; one that was not is half-open or dead: it goes down and the new one takes its place. When both sides dial at the same
 * time the dial of the node with the greater name wins (ties).
 */
import { randomIdHash } from '../id-table.ts'
import type { NodeIdentity, NodeName } from '../ids.ts'
import type { NodeDownReason, NodeType } from '../messages.ts'
import type { Counters } from '../observe/counters.ts'
import type { BusyWait, Clock, Logger, Random, TimerHandle, Transport } from '../ports.ts'
import type { RemoteNode } from '../signals/remote-node.ts'
import type { Signal } from '../signals/signal.ts'
import type { FrameCodec } from '../wire/codec.ts'
import type { ClaimedIdentity, PeerAddress } from '../wire/frame.ts'
import type { Connection, ConnectFailure } from './connection.ts'
import type { Cookies } from './cookies.ts'
import { Dialer } from './dialer.ts'
import type { Introduced, RefusalCode } from './handshake.ts'
import { Handshakes, type Role } from './handshakes.ts'
import { lookMs, type LivenessOptions } from './liveness.ts'
import { Peer, type PeerLimits } from './peer.ts'
import { Ties } from './ties.ts'
import { Approach, type OnApproachEnd } from './pending-node.ts'

/** Somebody wanted it so. */
const MEANT: ReadonlySet<NodeDownReason> = new Set<NodeDownReason>(['shutdown', 'disconnect'])

/** We have ended the connection, though its other side may be well. */
const LOSING: ReadonlySet<NodeDownReason> = new Set<NodeDownReason>(['buffer_limit', 'no_progress', 'protocol_error'])

/** After a stall of our own: time for what stands in the sockets. */
const LATE_LOOK_MS = 1

export interface PeersOptions {
  readonly self: NodeIdentity
  readonly isHidden: boolean
  /** Dials each node that it is told of, and not only when something is sent to it. */
  readonly connectsAll: boolean
  /** See `HandshakeConfig`. */
  readonly cookies: Cookies
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly transport: Transport
  readonly busyWait: BusyWait | undefined
  readonly codec: FrameCodec
  readonly counters: Counters
  readonly liveness: LivenessOptions
  readonly limits: PeerLimits
  readonly handshakeTimeoutMs: number
  readonly backoffMs: { readonly first: number; readonly most: number }
  readonly wantFlush: () => void
  readonly onSignal: (remote: RemoteNode, signal: Signal) => void
  readonly onUp: (peer: Peer) => void
  /** Everything of the connection is over: links, monitors and then node monitors are to be told. */
  readonly onDown: (peer: Peer, reason: NodeDownReason) => void
  /** Nothing has come of dialing a node: links and monitors, and then node monitors are to be told. */
  readonly onUnreached: OnApproachEnd
}

export class Peers {
  private readonly options: PeersOptions
  private readonly dialer: Dialer
  private readonly handshakes: Handshakes
  private readonly byName = new Map<NodeName, Peer>()
  /** Nodes that are being dialed because something is to be sent to them. */
  private readonly approaches = new Map<NodeName, Approach>()
  private readonly ties = new Ties()
  /** Changes of connections that are being told, one within the other. */
  private changes = 0
  private lookTimer: TimerHandle | undefined = undefined
  private lateTimer: TimerHandle | undefined = undefined
  private stopped = false

  constructor(options: PeersOptions) {
    this.options = options
    this.handshakes = new Handshakes({
      ...options,
      tickMs: options.liveness.tickMs,
      prove: (peer) => this.prove(peer),
      admit: (peer, role) => this.admit(peer, role),
      onUp: (connection, introduced) => this.addPeer(connection, introduced),
    })
    this.dialer = new Dialer({
      clock: options.clock,
      random: options.random,
      log: options.log,
      backoffMs: options.backoffMs,
      dialsLearnt: options.connectsAll,
      isConnected: (node) => this.byName.has(node),
      dial: (address, onFailed, onUp) => this.handshakes.dial(address, onFailed, onUp),
    })
  }

  /** `host:port` at which others reach this node. */
  get address(): string {
    return this.handshakes.address
  }

  find(node: NodeName): Peer | undefined {
    return this.byName.get(node)
  }

  /** The node, if it is connected, or can be dialed now: then what is sent to it waits. */
  reach(node: NodeName, incarnation?: number): RemoteNode | undefined {
    return this.byName.get(node) ?? this.approach(node)?.node(incarnation)
  }

  /** Just now a connection begins or ends, or none has come about, and what that means for relations is not all told. */
  get isChanging(): boolean {
    return this.changes > 0
  }

  connected(type: NodeType | 'all'): NodeName[] {
    const peers = [...this.byName.values()].filter(({ isHidden }) => type === 'all' || isHidden === (type === 'hidden'))
    return peers.map((peer) => peer.identity.name).sort()
  }

  /** Bytes that wait to be sent, of all connections. */
  get bufferedBytes(): number {
    let bytes = 0
    for (const peer of this.byName.values()) bytes += peer.bufferedBytes
    for (const approach of this.approaches.values()) bytes += approach.bytes
    return bytes
  }

  /** Signals that have arrived and are not taken in yet, of all connections. */
  get waitingSignals(): number {
    let signals = 0
    for (const peer of this.byName.values()) signals += peer.waitingSignals
    return signals
  }

  /** `advertise` makes the address that others dial from the one that is listened on. */
  async listen(address: string, advertise: (address: string) => string): Promise<void> {
    await this.handshakes.listen(address, advertise)
    this.options.log.info({ address: this.address }, 'node is listening')
    this.scheduleLook()
  }

  /** Resolves when each seed's first attempt has ended, with those that failed. Goes on dialing. */
  async dialSeeds(
    addresses: readonly string[],
  ): Promise<Array<{ readonly address: string; readonly failure: ConnectFailure }>> {
    const others = addresses.filter((address) => address !== this.address)
    const outcomes = await Promise.all(
      others.map(async (address) => ({ address, failure: await this.dialer.addSeed(address) })),
    )
    return outcomes.flatMap(({ address, failure }) => (failure === undefined ? [] : [{ address, failure }]))
  }

  /** The addresses that discovery lists now, all of them. */
  list(addresses: ReadonlySet<string>): void {
    this.dialer.list(new Set([...addresses].filter((address) => address !== this.address)))
  }

  /** Ends the connection on purpose: neither side dials the other again by itself. Says whether there was one. */
  disconnect(node: NodeName): boolean {
    const peer = this.byName.get(node)
    if (peer === undefined) return false
    peer.leave('disconnect')
    return true
  }

  /** Connects to a node that is known, if it isn't connected. Resolves with whether it is connected then, as the node always is with itself. */
  connect(node: NodeName): Promise<boolean> {
    const isThere = this.byName.has(node) || node === this.options.self.name
    return isThere ? Promise.resolve(true) : this.dialer.redial(node)
  }

  flush(): void {
    // Of a node alone: each turn comes by here.
    if (this.byName.size === 0 && this.approaches.size === 0) return
    for (const peer of [...this.byName.values()]) peer.flush()
    for (const [node, approach] of this.approaches) if (approach.isFull) this.giveUp(node, approach)
  }

  /** Says goodbye to all and lets go of everything. */
  async stop(): Promise<void> {
    this.stopped = true
    this.lookTimer?.cancel()
    this.lateTimer?.cancel()
    this.dialer.stop()
    this.handshakes.stop()
    for (const peer of [...this.byName.values()]) peer.leave('shutdown')
    for (const [node, approach] of this.approaches) this.giveUp(node, approach)
    await this.options.transport.stop()
  }

  private admit(peer: NodeIdentity, role: Role): RefusalCode | 'admit' {
    const refusal = this.refusalOf(peer)
    if (refusal !== undefined) return refusal
    const weDial = role === 'listener' && this.dialer.isDialing(peer)
    if (
      weDial &&
      this.options.self.name > peer.name &&
      this.ties.isRefused(peer.name, this.options.clock.monotonicMs())
    )
      return 'simultaneous'
    this.byName.get(peer.name)?.down('connection_closed')
    return 'admit'
  }

  /** Of one whom a dial of ours has found. A node that is left alone may be at an address of which we don't know that it leads there. */
  private prove(peer: ClaimedIdentity): RefusalCode | 'prove' {
    return this.refusalOf(peer) ?? (this.dialer.isLeftAlone(peer.name) ? 'already_connected' : 'prove')
  }

  /** Why there can be no connection to the node now: there is one to the same name that stands. */
  private refusalOf({ name, incarnation }: ClaimedIdentity): RefusalCode | undefined {
    const existing = this.byName.get(name)
    if (existing === undefined || !this.isHeard(existing)) return undefined
    return existing.identity.incarnation === incarnation ? 'already_connected' : 'duplicate_name'
  }

  /** A connection that was not heard for longer than a tick and a half may be half-open. */
  private isHeard(peer: Peer): boolean {
    return peer.silentForMs < peer.tickMs * 1.5
  }

  private addPeer(connection: Connection, introduced: Introduced): Peer {
    const { codec, clock, busyWait, log, counters, liveness, limits, wantFlush, onSignal, onUp } = this.options
    const { identity, address } = introduced
    const visible = [...this.byName.values()].filter((peer) => !peer.isHidden)
    const others: PeerAddress[] = visible.map((peer) => ({ name: peer.identity.name, address: peer.address }))
    const peer = new Peer({
      introduced,
      connection,
      codec,
      clock,
      busyWait,
      log,
      counters,
      // Of two that tick differently the slower one says what is silence, on both sides.
      liveness: { ...liveness, tickMs: Math.max(liveness.tickMs, introduced.tickMs) },
      limits,
      idHash: randomIdHash(this.options.random),
      events: {
        wantFlush,
        onSignal,
        onPeers: (peers) => this.learn(peers),
        onDown: (ended, reason) => this.onPeerDown(ended, reason),
      },
    })
    this.change(() => {
      this.byName.set(identity.name, peer)
      this.ties.onUp(identity.name)
      // Whoever dialed, each side remembers the other's address: after a break either may be the first to come back.
      if (!peer.isHidden) this.dialer.learn({ name: identity.name, address })
      this.dialer.onUp({ name: identity.name, address })
      log.info({ peer: identity.name, address, version: introduced.version }, 'node up')
      onUp(peer)
      const approach = this.approaches.get(identity.name)
      this.approaches.delete(identity.name)
      // Whoever was told of it may have ended it already.
      if (this.byName.get(identity.name) === peer) approach?.handOver(peer, this.options.onUnreached)
      else approach?.giveUp(this.options.onUnreached)
    })
    if (this.byName.get(identity.name) !== peer) return peer
    // A hidden node is told to nobody, and told of nobody.
    if (others.length > 0 && !peer.isHidden && !this.options.isHidden) peer.tell({ type: 'peers', peers: others })
    // Where all connect with all the newcomer comes to them by itself.
    if (!this.options.connectsAll && !peer.isHidden && !this.options.isHidden)
      for (const other of visible) other.tell({ type: 'peers', peers: [{ name: identity.name, address }] })
    return peer
  }

  private onPeerDown(peer: Peer, reason: NodeDownReason): void {
    this.change(() => this.takeLeave(peer, reason))
    if (reason === 'disconnect') this.dialer.hold(peer.identity.name)
    else if (!this.stopped) this.dialer.onDown(peer.identity.name, reason === 'shutdown')
  }

  private takeLeave(peer: Peer, reason: NodeDownReason): void {
    if (this.byName.get(peer.identity.name) === peer) this.byName.delete(peer.identity.name)
    if (!MEANT.has(reason)) this.options.counters.connectionsLost++
    const fields = { peer: peer.identity.name, reason }
    const { log } = this.options
    if (MEANT.has(reason)) log.info(fields, 'node down')
    // What waited for it is lost.
    else log.warn(LOSING.has(reason) ? { ...fields, lostBytes: peer.bufferedBytes } : fields, 'node down')
    this.options.onDown(peer, reason)
  }

  private approach(node: NodeName): Approach | undefined {
    const known = this.approaches.get(node)
    if (known !== undefined || this.stopped || !this.dialer.canReach(node)) return known
    const { limits, codec, wantFlush } = this.options
    const approach = new Approach({ name: node, limits, writer: codec.signalWriter(), onFull: wantFlush })
    this.approaches.set(node, approach)
    void this.dialer.redial(node).then((isConnected) => {
      // If it is, it has been handed over.
      if (!isConnected) this.giveUp(node, approach)
    })
    return approach
  }

  private giveUp(node: NodeName, approach: Approach): void {
    if (this.approaches.get(node) !== approach) return
    this.change(() => {
      this.approaches.delete(node)
      approach.giveUp(this.options.onUnreached)
    })
  }

  private change(make: () => void): void {
    this.changes++
    try {
      make()
    } finally {
      this.changes--
    }
  }

  private learn(peers: readonly PeerAddress[]): void {
    if (this.options.isHidden) return
    for (const peer of peers) if (peer.name !== this.options.self.name) this.dialer.learn(peer)
  }

  /** Says whether another look is due as soon as what stands unread has been read. */
  private look(): boolean {
    let isLate = false
    for (const peer of [...this.byName.values()]) isLate = peer.look() || isLate
    return isLate
  }

  private scheduleLook(): void {
    this.lookTimer = this.options.clock.setTimer(lookMs(this.options.liveness), () => {
      this.scheduleLook()
      // Otherwise what stands in the sockets is still to be read: after a second stall, just behind the first, this timer and that one are due together.
      if (this.lateTimer === undefined) this.lookFairly()
    })
  }

  /** Judges nobody by what stands unread, however many stalls of our own there are. */
  private lookFairly(): void {
    if (!this.look()) return
    this.lateTimer = this.options.clock.setTimer(LATE_LOOK_MS, () => {
      this.lateTimer = undefined
      this.lookFairly()
    })
  }
}
