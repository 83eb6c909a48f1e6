/**
 * The table server: the shell around a replica. One process a table and node, registered under the table's name, which speaks with its like on the other nodes, tells
 * those who watch, and ends the processes that have lost their names.
 *
 *   own operations ─▶ onChanged ──┐ at once, or with others of the same millisecond
 *   something is left to do ──────┴─▶ 'flush', in a turn soon: batches to all feeds, changes to all watchers, a piece of what is left to do
 *   nodeup ─▶ hello        hello ─▶ a feed        resume, snapshot, delta, tick ─▶ the view of whose connection it came over
 *
 * State: timers, monitors on the other servers. The replica outlives it: it belongs to the ReplicatedTable, which starts another server when this one ends.
 */
import { GenServer, type NoReplyResult } from '@pidmesh/gen-server'
import {
  type Pid,
  RateLimitedLog,
  assertNever,
  hasType,
  isNodeName,
  type Context,
  type DownMessage,
  type NodeIdentity,
  type NodeName,
  type NodeUpMessage,
  type Ref,
  type TimeoutMessage,
} from '@pidmesh/runtime'
import type { Feed } from './feed.ts'
import { NodeTimers } from './node-timers.ts'
import { isTableMessage, looksLikeTableMessage, type TableMessage } from './protocol.ts'
import type { Replica } from './replica.ts'
import type { Verdict } from './view.ts'

/** What a server is of: the table's settings, and what else happens to it. */
export interface ServedTable {
  readonly name: string
  readonly replica: Replica
  readonly tickMs: number
  /** Those that are connected, hidden ones included. */
  nodes(): readonly NodeName[]
  nowMs(): number
  /** Whether the connection that a message has come over is lost. */
  isOver(origin: NodeIdentity): boolean
  /** There is a server now. */
  onServer(server: TableServer): void
  /** A clash: the row of ours, and the one that is seen. */
  onDefeat(loser: number, winner: number): void
  /** To whoever watches: what has changed. */
  tellWatchers(): void
  hasNews(): boolean
  /** Something has come from another node: copies may be whole that weren't. */
  onProgress(): void
  onBroadcast(group: string, message: unknown): void
}

/** How long what is known of a node that is gone is kept, in case it comes back. */
const KEPT_MS = 60_000
/** A node that was refused is asked again after so long. */
const REFUSED_MS = 60_000
/** Every so many ticks one is sent though nothing has changed. */
const IDLE_TICKS = 10
/** Characters of another node's text that are logged. */
const SHOWN_CHARACTERS = 200

/** What is said to a server of whatever kind: calls, casts, and what `sys` asks. */
function isForAnyServer(message: unknown): boolean {
  if (typeof message !== 'object' || message === null) return false
  const { type }: { readonly type?: unknown } = message
  return typeof type === 'string' && type.startsWith('$')
}

/** A message of another node, which only its table server should have sent, and the node that it has come from. */
class FromNode {
  readonly message: unknown
  readonly origin: NodeIdentity

  constructor(message: unknown, origin: NodeIdentity) {
    this.message = message
    this.origin = origin
  }
}

export class TableServer extends GenServer {
  #table: ServedTable | undefined = undefined
  #isFlushing = false
  /** When changes may go out again. */
  #nextChangesMs = -Infinity
  /** The timer of those that wait for that. */
  #changesTimer: Ref | undefined = undefined
  #ticks = 0
  /** The monitors on the servers of other nodes, one a node: only a `DOWN` of one of ours is believed. */
  readonly #servers = new Map<NodeName, { readonly ref: Ref; readonly server: Pid }>()
  /** Nodes that have not answered a hello, and the monitors that tell whether there is a server there at all. */
  readonly #unanswered = new Map<NodeName, Ref>()
  #nodeTimers: NodeTimers | undefined = undefined
  #dropLog: RateLimitedLog | undefined = undefined
  #peerLog: RateLimitedLog | undefined = undefined
  #tick: Ref | undefined = undefined

