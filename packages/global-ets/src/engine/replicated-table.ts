/**
 * A replicated table on one node: the replica, the server that speaks for it, and what ties both to the node.
 *
 *   facade (GlobalEts, ProcessGroups) ─▶ ReplicatedTable ─▶ Replica            own operations: at once
 *   a process ends, a connection is lost ─▶ Replica                             at once, before anyone is told
 *   TableServer ◀─ started, and started again ─ ReplicatedTable                 what others say, and what is said to them
 *
 * State: the replica, which outlives its servers; the server of now. The rows of this node's processes are there whether a server runs or not; those of others only
 * while one does, as nothing would tell of their ends.
 */
import { start } from '@pidmesh/gen-server'
import {
  Pid,
  PidmeshError,
  RateLimitedLog,
  type AttachedTable,
  type Node,
  type NodeIdentity,
  type NodeName,
  type Ref,
  type TimerHandle,
} from '@pidmesh/runtime'
import type { ConflictPolicy } from './conflict.ts'
import type { EncodedMeta } from './ops.ts'
import { QUOTA, type Quota } from './quota.ts'
import { Replica, type ReplicaStats } from './replica.ts'
import { TableServer, type ServedTable } from './table-server.ts'
import { MAX_WATCHES, Watches, type ChangeType, type KeyFilter } from './watches.ts'

export interface ReplicatedTableOptions<Change> {
  readonly kind: 'names' | 'groups'
  /** The registered name of the table's servers. */
  readonly name: string
  readonly policy: ConflictPolicy
  readonly prefixes?: readonly string[]
  readonly isOrdered?: boolean
  readonly quota?: Partial<Quota>
  /** What a watcher is told of a row. The table is there by then. */
  readonly changeOf: (type: ChangeType, slot: number) => Change
  /** What a watcher is told of changes. */
  readonly messagesOf: (ref: Ref, changes: readonly Change[]) => readonly object[]
  /** A row of ours isn't the one that is seen. */
  readonly onDefeat?: (loser: number, winner: number) => void
  readonly onBroadcast?: (group: string, message: unknown) => void
}

/** What a table is like now, as plain numbers for a metrics library. */
export interface TableStats extends ReplicaStats {
  readonly watches: number
  /** How often the table's server has ended and was started again. */
  readonly restarts: number
}

/** How often others are asked whether they have what this node has. */
const TICK_MS = 1_000
/** A server that ends is started again, later and later if it ends again and again. */
const RESTART_FIRST_MS = 10
const RESTART_MOST_MS = 5_000
/** One that has run for so long ends for another reason than those before. */
const RUNS_WELL_MS = 60_000
/** How long the loser of a clash that traps exits has to end by itself. */
const LOSER_GRACE_MS = 5_000

export class ReplicatedTable<Change> {
  readonly node: Node
  readonly replica: Replica
  readonly watches: Watches<Change>
  private readonly options: ReplicatedTableOptions<Change>
  private readonly attached: AttachedTable
  /** Connections that are lost, by the identity that came with each. */
  private readonly over = new WeakSet<NodeIdentity>()
  private readonly waiting = new Set<() => void>()
  /** Those who have lost and haven't ended yet, by their ids. */
  private readonly losers = new Map<number, TimerHandle>()
  private readonly kills: RateLimitedLog
  private server: TableServer | undefined = undefined
  private restarts = 0
  /** Servers that have ended one soon after the other, and when the last one was started. */
  private endsInTurn = 0
  private startedAtMs = 0
  private isStopped = false

  private constructor(node: Node, options: ReplicatedTableOptions<Change>) {
    this.node = node
    this.options = options
    this.kills = new RateLimitedLog(node.log, node.clock)
    const { kind, policy, prefixes = [], isOrdered = false, quota, changeOf } = options
    this.watches = new Watches({ changeOf, keyOf: (slot) => this.replica.table.rows.keyOf(slot), isOrdered })
    const { self } = node
    this.replica = new Replica({
      self: self.pid.origin,
      kind,
      policy,
      prefixes,
      quota: { ...QUOTA, ...quota },
      life: Math.floor(node.random.fraction() * 2 ** 53),
      multiplier: secretOdd(node.random.bytes(4)),
      watcher: this.watches,
    })
    this.attached = self.attachTable({
      onProcessEnd: (pid) => this.onProcessEnd(pid),
      onNodeDown: (identity) => this.onNodeDown(identity),
    })
  }

