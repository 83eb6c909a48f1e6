/**
 * One node's part in a replicated table, without a process: its rows and their log, a view of each other node, and a feed to each.
 *
 *   own operations ─▶ table, log ─▶ feeds ─▶ messages to other nodes
 *   messages of other nodes ─▶ views ─▶ table
 *
 * Pure: events come in as method calls with the time, and what is to be done goes out as values. Invariants: I3 only what has come over the connection to o changes
 * the view of o; I6 after `nodeDown(o)` nothing of o is seen until a copy of it is whole again; I7 what an earlier connection or server has sent changes nothing.
 */
import { TermCodec, type NodeIdentity, type NodeName, type Pid } from '@pidmesh/runtime'
import { compareBy, policyName, type ConflictPolicy } from './conflict.ts'
import { Feed } from './feed.ts'
import { KeyWords, MAX_SHORT_KEY } from './key-words.ts'
import { OwnerLog } from './log.ts'
import { MetaBytes } from './meta-bytes.ts'
import { OpReader, type EncodedMeta } from './ops.ts'
import { PACE, type Pace } from './pace.ts'
import type { TableMessage } from './protocol.ts'
import { Allowance, type Quota } from './quota.ts'
import { Table, type TableWatcher } from './table.ts'
import { View, type Verdict, type ViewState } from './view.ts'

export interface ReplicaOptions {
  readonly self: NodeIdentity
  readonly kind: 'names' | 'groups'
  readonly policy: ConflictPolicy
  readonly prefixes: readonly string[]
  readonly quota: Quota
  /** Another one for each table that there ever is. */
  readonly life: number
  /** An odd number of 32 bits that nobody can guess. */
  readonly multiplier: number
  readonly watcher: TableWatcher
}

/** What a replica is like now. */
export interface ReplicaStats {
  /** Names or memberships that are seen. */
  readonly size: number
  /** Of processes of this node. */
  readonly own: number
  /** Rows that are held, seen or not. */
  readonly rowsHeld: number
  /** Operations that are kept for nodes that come back. 4 MiB at most. */
  readonly logBytes: number
  readonly nodes: readonly {
    readonly node: NodeName
    /** Of this node's copy: see docs/replication.md. */
    readonly state: ViewState
    readonly rows: number
    /** It takes what is sent to it more slowly than it comes about. */
    readonly isBusy: boolean
  }[]
}

export class Replica {
  readonly table: Table
  readonly log: OwnerLog
  readonly views: Map<NodeName, View> = new Map()
  readonly feeds: Map<NodeName, Feed> = new Map()
  readonly terms: TermCodec = new TermCodec()
  /** Another one may be set at any time. */
  pace: Pace = PACE
  private readonly options: ReplicaOptions
  private readonly reader = new OpReader(this.terms)
  private readonly metaBytes = new MetaBytes(this.terms)
  private snapshotId = 0
  /** Of the row of this node's own that is being changed. */
  private readonly key = new KeyWords()

  constructor(options: ReplicaOptions) {
    this.options = options
    const { self, kind, policy, prefixes, multiplier, watcher, life } = options
    this.table = new Table({ self, kind, compare: compareBy(policy), prefixes, multiplier, watcher })
    this.log = new OwnerLog(life)
  }

  /** What the tables of all nodes must have in common. */
  get policy(): string {
    return `${this.options.kind} ${policyName(this.options.policy)}`
  }

  get stats(): ReplicaStats {
    const { table, log, views, feeds } = this
    return {
      size: table.size,
      own: table.own.count,
      rowsHeld: table.rowsHeld,
      logBytes: log.ringBytes,
      nodes: [...views].map(([node, { state, copy }]) => ({
        node,
        state,
        rows: copy?.count ?? 0,
        isBusy: feeds.get(node)?.isWaiting === true,
      })),
    }
  }

  /** A row of this node's own. Its epoch is larger than all that were seen. */
  put(text: string, id: number, encoded: EncodedMeta): number {
    const { table, log } = this
    const key = this.key.set(text.length > MAX_SHORT_KEY ? detached(text) : text)
    const { meta, bytes, hash } = encoded
    this.metaBytes.keep(encoded)
    const epoch = table.epoch + 1
    const slot = table.put(table.own, { key, id, epoch, meta, metaHash: hash })
    // A policy of the user's has been asked meanwhile, which may have put others: so the key is read again.
    log.put(table.rows.readKey(slot, key), id, epoch, bytes)
    return slot
  }

