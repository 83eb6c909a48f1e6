/**
 * The table server: the shell around the table. One process a table and node, registered under the table's name, which speaks with its like on the
 * other nodes, watches the processes that have names here, and does what the table says.
 *
 *   GlobalEts ── table.register, … ─▶ requestFlush ─▶ end of turn: delta to all known servers
 *   nodeup ─▶ hello      hello ─▶ snapshot      DOWN of a server ─▶ its names go      DOWN of a process ─▶ its names go
 *
 * The table itself outlives the server: it belongs to the facade.
 */
import { GenServer, type NoReplyResult } from '@pidmesh/gen-server'
import {
  assertNever,
  hasType,
  isNodeName,
  Pid,
  type Context,
  type DownMessage,
  type NodeName,
  type NodeUpMessage,
  type Ref,
  type TimeoutMessage,
} from '@pidmesh/runtime'
import type { Claim } from './claim.ts'
import type { ConflictPolicy } from './conflict.ts'
import { CHUNK_LENGTH, isTableMessage, type TableMessage } from './protocol.ts'
import type { Defeat, Table } from './table.ts'

/** How long the loser of a clash that traps exits has to end by itself. */
const LOSER_GRACE_MS = 5_000

export interface TableServerOptions {
  readonly name: string
  readonly table: Table
  readonly policy: ConflictPolicy
  /** Processes that asked to be told of changes, by pid: like the table they outlive a server. */
  readonly watchers: Map<string, Pid>
  readonly nodes: () => readonly NodeName[]
  /** Gives the facade a way to act as the server. */
  readonly onReady: (server: TableServer) => void
}

/** Chunks of a snapshot that are sent in one turn at most. */
const CHUNKS_PER_TURN = 8
/** A snapshot goes on so much later, when the connection was busy. */
const BUSY_PAUSE_MS = 20

/** The names as they were when the snapshot began; what has changed since follows in deltas. */
interface OutgoingSnapshot {
  readonly id: number
  readonly server: Pid
  readonly claims: readonly Claim[]
  position: number
}

/** The exit reason of a process that has lost its name in a clash. */
export interface NameConflictReason {
  readonly name_conflict: { readonly name: string; readonly winner: Pid; readonly policy: ConflictPolicy }
  readonly [key: string]: unknown
}

/** To a process that asked for it: something in the table has changed. Changes of one turn are one message. */
export interface NamesChangedMessage {
  readonly type: 'names_changed'
  readonly scope: string
}

export class TableServer extends GenServer {
  private options: TableServerOptions | undefined = undefined
  /** The monitors on processes that have names here, by pid. */
  private readonly monitors = new Map<string, Ref>()
  /** The monitors on watchers and on the servers of other nodes, by their references: only a `DOWN` of one of ours is believed. */
  private readonly watcherRefs = new Map<string, Pid>()
  private readonly serverRefs = new Map<string, Pid>()
  /** Processes that are to be killed if they don't end by themselves, by timer. */
  private readonly losers = new Map<string, Pid>()
  /** Snapshots that are on their way out, by the server that they are for. */
  private readonly outgoing = new Map<string, OutgoingSnapshot>()
  private snapshotId = 0
  private willContinue = false
  private flushing = false
  private toldVersion = -1

  override init(options: TableServerOptions): void {
    this.options = options
    this.self.monitorNodes(true)
    for (const claim of this.table.log.claims.values()) this.monitorProcess(claim.pid)
    for (const watcher of options.watchers.values()) this.monitorWatcher(watcher)
    for (const node of options.nodes()) this.sayHello(node, true)
    options.onReady(this)
    // What an earlier server has not told any more.
    this.requestFlush()
  }

  override handleCall(): NoReplyResult {
    this.log.warn({}, 'the table server takes no calls')
    return this.noreply()
  }

  override handleCast(): void {
    this.log.warn({}, 'the table server takes no casts')
  }

