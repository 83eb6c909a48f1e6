/**
 * The table server: the shell around a replica. One process a table and node, registered under the table's name, which speaks with its like on the other nodes, tells
 * those who watch, and ends the processes that have lost their names.
 *
 *   own operations ─▶ requestFlush ─▶ 'flush', in a turn soon: batches to all feeds, changes to all watchers, a piece of what is left to do
 *   nodeup ─▶ hello        hello ─▶ a feed        resume, snapshot, delta, tick ─▶ the view of whose connection it came over
 *
 * State: timers, monitors on the other servers. The replica outlives it: it belongs to the ReplicatedTable, which starts another server when this one ends.
 */
import { GenServer, type NoReplyResult } from '@pidmesh/gen-server'
import {
  type Pid,
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
import { isTableMessage, looksLikeTableMessage, type TableMessage } from './protocol.ts'
import type { Replica } from './replica.ts'
import type { Verdict } from './view.ts'

/** What a server is of: the table's settings, and what else happens to it. */
export interface ServedTable {
  readonly name: string
  readonly replica: Replica
  readonly tickMs: number
  nodes(): readonly NodeName[]
  nowMs(): number
  /** Whether the connection that a message has come over is lost. */
  isOver(origin: NodeIdentity): boolean
  /** There is a server now. */
  onServer(server: TableServer): void
  /** A clash: the row of ours, and the one that is seen. */
  onDefeat(loser: number, winner: number): void
  /** To whoever watches: what has changed. */
  tellWatchers(self: Context): void
  hasNews(): boolean
  /** Something has come from another node: copies may be whole that weren't. */
  onProgress(): void
  onBroadcast(self: Context, group: string, message: unknown): void
}

/** How long what is known of a node that is gone is kept, in case it comes back. */
const KEPT_MS = 60_000
/** A node that was refused is asked again after so long. */
const REFUSED_MS = 60_000
/** Every so many ticks one is sent though nothing has changed. */
const IDLE_TICKS = 10

/** A message of another table server, and the node that it has come from. */
class FromNode {
  readonly message: unknown
  readonly origin: NodeIdentity

  constructor(message: unknown, origin: NodeIdentity) {
    this.message = message
    this.origin = origin
  }
}

/** What a timer of the server's is for. */
type Due = { readonly type: 'tick' } | ({ readonly type: 'forget' | 'ask' } & OfNode)

interface OfNode {
  readonly node: NodeName
}

export class TableServer extends GenServer {
  #table: ServedTable | undefined = undefined
  #isFlushing = false
  #ticks = 0
  /** The monitors on the servers of other nodes, one a node: only a `DOWN` of one of ours is believed. */
  readonly #servers = new Map<NodeName, { readonly ref: Ref; readonly server: Pid }>()
  /** Nodes that have not answered a hello, and the monitors that tell whether there is a server there at all. */
  readonly #unanswered = new Map<NodeName, Ref>()
  /** What the timers are for, by their references; and those of a node. */
  readonly #due = new Map<string, Due>()
  readonly #forgets = new Map<NodeName, Ref>()
  readonly #asks = new Map<NodeName, Ref>()

  override init(table: ServedTable): void {
    this.#table = table
    this.self.tagRemote((message, origin) => (looksLikeTableMessage(message) ? new FromNode(message, origin) : message))
    this.self.monitorNodes(true)
    for (const [node, view] of this.#replica.views) if (view.state === 'hidden') this.forgetLater(node)
    for (const node of table.nodes()) this.#sayHello(node, 'is new')
    this.#startTimer(table.tickMs, { type: 'tick' })
    table.onServer(this)
    // What an earlier server has not done any more.
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
    if (message instanceof FromNode) this.#onFromNode(message)
    else if (hasType(message, 'flush')) this.#flush()
    else if (hasType(message, 'nodeup')) this.#onNodeUp(message)
    else if (hasType(message, 'nodedown')) return
    else if (hasType(message, 'DOWN')) this.#onDown(message)
    else if (hasType(message, 'timeout')) this.#onDue(message)
    // Came before init had begun, from nobody knows where: whom the hello of this server reaches says it again.
    else if (looksLikeTableMessage(message)) return
    else this.log.warn({ message: typeof message }, 'the table server got a message that is not for it')
  }

  /** What the table is like, for `sys.getState`. */
  override getState(): object {
    const { table, views, feeds, log } = this.#replica
    return {
      table: this.#served.name,
      policy: this.#replica.policy,
      seq: log.seq,
      own: table.own.count,
      size: table.size,
      views: Object.fromEntries(
        [...views].map(([node, { state, seq, copy }]) => [node, { state, seq, rows: copy?.count ?? 0 }]),
      ),
      feeds: [...feeds.keys()],
    }
  }

  /** Whether a node that may have the table hasn't said so yet. */
  get isAskingWhoIsThere(): boolean {
    return this.#unanswered.size > 0
  }

  get context(): Context {
    return this.self
  }

  /** All that happens until then is sent in one go, in a turn soon; a lone change doesn't wait for more. */
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
    this.#arm(this.#forgets, KEPT_MS, { type: 'forget', node })
  }

  get #served(): ServedTable {
    if (this.#table === undefined) throw new TypeError('the table server has not been started')
    return this.#table
  }

  get #replica(): Replica {
    return this.#served.replica
  }

  #onFromNode({ message, origin }: FromNode): void {
    // Of a connection that is lost: what it has brought counts for nothing any more.
    if (this.#served.isOver(origin)) return
    if (!isTableMessage(message)) {
      this.log.warn({ peer: origin.name }, 'a message of another table server is not well-formed')
      return
    }
    const { from } = message
    if (from.node !== origin.name || from.incarnation !== origin.incarnation) {
      this.log.warn(
        { peer: origin.name, from: from.toString() },
        'a message of another table server bears a false name',
      )
      return
    }
    if (message.type === 'broadcast') {
      this.#served.onBroadcast(this.self, message.group, message.message)
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
      this.log.error(
        { peer: origin.name, theirs: hello.policy, ours: this.#replica.policy },
        'the table is of another kind or policy on another node: neither sees what the other has',
      )
      // It is to know that too.
      if (hello.isNew) this.#sayHello(origin.name, 'greets')
      return
    }
    if (known?.equals(hello.from) !== true) this.#watchServer(hello.from)
    this.#disarm(this.#forgets, origin.name)
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
        this.log.warn(
          { peer: node, delayMs: verdict.delayMs },
          'a node sends more than is taken of it, or what does not add up',
        )
        this.#arm(this.#asks, verdict.delayMs, { type: 'ask', node })
        return
      case 'refused':
        this.log.error({ peer: node, problem: verdict.problem }, 'what a node has in the table is refused')
        this.#arm(this.#asks, REFUSED_MS, { type: 'ask', node })
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
    this.sendBatches()
    this.#served.tellWatchers(this.self)
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

  #onTick(): void {
    this.#startTimer(this.#served.tickMs, { type: 'tick' })
    const always = ++this.#ticks % IDLE_TICKS === 0
    this.#replica.log.seal(this.#served.nowMs())
    for (const feed of this.#replica.feeds.values()) {
      const tick = feed.tick(always)
      if (tick !== undefined) this.self.send(feed.server, tick)
    }
  }

  #onDue({ ref }: Partial<TimeoutMessage>): void {
    const key = String(ref)
    const due = this.#due.get(key)
    this.#due.delete(key)
    switch (due?.type) {
      case 'tick':
        this.#onTick()
        return
      case 'forget':
        this.#forgets.delete(due.node)
        this.#replica.forget(due.node)
        this.requestFlush()
        return
      case 'ask':
        this.#asks.delete(due.node)
        if (this.#served.nodes().includes(due.node)) this.#sayHello(due.node, 'lacks something')
        return
      case undefined:
        // Nobody else's timer, and no text that only looks like one, makes it do anything.
        return
      default:
        assertNever(due)
    }
  }

  /** In place of an earlier timer for the same. */
  #arm(timers: Map<NodeName, Ref>, delayMs: number, due: Due & OfNode): void {
    this.#disarm(timers, due.node)
    timers.set(due.node, this.#startTimer(delayMs, due))
  }

  #disarm(timers: Map<NodeName, Ref>, node: NodeName): void {
    const ref = timers.get(node)
    if (ref === undefined) return
    this.self.cancelTimer(ref)
    this.#due.delete(ref.toString())
    timers.delete(node)
  }

  #startTimer(delayMs: number, due: Due): Ref {
    const ref = this.self.startTimer(delayMs, this.pid, 'due')
    this.#due.set(ref.toString(), due)
    return ref
  }
}