  /** @throws StartError `ERR_ALREADY_STARTED` by rejection, if the node has a table of that name */
  static async start<Change>(node: Node, options: ReplicatedTableOptions<Change>): Promise<ReplicatedTable<Change>> {
    const table = new ReplicatedTable(node, options)
    try {
      await table.startServer()
    } catch (error) {
      table.isStopped = true
      table.attached.detach()
      throw error
    }
    return table
  }

  /** Ends this node's part in the table: the others see its rows go. */
  async stop(): Promise<void> {
    if (this.isStopped) return
    this.isStopped = true
    this.attached.detach()
    const server = this.livingServer
    // Of what has changed before; that all of it goes now nobody is told. There may be no server just now.
    if (!this.node.isStopping) this.tellWatchers()
    // The ends of its processes aren't noticed any more, those of losers neither: who has been told to end, and hasn't yet, lives on as all that had names.
    this.replica.stop()
    for (const timer of this.losers.values()) timer.cancel()
    this.losers.clear()
    if (server === undefined) {
      // None ends, of whose end those who wait would learn.
      this.letGo()
      return
    }
    const { pid } = server.context
    this.node.exit(pid, 'shutdown')
    await this.node.self.awaitDown(pid, Infinity)
  }

  /** Whether there is a server, or will be one. */
  get isRunning(): boolean {
    return !this.isStopped && !this.node.isStopping
  }

  /** @throws PidmeshError `ERR_NODE_STOPPED` if there is no server, and will be none */
  checkRunning(): void {
    if (!this.isRunning) throw new PidmeshError('ERR_NODE_STOPPED', 'the table is not running on this node')
  }

  /** The server, if one runs. */
  get livingServer(): TableServer | undefined {
    return this.server?.context.isAlive === true ? this.server : undefined
  }

  /** A row for a process of this node. Says whether the process lives. */
  put(key: string, pid: Pid, meta: EncodedMeta): boolean {
    this.checkRunning()
    if (!this.attached.watch(pid)) return false
    this.replica.put(key, pid.id, meta)
    this.changed()
    return true
  }

  /** Whether a process is of this node, and alive; if so its end will be noticed. */
  watchEnd(pid: Pid): boolean {
    return this.attached.watch(pid)
  }

  remove(slot: number): void {
    this.checkRunning()
    this.replica.remove(slot)
    this.changed()
  }

  change(slots: readonly number[], meta: EncodedMeta): void {
    this.checkRunning()
    this.replica.change(slots, meta)
    this.changed()
  }

  /** A process of this node has lost, and has to end; one that traps exits has a while to do so, whatever becomes of the server meanwhile. */
  endLoser(pid: Pid, reason: { readonly [key: string]: unknown }): void {
    const { node } = this
    ;(this.livingServer?.context ?? node).exit(pid, reason)
    // It may have lost several names.
    if (!node.isProcessAlive(pid) || this.losers.has(pid.id)) return
    this.losers.set(
      pid.id,
      node.clock.setTimer(LOSER_GRACE_MS, () => this.killLoser(pid)),
    )
  }

  private killLoser(pid: Pid): void {
    this.kills.warn(
      { loser: pid.toString(), afterMs: LOSER_GRACE_MS },
      'who has lost a name has not ended: it is killed',
    )
    this.node.exit(pid, 'kill')
  }

  pidOf(slot: number): Pid {
    const { table } = this.replica
    return new Pid(table.copyOf(slot).owner, table.rows.idOf(slot))
  }

  isOwn(slot: number): boolean {
    const { table } = this.replica
    return table.copyOf(slot) === table.own
  }

  get stats(): TableStats {
    return { ...this.replica.stats, watches: this.watches.size, restarts: this.restarts }
  }

  /**
   * Tells a process of this node of changes, from now on.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if it is not a living process of this node
   */
  watch(pid: Pid, filter: KeyFilter): Ref {
    this.checkRunning()
    if (!this.watchEnd(pid)) throw new PidmeshError('ERR_BAD_ARGUMENT', `${pid} is not a living process of this node`)
    const ref = this.node.self.makeRef()
    if (!this.watches.add(ref, pid, filter))
      throw new PidmeshError('ERR_BAD_ARGUMENT', `${pid} watches the table ${MAX_WATCHES} times already`)
    return ref
  }