  override handleInfo(message: unknown): void {
    if (isTableMessage(message)) this.onTableMessage(message)
    else if (hasType(message, 'flush')) this.flush()
    else if (hasType(message, 'nodeup')) this.onNodeUp(message)
    else if (hasType(message, 'nodedown')) return
    else if (hasType(message, 'DOWN')) this.onDown(message)
    else if (hasType(message, 'snapshot_more')) this.onSnapshotMore()
    else if (hasType(message, 'timeout')) this.onLoserGrace(message)
    else this.log.warn({ message: typeof message }, 'the table server got a message that is not for it')
    if (this.table.version !== this.toldVersion) this.requestFlush()
  }

  /** Sees that the process's end is noticed, from now on. */
  monitorProcess(pid: Pid): Ref {
    const known = this.monitors.get(pid.toString())
    if (known !== undefined) return known
    const ref = this.self.monitor(pid)
    this.monitors.set(pid.toString(), ref)
    return ref
  }

  /** The process has no name here any more. */
  forgetProcess(pid: Pid): void {
    const ref = this.monitors.get(pid.toString())
    if (ref === undefined) return
    this.monitors.delete(pid.toString())
    this.self.demonitor(ref)
  }

  monitorOf(pid: Pid): Ref | undefined {
    return this.monitors.get(pid.toString())
  }

  /** Tells the process of changes until it ends. */
  addWatcher(pid: Pid): void {
    const { watchers } = this.settings
    if (watchers.has(pid.toString())) return
    watchers.set(pid.toString(), pid)
    this.monitorWatcher(pid)
  }

  private monitorWatcher(pid: Pid): void {
    this.watcherRefs.set(this.self.monitor(pid).toString(), pid)
  }

  /** What has changed is sent in a turn soon: all changes until then in one message, and a lone one without waiting for more. */
  requestFlush(): void {
    if (this.flushing) return
    this.flushing = true
    this.self.send(this.pid, { type: 'flush' })
  }

  get context(): Context {
    return this.self
  }

  private get table(): Table {
    return this.settings.table
  }

  private get settings(): TableServerOptions {
    if (this.options === undefined) throw new TypeError('the table server has not been started')
    return this.options
  }

  private onTableMessage(message: TableMessage): void {
    // What is ours is in the log, whatever a message says.
    if (message.from.node === this.node) return
    switch (message.type) {
      case 'hello':
        this.onHello(message.from, message.isNew)
        return
      case 'snapshot_begin':
        this.viewOf(message.from).beginSnapshot(message.id, message.seq)
        return
      case 'snapshot_chunk':
        this.table.knownView(message.from)?.addChunk(message.id, message.claims)
        return
      case 'snapshot_end': {
        const view = this.table.knownView(message.from)
        if (view !== undefined) this.giveUp(this.table.apply(view.endSnapshot(message.id)))
        return
      }
      case 'delta': {
        const update = this.table.knownView(message.from)?.applyOps(message.ops)
        if (update === undefined) return
        this.giveUp(this.table.apply(update))
        if (update.gap) this.sayHello(message.from.node, false)
        return
      }
      default:
        assertNever(message)
    }
  }

  private onHello(server: Pid, isNew: boolean): void {
    this.viewOf(server)
    // First what was not sent yet: it is in the snapshot too, and the others may be waiting for it.
    this.flush()
    this.sendSnapshot(server)
    if (isNew) this.sayHello(server.node, false)
  }

  private viewOf(server: Pid): ReturnType<Table['viewOf']>['view'] {
    const { view, isNew } = this.table.viewOf(server)
    if (isNew) this.serverRefs.set(this.self.monitor(server).toString(), server)
    return view
  }

  private sayHello(node: NodeName, isNew: boolean): void {
    const hello: TableMessage = { type: 'hello', from: this.pid, isNew }
    this.self.send({ name: this.settings.name, node }, hello)
  }

  private sendSnapshot(server: Pid): void {
    const id = ++this.snapshotId
    const { seq, claims } = this.table.log
    this.outgoing.set(server.toString(), { id, server, claims: [...claims.values()], position: 0 })
    const begin: TableMessage = { type: 'snapshot_begin', from: this.pid, id, seq }
    this.self.send(server, begin)
    this.continueSnapshots()
  }