  override init(table: ServedTable): void {
    this.#table = table
    // Also what looks like a DOWN or a timer: references count up, so that another node can guess those of this one.
    this.self.tagRemote((message, origin) => (isForAnyServer(message) ? message : new FromNode(message, origin)))
    // Hidden nodes, too: one that has a table has said hello to this one, and knows nothing of it before this one has.
    this.self.monitorNodes(true, { nodeType: 'all' })
    for (const [node, view] of this.#replica.views) if (view.state === 'hidden') this.forgetLater(node)
    for (const node of table.nodes()) this.#sayHello(node, 'is new')
    this.#tickLater()
    table.onServer(this)
    // What an earlier server has not done any more.
    this.requestFlush()
  }

  override handleCall(): NoReplyResult {
    this.#drops.warn({}, 'the table server takes no calls')
    return this.noreply()
  }

  override handleCast(): void {
    this.#drops.warn({}, 'the table server takes no casts')
  }

  override handleInfo(message: unknown): void {
    if (message instanceof FromNode) this.#onFromNode(message)
    else if (hasType(message, 'flush')) this.#flush()
    else if (hasType(message, 'nodeup')) this.#onNodeUp(message)
    else if (hasType(message, 'nodedown')) return
    else if (hasType(message, 'DOWN')) this.#onDown(message)
    else if (hasType(message, 'timeout')) this.#onTimeout(message)
    // Came before init had begun, from nobody knows where: whom the hello of this server reaches says it again.
    else if (looksLikeTableMessage(message)) return
    else this.#drops.warn({ message: typeof message }, 'the table server got a message that is not for it')
  }

  /** What the table is like, for `sys.getState`. */
  override getState(): object {
    const { policy, log, stats } = this.#replica
    return { table: this.#served.name, policy, seq: log.seq, ...stats }
  }

  /** Whether a node that may have the table hasn't said so yet. */
  get isAskingWhoIsThere(): boolean {
    return this.#unanswered.size > 0
  }

  get context(): Context {
    return this.self
  }

  /**
   * Rows of ours have changed. A lone change doesn't wait for more; of many that come one after the other those of a millisecond go together, since a message to
   * each node costs far more than what is in it (docs/adr/0101).
   */
  onChanged(): void {
    if (this.#isFlushing || this.#changesTimer !== undefined) return
    const nowMs = this.#served.nowMs()
    const waitMs = this.#nextChangesMs - nowMs
    this.#nextChangesMs = Math.max(this.#nextChangesMs, nowMs) + this.#replica.pace.changesMs
    if (waitMs <= 0) this.requestFlush()
    else this.#changesTimer = this.self.startTimer(Math.ceil(waitMs), this.pid, 'changes')
  }

  /** All that happens until then is sent in one go, in a turn soon. */
  requestFlush(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    const { pauseMs } = this.#replica.pace
    if (pauseMs === 0) this.self.send(this.pid, { type: 'flush' })
    else this.self.sendAfter(pauseMs, this.pid, { type: 'flush' })
  }

  /** Sends what there is now: a batch is full. */
  sendBatches(): void {
    this.#replica.log.seal(this.#served.nowMs())
    for (const feed of this.#replica.feeds.values()) this.#pump(feed)
  }

  /** The node is gone. It may come back; but not for ever. */
  forgetLater(node: NodeName): void {
    this.#timers.arm({ type: 'forget', node }, KEPT_MS)
  }

  get #served(): ServedTable {
    if (this.#table === undefined) throw new TypeError('the table server has not been started')
    return this.#table
  }

  get #timers(): NodeTimers {
    return (this.#nodeTimers ??= new NodeTimers(this.self))
  }

  /** Of messages that are dropped: another node, one of another version say, may send ever more of them. */
  get #drops(): RateLimitedLog {
    return (this.#dropLog ??= new RateLimitedLog(this.log, { monotonicMs: () => this.#served.nowMs() }))
  }

  /** Of what is wrong with other nodes: apart from the messages that are dropped, which must not hide it. */
  get #faults(): RateLimitedLog {
    return (this.#peerLog ??= new RateLimitedLog(this.log, { monotonicMs: () => this.#served.nowMs() }))
  }

  get #replica(): Replica {
    return this.#served.replica
  }

  #onFromNode({ message, origin }: FromNode): void {
    // Of a connection that is lost: what it has brought counts for nothing any more.
    if (this.#served.isOver(origin)) return
    if (!isTableMessage(message)) {
      this.#drops.warn({ peer: origin.name }, 'a message of another table server is not well-formed')
      return
    }
    const { from } = message
    if (from.node !== origin.name || from.incarnation !== origin.incarnation) {
      this.#drops.warn(
        { peer: origin.name, from: from.toString() },
        'a message of another table server bears a false name',
      )
      return
    }
    if (message.type === 'broadcast') {
      this.#served.onBroadcast(message.group, message.message)
      return
    }
    if (message.type === 'hello') this.#onHello(origin, message)
    else this.#do(origin.name, this.#replica.onMessage(origin, message, this.#served.nowMs()))
    this.#served.onProgress()
    this.#flushIfNews()
  }

  #onHello(origin: NodeIdentity, hello: TableMessage & { type: 'hello' }): void {
    this.#answered(origin.name)
    const known = this.#replica.views.get(origin.name)?.server
    if (!this.#replica.onHello(origin, hello, this.pid, this.#served.nowMs())) {
      this.#faults.error(
        { peer: origin.name, theirs: hello.policy.slice(0, SHOWN_CHARACTERS), ours: this.#replica.policy },
        'the table is of another kind or policy on another node: neither sees what the other has',
      )
      // It is to know that too.
      if (hello.isNew) this.#sayHello(origin.name, 'greets')
      return
    }
    if (known?.equals(hello.from) !== true) this.#watchServer(hello.from)
    this.#timers.disarm({ type: 'forget', node: origin.name })
    if (hello.isNew) this.#sayHello(origin.name, 'greets')
    this.requestFlush()
  }

  /** Of a node's servers the last one that has said hello: the end of an earlier one means nothing any more. */
  #watchServer(server: Pid): void {
    const earlier = this.#servers.get(server.node)
    if (earlier !== undefined) this.self.demonitor(earlier.ref)
    this.#servers.set(server.node, { ref: this.self.monitor(server), server })
  }

