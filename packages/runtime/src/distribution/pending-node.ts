/**
 * A node that is being dialed because something is to be sent to it: takes signals, links and monitors in the meantime, as a connected one does.
 *
 *   router ─ signal ─▶ PendingNode ─▶ queue of its Approach ─ up ──▶ the peer gets all of it, in order
 *                                                           └ not ─▶ noconnection for each link and monitor; messages are dropped
 *
 * A pid is of one life of its node, and which life will be found there isn't known yet: there is one pending node for each life that is asked for, and one for
 * whoever it is, by name. All share one queue, so that a sender's signals keep their order.
 */
import type { NodeIdentity, NodeName } from '../ids.ts'
import { RemoteRelations, type RemoteNode } from '../signals/remote-node.ts'
import type { SendStatus, SentStatus, Signal } from '../signals/signal.ts'

/** What a signal takes beside its payload, about. */
const SIGNAL_BYTES = 64
/** Of a node of whatever life. */
const ANY_LIFE = 0

export interface ApproachLimits {
  /** Bytes above which `send` says `busy`. */
  readonly busyBytes: number
  /** Bytes above which the rest is dropped: `noconnection`. */
  readonly limitBytes: number
}

/** Why nothing comes of it: no connection, or a connection to another life of the node. */
export type ApproachEnd = 'noconnection' | 'noproc'

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

/** All that waits for the connection to one node. */
export class Approach {
  private readonly name: NodeName
  private readonly limits: ApproachLimits
  private readonly byLife = new Map<number, PendingNode>()
  private queue: Array<{ readonly to: PendingNode; readonly signal: Signal }> = []
  private waiting: Array<(status: SentStatus) => void> = []
  private waitingBytes = 0

  constructor(name: NodeName, limits: ApproachLimits) {
    this.name = name
    this.limits = limits
  }

  get bytes(): number {
    return this.waitingBytes
  }

  /** Without an incarnation: whoever has the name. */
  node(incarnation: number = ANY_LIFE): PendingNode {
    let node = this.byLife.get(incarnation)
    if (node === undefined) {
      node = new PendingNode({ name: this.name, incarnation }, this)
      this.byLife.set(incarnation, node)
    }
    return node
  }

  signal(to: PendingNode, signal: Signal): SendStatus {
    const bytes = SIGNAL_BYTES + ('payload' in signal ? signal.payload.end - signal.payload.start : 0)
    if (this.waitingBytes + bytes > this.limits.limitBytes) return 'noconnection'
    this.queue.push({ to, signal })
    this.waitingBytes += bytes
    return this.waitingBytes > this.limits.busyBytes ? 'busy' : 'ok'
  }

  drained(): Promise<SentStatus> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  /** There is a connection: `remote` takes over. `onEnd` is told of what was meant for other lives of the node. */
  handOver(remote: RemoteNode, onEnd: (node: PendingNode, end: ApproachEnd) => void): void {
    const { queue, waiting } = this
    this.queue = []
    this.waiting = []
    const isMeant = ({ identity }: PendingNode): boolean =>
      identity.incarnation === ANY_LIFE || identity.incarnation === remote.identity.incarnation
    for (const node of this.byLife.values()) {
      if (isMeant(node)) adopt(remote, node)
      else onEnd(node, 'noproc')
    }
    for (const { to, signal } of queue) if (isMeant(to)) remote.signal(signal)
    for (const resolve of waiting) resolve('ok')
  }

  /** There will be no connection. */
  giveUp(onEnd: (node: PendingNode, end: ApproachEnd) => void): void {
    const { waiting } = this
    this.queue = []
    this.waiting = []
    for (const node of this.byLife.values()) onEnd(node, 'noconnection')
    for (const resolve of waiting) resolve('noconnection')
  }
}

function adopt(remote: RemoteNode, { relations }: PendingNode): void {
  for (const [key, link] of relations.links) {
    link.node = remote
    remote.relations.links.set(key, link)
  }
  for (const [ref, monitor] of relations.monitors) {
    monitor.remote = remote
    remote.relations.monitors.set(ref, monitor)
  }
  relations.links.clear()
  relations.monitors.clear()
}