  /** Sends what the connections take. A snapshot of any size neither fills one nor keeps this node's other processes waiting. */
  private continueSnapshots(): void {
    let pauseMs: number | undefined
    for (const [key, snapshot] of this.outgoing) {
      const progress = this.sendChunks(snapshot)
      if (progress === 'done') this.outgoing.delete(key)
      else pauseMs = Math.min(pauseMs ?? BUSY_PAUSE_MS, progress === 'busy' ? BUSY_PAUSE_MS : 0)
    }
    if (pauseMs === undefined || this.willContinue) return
    this.willContinue = true
    this.self.sendAfter(pauseMs, this.pid, { type: 'snapshot_more' })
  }

  private onSnapshotMore(): void {
    this.willContinue = false
    this.continueSnapshots()
  }

  private sendChunks(snapshot: OutgoingSnapshot): 'done' | 'busy' | 'more' {
    const { id, server, claims } = snapshot
    const from = this.pid
    for (let chunks = 0; snapshot.position < claims.length; chunks++) {
      if (chunks === CHUNKS_PER_TURN) return 'more'
      const chunk = claims.slice(snapshot.position, snapshot.position + CHUNK_LENGTH)
      snapshot.position += chunk.length
      const message: TableMessage = { type: 'snapshot_chunk', from, id, claims: chunk }
      if (this.self.send(server, message) === 'busy') return 'busy'
    }
    const end: TableMessage = { type: 'snapshot_end', from, id }
    this.self.send(server, end)
    return 'done'
  }

  private flush(): void {
    this.flushing = false
    const ops = this.table.takeUnsent()
    const servers = this.table.servers()
    for (let start = 0; start < ops.length; start += CHUNK_LENGTH) {
      const delta: TableMessage = { type: 'delta', from: this.pid, ops: ops.slice(start, start + CHUNK_LENGTH) }
      for (const server of servers) this.self.send(server, delta)
    }
    if (this.table.version === this.toldVersion) return
    this.toldVersion = this.table.version
    const changed: NamesChangedMessage = { type: 'names_changed', scope: this.settings.name }
    for (const watcher of this.settings.watchers.values()) this.self.send(watcher, changed)
  }

  private onNodeUp({ node }: Partial<NodeUpMessage>): void {
    if (isNodeName(node)) this.sayHello(node, false)
  }

  private onDown({ ref, pid }: Partial<DownMessage>): void {
    const key = String(ref)
    const server = this.serverRefs.get(key)
    const watcher = this.watcherRefs.get(key)
    this.serverRefs.delete(key)
    this.watcherRefs.delete(key)
    if (server !== undefined) {
      this.outgoing.delete(server.toString())
      this.table.dropView(server)
    } else if (watcher !== undefined) {
      this.settings.watchers.delete(watcher.toString())
    } else if (pid instanceof Pid && this.monitors.get(pid.toString())?.equals(ref) === true) {
      this.monitors.delete(pid.toString())
      this.table.releaseProcess(pid)
    }
    this.requestFlush()
  }

  /** A process that traps exits and has not ended though it was told to. */
  private onLoserGrace({ ref }: Partial<TimeoutMessage>): void {
    const pid = this.losers.get(String(ref))
    this.losers.delete(String(ref))
    if (pid !== undefined) this.self.exit(pid, 'kill')
  }

  /** Claims of ours that lost: their names go at once, their processes are told why and end. */
  private giveUp(defeats: readonly Defeat[]): void {
    const { policy } = this.settings
    for (const { loser, winner } of defeats) {
      this.log.warn(
        { name: loser.name, loser: loser.pid.toString(), winner: winner.pid.toString(), policy },
        'name clash: the process here gives way',
      )
      this.table.unregister(loser.name)
      const reason: NameConflictReason = { name_conflict: { name: loser.name, winner: winner.pid, policy } }
      this.self.exit(loser.pid, reason)
      const timer = this.self.startTimer(LOSER_GRACE_MS, this.pid, 'loser_grace')
      this.losers.set(timer.toString(), loser.pid)
    }
  }
}

/** The registered name of a table's servers. */
export function serverName(scope: string): string {
  return `pidmesh_global_ets:${scope}`
}