  #do(node: NodeName, verdict: Verdict): void {
    switch (verdict.type) {
      case 'nothing':
        return
      case 'ask':
        this.#sayHello(node, 'lacks something')
        return
      case 'ask_later':
        this.#faults.warn(
          { peer: node, delayMs: verdict.delayMs },
          'a node sends more than is taken of it, or what does not add up',
        )
        this.#timers.arm({ type: 'ask', node }, verdict.delayMs)
        return
      case 'refused':
        this.#faults.error({ peer: node, problem: verdict.problem }, 'what a node has in the table is refused')
        this.#timers.arm({ type: 'ask', node }, REFUSED_MS)
        return
      default:
        assertNever(verdict)
    }
  }

  #sayHello(node: NodeName, why: 'greets' | 'is new' | 'lacks something'): void {
    const there = { name: this.#served.name, node }
    if (this.#replica.views.get(node)?.server === undefined && !this.#unanswered.has(node))
      this.#unanswered.set(node, this.self.monitor(there))
    this.self.send(
      there,
      this.#replica.hello(this.pid, node, { isNew: why === 'is new', lacks: why === 'lacks something' }),
    )
  }

  /** It has said hello, or there is nobody to. */
  #answered(node: NodeName): void {
    const ref = this.#unanswered.get(node)
    if (ref === undefined) return
    this.#unanswered.delete(node)
    this.self.demonitor(ref)
  }

  #flush(): void {
    this.#isFlushing = false
    const { table, pace } = this.#replica
    table.work(pace.rowsPerTurn)
    for (let left = pace.defeatsPerTurn; left > 0; left--) {
      const defeat = table.takeDefeat()
      if (defeat === undefined) break
      this.#served.onDefeat(defeat.loser, defeat.winner)
    }
    // Changes that wait for the end of their millisecond go out then, and so does all else: what others send comes often, too.
    if (this.#changesTimer === undefined) this.sendBatches()
    this.#served.tellWatchers()
    this.#flushIfNews()
  }

  #flushIfNews(): void {
    const { table } = this.#replica
    if (table.hasWork || table.hasSuspects || this.#served.hasNews()) this.requestFlush()
  }

  #pump(feed: Feed): void {
    if (feed.isWaiting) return
    for (let left = this.#replica.pace.messagesPerTurn; left > 0; left--) {
      const message = feed.next()
      if (message === undefined) return
      if (this.self.send(feed.server, message) === 'busy') {
        this.#wait(feed)
        return
      }
    }
    this.requestFlush()
  }

  #wait(feed: Feed): void {
    feed.isWaiting = true
    this.self.drained(feed.server.node).then(
      () => {
        feed.isWaiting = false
        if (this.self.isAlive) this.requestFlush()
      },
      // This server has ended, and its feeds with it.
      () => undefined,
    )
  }

  #onNodeUp({ node }: Partial<NodeUpMessage>): void {
    if (isNodeName(node)) this.#sayHello(node, 'greets')
  }

  #onDown({ ref }: Partial<DownMessage>): void {
    for (const [node, asked] of this.#unanswered) if (asked.equals(ref)) this.#unanswered.delete(node)
    this.#served.onProgress()
    const server = [...this.#servers.values()].find((watched) => watched.ref.equals(ref))?.server
    if (server === undefined) return
    this.#servers.delete(server.node)
    if (this.#replica.views.get(server.node)?.server?.equals(server) !== true) return
    // Another one may be started there, and say hello.
    if (this.#replica.gone(server.node)) this.forgetLater(server.node)
    this.requestFlush()
  }

  #tickLater(): void {
    this.#tick = this.self.startTimer(this.#served.tickMs, this.pid, 'tick')
  }

  #onTick(): void {
    this.#tickLater()
    const always = ++this.#ticks % IDLE_TICKS === 0
    // Of what is still to be sent nothing can be said, and while many changes come there would always be something.
    this.sendBatches()
    for (const feed of this.#replica.feeds.values()) {
      const tick = feed.tick(always)
      if (tick !== undefined) this.self.send(feed.server, tick)
    }
  }

  #onTimeout({ ref }: Partial<TimeoutMessage>): void {
    if (this.#tick?.equals(ref) === true) {
      this.#onTick()
      return
    }
    if (this.#changesTimer?.equals(ref) === true) {
      this.#changesTimer = undefined
      this.requestFlush()
      return
    }
    const due = this.#timers.take(ref)
    if (due === undefined) return
    if (due.type === 'forget') {
      this.#replica.forget(due.node)
      this.requestFlush()
    } else if (this.#served.nodes().includes(due.node)) {
      this.#sayHello(due.node, 'lacks something')
    }
  }
}