  /** The copies of all nodes that are connected and have the table are whole; or so many milliseconds have gone by. */
  filled(timeoutMs: number): Promise<void> {
    if (!this.isFilling()) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiting.delete(done)
        timer?.cancel()
        resolve()
      }
      const timer = timeoutMs === Infinity ? undefined : this.node.clock.setTimer(timeoutMs, done)
      this.waiting.add(done)
    })
  }

  /** Who waits for copies to be whole goes on if they are. */
  private letGo(): void {
    if (this.waiting.size > 0 && !this.isFilling()) for (const done of this.waiting) done()
  }

  private isFilling(): boolean {
    if (!this.isRunning) return false
    return (
      this.server === undefined ||
      this.server.isAskingWhoIsThere ||
      [...this.replica.views.values()].some((view) => view.isFilling)
    )
  }

  private changed(): void {
    const { livingServer: server, replica } = this
    server?.onChanged()
    // A loop of registrations may be longer than a turn, and a server away for long: what is gathered must not grow.
    if (!replica.log.isFull) return
    if (server === undefined) replica.log.seal(this.node.clock.monotonicMs())
    else server.sendBatches()
  }

  private onProcessEnd(pid: Pid): void {
    this.watches.processEnded(pid.id)
    this.losers.get(pid.id)?.cancel()
    this.losers.delete(pid.id)
    if (this.replica.release(pid.id)) this.changed()
  }

  private onNodeDown(identity: NodeIdentity): void {
    this.over.add(identity)
    const isKept = this.replica.gone(identity.name)
    this.letGo()
    const server = this.livingServer
    if (server === undefined) return
    if (isKept) server.forgetLater(identity.name)
    server.requestFlush()
  }

  /** Tells a process of this node what it is told once. */
  tell(pid: Pid, message: object): void {
    this.attached.tell(pid, message)
  }

  private tellWatchers(): void {
    for (const { ref, pid, changes } of this.watches.takeDue())
      for (const message of this.options.messagesOf(ref, changes)) this.tell(pid, message)
  }

  private served(): ServedTable {
    const { options, replica, node, watches } = this
    return {
      name: options.name,
      replica,
      tickMs: TICK_MS,
      nodes: (): readonly NodeName[] => node.nodes('all'),
      nowMs: () => node.clock.monotonicMs(),
      isOver: (origin) => this.over.has(origin),
      onServer: (server) => this.onServer(server),
      onDefeat: (loser, winner) => options.onDefeat?.(loser, winner),
      hasNews: () => watches.isDue,
      onProgress: () => this.letGo(),
      tellWatchers: () => this.tellWatchers(),
      onBroadcast: (group, message) => options.onBroadcast?.(group, message),
    }
  }

  private onServer(server: TableServer): void {
    this.server = server
    this.startedAtMs = this.node.clock.monotonicMs()
    server.context.signal.addEventListener('abort', () => this.onServerGone())
  }

  private async startServer(): Promise<void> {
    const { name } = this.options
    // Whatever the node's own policy is: for each message of another node that is lost all would be sent again.
    const mailbox = { policy: 'log' } as const
    await start(this.node, TableServer, [this.served()], { name, label: `table ${name}`, mailbox })
  }

  private onServerGone(): void {
    this.server = undefined
    this.replica.serverGone()
    if (!this.isRunning) {
      this.letGo()
      return
    }
    this.restarts++
    const { name } = this.options
    this.node.log.error({ table: name, restarts: this.restarts }, 'the table server has ended and is started again')
    const hasRunWell = this.node.clock.monotonicMs() - this.startedAtMs >= RUNS_WELL_MS
    this.endsInTurn = hasRunWell ? 1 : this.endsInTurn + 1
    this.startLater(this.endsInTurn)
  }

  /** `attempt`: 1 for the first. Each waits longer than the one before. */
  private startLater(attempt: number): void {
    const delayMs = Math.min(RESTART_MOST_MS, RESTART_FIRST_MS * 2 ** Math.min(attempt - 1, 10))
    this.node.clock.setTimer(delayMs, () => {
      if (!this.isRunning) return
      const { restarts } = this
      this.startServer().catch((error: unknown) => {
        const problem = String(error)
        this.node.log.error({ table: this.options.name, problem }, 'the table server could not be started')
        // Unless it was there for a moment: then its end has been seen, and is being dealt with.
        if (this.server === undefined && this.restarts === restarts) this.startLater(attempt + 1)
      })
    })
  }
}

/** An odd number of 32 bits. From bytes that nobody can guess, as the next of `fraction` can be by who has seen some. */
function secretOdd([a = 0, b = 0, c = 0, d = 0]: Uint8Array): number {
  return ((a << 24) | (b << 16) | (c << 8) | d | 1) >>> 0
}