  /** Takes a row of this node's own out. */
  remove(slot: number): void {
    const { table, log } = this
    log.remove(table.rows.readKey(slot, this.key), table.rows.idOf(slot), table.rows.epochOf(slot))
    table.removeRow(table.own, slot)
  }

  /** Other metadata for all rows of this node's own of a key and process. */
  change(slots: readonly number[], encoded: EncodedMeta): void {
    const { table, log } = this
    const { meta, bytes, hash } = encoded
    this.metaBytes.keep(encoded)
    const [first] = slots
    if (first === undefined) return
    log.change(table.rows.readKey(first, this.key), table.rows.idOf(first), bytes)
    for (const slot of slots) table.change(table.own, slot, { meta, metaHash: hash })
  }

  /** A process of this node has ended. Says whether anything of it was in the table. */
  release(id: number): boolean {
    const slots = this.table.rowsOfProcess(this.table.own, id)
    for (const slot of slots) this.remove(slot)
    return slots.length > 0
  }

  /** Nothing of this node's own is seen any more. */
  stop(): void {
    this.table.hide(this.table.own)
  }

  /** The view of a node, in this life of it. What is of an earlier life goes. */
  viewOf(owner: NodeIdentity, nowMs: number): View {
    const known = this.views.get(owner.name)
    if (known !== undefined && known.owner.incarnation === owner.incarnation) return known
    known?.drop()
    const { table, reader } = this
    const { maxRowsPerNode, maxOpsPerSecond } = this.options.quota
    const allowance = new Allowance(maxOpsPerSecond, nowMs)
    const view = new View(owner, { table, reader, allowance, maxRows: maxRowsPerNode })
    this.views.set(owner.name, view)
    return view
  }

  hello(from: Pid, to: NodeName, { isNew, lacks }: { readonly isNew: boolean; readonly lacks: boolean }): TableMessage {
    return { type: 'hello', from, isNew, lacks, policy: this.policy, knows: this.views.get(to)?.knows }
  }

  /** A hello: it is sent what it lacks, from now on. `from`: this node's server. Says whether the tables fit. */
  onHello(origin: NodeIdentity, hello: TableMessage & { type: 'hello' }, from: Pid, nowMs: number): boolean {
    if (hello.policy !== this.policy) return false
    this.viewOf(origin, nowMs).greet(hello.from)
    const feed = this.feeds.get(origin.name)
    // Greetings cross when a server starts while its node is being connected: all that it is to have is on its way already.
    if (!hello.isNew && !hello.lacks && feed?.server.equals(hello.from) === true) return true
    feed?.end()
    this.log.keep()
    const { table, log, metaBytes } = this
    const { chunkBytes } = this.pace
    const nextSnapshotId = (): number => ++this.snapshotId
    this.feeds.set(
      origin.name,
      new Feed(hello.from, hello.knows, { from, table, log, metaBytes, nextSnapshotId, chunkBytes }),
    )
    return true
  }

  /** A message of a server that has said hello. Of any other nothing is taken. */
  onMessage(origin: NodeIdentity, message: TableMessage, nowMs: number): Verdict {
    const view = this.views.get(origin.name)
    if (view?.server?.equals(message.from) !== true) return { type: 'nothing' }
    return view.onMessage(message, nowMs)
  }

  /** The node, its table server, or the connection is gone. Says whether something is kept of it. */
  gone(node: NodeName): boolean {
    this.feeds.get(node)?.end()
    this.feeds.delete(node)
    const view = this.views.get(node)
    view?.hide()
    if (view?.state === 'hidden') return true
    // Of nodes whose copy was never whole nothing is left either.
    this.views.delete(node)
    return false
  }

  /** It hasn't come back. */
  forget(node: NodeName): void {
    const view = this.views.get(node)
    if (view === undefined || view.server !== undefined) return
    view.drop()
    this.views.delete(node)
  }

  /** This node's table server is gone: what others say reaches nobody. */
  serverGone(): void {
    for (const node of [...this.views.keys()]) this.gone(node)
  }
}

/** A text of its own: V8 makes a part of a text a view of the whole, which is kept with it. A key is well-formed. */
function detached(text: string): string {
  return Buffer.from(text).toString()
}
