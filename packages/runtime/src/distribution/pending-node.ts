/**
 * A node that is being dialed because something is to be sent to it: takes signals, links and monitors in the meantime, as a connected one does.
 *
 *   router ─ signal ─▶ PendingNode ─▶ queue of its Approach ─ up ──▶ the peer gets all of it, in order
 *                                                           └ not ─▶ noconnection for each link and monitor; messages are dropped
 *
 * A pid is of one life of its node, and which life will be found there isn't known yet: there is one pending node for each life that is asked for, and one for
 * whoever it is, by name. All share one queue, so that a sender's signals keep their order.
 *
 * Invariant: all or nothing. An approach that has had to refuse a signal ends with the turn, and nothing of it arrives.
 */
import type { NodeIdentity, NodeName } from '../ids.ts'
import { RemoteRelations, type RemoteNode } from '../signals/remote-node.ts'
import type { SendStatus, SentStatus, Signal } from '../signals/signal.ts'
import type { SignalWriter } from '../wire/signal-writer.ts'
import type { Peer } from './peer.ts'

/** What a signal that waits takes beside its bytes, about. */
const ENTRY_BYTES = 128
/** Of a node of whatever life. */
const ANY_LIFE = 0

export interface ApproachLimits {
  /** Bytes above which `send` says `busy`. */
  readonly busyBytes: number
  /** Bytes above which nothing more is taken: `noconnection`. */
  readonly limitBytes: number
}

/** Why nothing comes of it: no connection, or a connection to another life of the node. */
export type ApproachEnd = 'noconnection' | 'noproc'

/** Is told of all lives at once, for which it is over: who watches the node is told last. */
export type OnApproachEnd = (lives: readonly PendingNode[], end: ApproachEnd) => void

export class PendingNode implements RemoteNode {
  readonly identity: NodeIdentity
  readonly relations: RemoteRelations = new RemoteRelations()
  private readonly approach: Approach

  constructor(identity: NodeIdentity, approach: Approach) {
    this.identity = identity
    this.approach = approach
  }

  signal(signal: Signal): SendStatus {
    return this.approach.signal(this, signal)
  }

  drained(): Promise<SentStatus> {
    return this.approach.drained()
  }
}

export interface ApproachOptions {
  readonly name: NodeName
  readonly limits: ApproachLimits
  readonly writer: SignalWriter
  /** It is full: a turn must come at whose end it is given up. */
  readonly onFull: () => void
}

/** A signal as bytes: what it was made of may change, and a payload is part of something larger. */
interface Queued {
  readonly to: PendingNode
  readonly from: number
  readonly data: Uint8Array
}

/** All that waits for the connection to one node. */
export class Approach {
  private readonly options: ApproachOptions
  private readonly byLife = new Map<number, PendingNode>()
  private readonly queue: Queued[] = []
  private readonly waiting: Array<(status: SentStatus) => void> = []
  private waitingBytes = 0
  private full = false

  constructor(options: ApproachOptions) {
    this.options = options
  }

  get bytes(): number {
    return this.waitingBytes
  }

  get isFull(): boolean {
    return this.full
  }

  /** Without an incarnation: whoever has the name. */
  node(incarnation: number = ANY_LIFE): PendingNode {
    let node = this.byLife.get(incarnation)
    if (node === undefined) {
      node = new PendingNode({ name: this.options.name, incarnation }, this)
      this.byLife.set(incarnation, node)
    }
    return node
  }

  signal(to: PendingNode, signal: Signal): SendStatus {
    if (this.full) return 'noconnection'
    const { writer, limits, onFull } = this.options
    const data = writer.takeFrom(writer.append(signal))
    this.queue.push({ to, from: signal.from, data })
    this.waitingBytes += ENTRY_BYTES + data.length
    if (this.waitingBytes <= limits.busyBytes) return 'ok'
    if (this.waitingBytes > limits.limitBytes) {
      this.full = true
      onFull()
    }
    return 'busy'
  }

  drained(): Promise<SentStatus> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** There is a connection: `peer` takes over. `onEnd` is told of what was meant for other lives of the node. */
  handOver(peer: Peer, onEnd: OnApproachEnd): void {
    const isMeant = ({ identity }: PendingNode): boolean =>
      identity.incarnation === ANY_LIFE || identity.incarnation === peer.identity.incarnation
    const nodes = [...this.byLife.values()]
    for (const node of nodes) if (isMeant(node)) adopt(peer, node)
    for (const { to, from, data } of this.queue) if (isMeant(to)) peer.signalData(from, data)
    // They are let go as all who wait for the connection.
    for (const resolve of this.waiting) void peer.drained().then(resolve)
    // Last: what is told may lead to more that is sent, which is to come after the rest.
    onEnd(
      nodes.filter((node) => !isMeant(node)),
      'noproc',
    )
  }

  /** There will be no connection. */
  giveUp(onEnd: OnApproachEnd): void {
    this.full = true
    onEnd([...this.byLife.values()], 'noconnection')
    for (const resolve of this.waiting) resolve('noconnection')
  }
}

function adopt(remote: RemoteNode, { relations }: PendingNode): void {
  for (const [key, link] of relations.links) {
    link.node = remote
    remote.relations.links.set(key, link)
  }
  for (const monitor of relations.monitors.values()) {
    monitor.remote = remote
    remote.relations.monitors.set(monitor.ref.id, monitor)
  }
  relations.links.clear()
  relations.monitors.clear()
}
