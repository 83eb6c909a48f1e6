/**
 * Bursts: processes do many things at once, several of them at the same time, and nobody waits for anything to come to rest.
 *
 * What comes of it is not foreseen. Each process keeps a log of what it did and what came, in its own order; order-rules.ts judges the logs.
 */
import {
  assertNever,
  handler,
  hasType,
  PidmeshError,
  type Context,
  type ExitReason,
  type MonitorOptions,
  type NameOnNode,
  type Node,
  type Pid,
  type ProcessBody,
  type Ref,
} from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import fc from 'fast-check'
import { ALIAS_MODES, type AliasMode } from './commands.ts'

export type Way = 'pid' | 'name'

/** Processes are numbers here: the first half of them is on the first node. References are counted too, by the whole cluster. */
export type BurstAct =
  | { readonly type: 'send'; readonly to: number; readonly way: Way }
  /** To an alias of somebody. */
  | { readonly type: 'send_alias'; readonly alias: number }
  | { readonly type: 'exit' | 'kill' | 'link' | 'unlink'; readonly to: number }
  | { readonly type: 'monitor'; readonly to: number; readonly way: Way; readonly alias: AliasMode }
  /** One of those that it has made. */
  | { readonly type: 'demonitor'; readonly monitor: number; readonly flush: boolean }
  | { readonly type: 'alias'; readonly once: boolean }
  | { readonly type: 'unalias'; readonly alias: number }
  | { readonly type: 'leave'; readonly how: 'normal' | 'boom' | 'throw' | 'kill_self' }

export interface Burst {
  /** Who is told to do what, all in the same moment. */
  readonly orders: readonly { readonly by: number; readonly acts: readonly BurstAct[] }[]
  /** Until the next burst. */
  readonly thenMs: number
}

export interface BurstHistory {
  readonly seed: number
  readonly bursts: readonly Burst[]
}

export const PROCESSES = 8

/** What one process did or got. */
export type Entry =
  | { readonly type: 'sent'; readonly seq: number; readonly to: number; readonly via: Way | 'exit' }
  | { readonly type: 'sent_alias'; readonly seq: number; readonly to: number; readonly ref: number }
  | { readonly type: 'linked'; readonly to: number }
  /** With how many `EXIT`s of that link in the mailbox already. */
  | { readonly type: 'unlinked'; readonly to: number; readonly pending: number }
  | { readonly type: 'monitored'; readonly ref: number; readonly to: number; readonly alias: AliasMode }
  /** With what was in the mailbox already, and had not been flushed. */
  | {
      readonly type: 'demonitored'
      readonly ref: number
      readonly flush: boolean
      readonly pendingDown: number
      readonly pendingMessages: number
    }
  | { readonly type: 'opened'; readonly ref: number; readonly once: boolean }
  | { readonly type: 'closed'; readonly ref: number; readonly pendingMessages: number }
  /** It could do something after its end. */
  | { readonly type: 'acted_dead'; readonly act: BurstAct }
  | { readonly type: 'got'; readonly from: number; readonly seq: number; readonly ref: number | undefined }
  | { readonly type: 'got_exit'; readonly from: number; readonly seq: number }
  | { readonly type: 'got_link_exit'; readonly from: number; readonly reason: string }
  | { readonly type: 'got_down'; readonly ref: number; readonly reason: string }

export interface BurstLog {
  readonly traps: boolean
  readonly entries: readonly Entry[]
  /** As one on its own node is told who has watched it from its start. */
  readonly exited: string | undefined
  /** What is left when all has come to rest. */
  readonly links: readonly number[]
  readonly monitors: readonly number[]
  readonly monitoredBy: readonly number[]
}

/** One of three doesn't trap. */
function trapsOf(index: number): boolean {
  return index % 3 !== 1
}

const anyone = fc.nat(PROCESSES - 1)
const way = fc.constantFrom<Way>('pid', 'name')
const nth = fc.nat(5)

const burstAct: fc.Arbitrary<BurstAct> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ type: fc.constant('send' as const), to: anyone, way }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('send_alias' as const), alias: nth }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('exit' as const), to: anyone }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('kill' as const), to: anyone }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('link' as const), to: anyone }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('unlink' as const), to: anyone }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('monitor' as const),
      to: anyone,
      way,
      alias: fc.constantFrom(...ALIAS_MODES),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('demonitor' as const), monitor: nth, flush: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('alias' as const), once: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('unalias' as const), alias: nth }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('leave' as const),
      how: fc.constantFrom('normal', 'boom', 'throw', 'kill_self'),
    }),
  },
)

const burst: fc.Arbitrary<Burst> = fc.record({
  orders: fc.array(fc.record({ by: anyone, acts: fc.array(burstAct, { minLength: 1, maxLength: 12, size: 'max' }) }), {
    minLength: 1,
    maxLength: 6,
    size: 'max',
  }),
  thenMs: fc.constantFrom(0, 1, 7, 40),
})

export const burstHistories: fc.Arbitrary<BurstHistory> = fc.record({
  seed: fc.nat(1_000_000),
  bursts: fc.array(burst, { minLength: 1, maxLength: 8, size: 'max' }),
})

class Order {
  readonly acts: readonly BurstAct[]

  constructor(acts: readonly BurstAct[]) {
    this.acts = acts
  }
}

/** What they send each other; `to` if it is an exit signal's reason, `ref` if it was to an alias. */
interface Tag {
  readonly from: number
  readonly seq: number
  readonly to?: number
  readonly ref?: number
}

interface Member {
  readonly index: number
  readonly node: Node
  readonly entries: Entry[]
  pid: Pid
  exited: string | undefined
  /** Those that it has made, as they are counted. */
  readonly monitors: number[]
}

class BurstWorld {
  private readonly members: Member[] = []
  private readonly byPid = new Map<string, number>()
  private readonly refs: Ref[] = []
  private readonly byRef = new Map<string, number>()
  /** All that were ever open, the newest first. */
  private readonly aliases: { readonly ref: number; readonly owner: number }[] = []
  private lastSeq = 0

  constructor(nodes: readonly Node[]) {
    for (let index = 0; index < PROCESSES; index++) {
      const node = nodes[Math.floor((index * nodes.length) / PROCESSES)] as Node
      const member: Member = { index, node, entries: [], pid: node.self.pid, exited: undefined, monitors: [] }
      this.members.push(member)
      member.pid = node.spawn(this.body(member), { trapExit: trapsOf(index), name: `x${index}` })
      this.byPid.set(member.pid.toString(), index)
      node.spawn(async (self) => {
        self.monitor(member.pid)
        member.exited = reasonText((await self.receive('DOWN')).reason)
      })
    }
  }

  order(by: number, acts: readonly BurstAct[]): void {
    const { node, pid } = this.member(by)
    node.send(pid, new Order(acts))
  }

  logs(): BurstLog[] {
    return this.members.map(({ index, entries, exited, node, pid }) => {
      const info = node.processInfo(pid)
      const indices = (objects: readonly (Pid | NameOnNode)[] = []): number[] =>
        objects.flatMap((object) => this.indexOf(object) ?? [])
      return {
        traps: trapsOf(index),
        entries: [...entries],
        exited,
        links: indices(info?.links),
        monitors: indices(info?.monitors),
        monitoredBy: indices(info?.monitoredBy),
      }
    })
  }

  /** `undefined` for those who only watch. */
  private indexOf(object: Pid | NameOnNode): number | undefined {
    return 'name' in object ? Number(object.name.slice(1)) : this.byPid.get(object.toString())
  }

  private member(index: number): Member {
    const member = this.members[index]
    if (member === undefined) throw new Error(`there is no process ${index}`)
    return member
  }

  private body(member: Member): ProcessBody {
    const take = (self: Context, message: unknown): void => {
      if (message instanceof Order) for (const act of message.acts) this.tryTo(member, self, act)
      else member.entries.push(this.arrival(member, message))
    }
    if (member.index % 2 === 0) return handler((self) => (message) => take(self, message))
    return async (self) => {
      for (;;) take(self, await self.receive())
    }
  }

  private tryTo(member: Member, self: Context, act: BurstAct): void {
    const wasAlive = self.isAlive
    try {
      const acted = this.perform(member, self, act)
      if (acted && !wasAlive) member.entries.push({ type: 'acted_dead', act })
    } catch (error) {
      const code = error instanceof PidmeshError ? error.code : undefined
      if (code === 'ERR_PROCESS_EXITED' && !wasAlive) return
      // Nobody has that name any more.
      if (code === 'ERR_NOT_REGISTERED') return
      throw error
    }
  }

  /** Says whether there was anything to do. Noted is what has been done, so that an act that fails leaves nothing in the log. */
  private perform(member: Member, self: Context, act: BurstAct): boolean {
    const { entries, index, monitors } = member
    switch (act.type) {
      case 'send': {
        const seq = ++this.lastSeq
        self.send(this.destination(member, act.to, act.way), { from: index, seq } satisfies Tag)
        return note(entries, { type: 'sent', seq, to: act.to, via: act.way })
      }
      case 'send_alias': {
        const alias = this.aliases[act.alias]
        if (alias === undefined) return false
        const seq = ++this.lastSeq
        self.send(this.ref(alias.ref), { from: index, seq, ref: alias.ref } satisfies Tag)
        return note(entries, { type: 'sent_alias', seq, to: alias.owner, ref: alias.ref })
      }
      case 'exit': {
        // To itself it would be its own end, and not to be told from that of others by its reason.
        if (act.to === index) return false
        const seq = ++this.lastSeq
        self.exit(this.member(act.to).pid, { from: index, seq, to: act.to } satisfies Tag)
        return note(entries, { type: 'sent', seq, to: act.to, via: 'exit' })
      }
      case 'kill':
        self.exit(this.member(act.to).pid, 'kill')
        return true
      case 'link':
        self.link(this.member(act.to).pid)
        return note(entries, { type: 'linked', to: act.to })
      case 'unlink': {
        self.unlink(this.member(act.to).pid)
        const pending = this.pending(member, (entry) => entry.type === 'got_link_exit' && entry.from === act.to)
        return note(entries, { type: 'unlinked', to: act.to, pending })
      }
      case 'monitor': {
        const options: MonitorOptions = act.alias === 'none' ? {} : { alias: act.alias }
        const ref = this.count(self.monitor(this.destination(member, act.to, act.way), options))
        // A reference that is neither monitor nor alias.
        if (act.to === index) return true
        monitors.unshift(ref)
        if (act.alias !== 'none') this.aliases.unshift({ ref, owner: index })
        return note(entries, { type: 'monitored', ref, to: act.to, alias: act.alias })
      }
      case 'demonitor': {
        const ref = monitors[act.monitor]
        if (ref === undefined) return false
        self.demonitor(this.ref(ref), { flush: act.flush })
        const pendingDown = this.pending(member, (entry) => entry.type === 'got_down' && entry.ref === ref)
        const pendingMessages = this.pending(member, (entry) => entry.type === 'got' && entry.ref === ref)
        return note(entries, { type: 'demonitored', ref, flush: act.flush, pendingDown, pendingMessages })
      }
      case 'alias': {
        const ref = this.count(self.alias({ reply: act.once }))
        this.aliases.unshift({ ref, owner: index })
        return note(entries, { type: 'opened', ref, once: act.once })
      }
      case 'unalias': {
        const own = this.aliases.filter(({ owner }) => owner === index)[act.alias]
        if (own === undefined) return false
        self.unalias(this.ref(own.ref))
        const pendingMessages = this.pending(member, (entry) => entry.type === 'got' && entry.ref === own.ref)
        return note(entries, { type: 'closed', ref: own.ref, pendingMessages })
      }
      case 'leave':
        if (!self.isAlive) return false
        if (act.how === 'throw') throw new Error('thrown')
        if (act.how === 'kill_self') self.exit(self.pid, 'kill')
        else self.exit(act.how)
        return true
      default:
        return assertNever(act)
    }
  }

  private destination(from: Member, to: number, by: Way): Pid | NameOnNode | string {
    const { pid, node } = this.member(to)
    if (by === 'pid') return pid
    return node === from.node ? `x${to}` : { name: `x${to}`, node: node.name }
  }

  /** How many of its mailbox match. */
  private pending(member: Member, matches: (entry: Entry) => boolean): number {
    const messages = member.node.processInfo(member.pid, { messages: Infinity })?.messages ?? []
    return messages.filter((message) => !(message instanceof Order) && matches(this.arrival(member, message))).length
  }

  private count(ref: Ref): number {
    this.byRef.set(ref.toString(), this.refs.length)
    return this.refs.push(ref) - 1
  }

  private ref(index: number): Ref {
    const ref = this.refs[index]
    if (ref === undefined) throw new Error(`there is no reference ${index}`)
    return ref
  }

  private arrival({ index }: Member, message: unknown): Entry {
    if (hasType(message, 'DOWN'))
      return { type: 'got_down', ref: this.byRef.get(message.ref.toString()) ?? -1, reason: reasonText(message.reason) }
    if (hasType(message, 'EXIT')) {
      const from = this.byPid.get(message.from.toString()) ?? -1
      // With the reason of another exit signal it is a link's, of one whom that signal has ended.
      if (isTag(message.reason) && message.reason.from === from && message.reason.to === index)
        return { type: 'got_exit', from, seq: message.reason.seq }
      return { type: 'got_link_exit', from, reason: reasonText(message.reason) }
    }
    const { from, seq, ref } = message as Tag
    return { type: 'got', from, seq, ref }
  }
}

/** The logs of a history, on so many nodes. */
export async function playBursts({ seed, bursts }: BurstHistory, nodeCount: 1 | 2): Promise<BurstLog[]> {
  const cluster = new TestCluster({ seed, latencyMs: [0, 20] })
  const nodes: Node[] = []
  for (const name of ['a', 'b'].slice(0, nodeCount)) nodes.push(await cluster.start(name))
  const world = new BurstWorld(nodes)
  await cluster.settle()
  for (const { orders, thenMs } of bursts) {
    for (const { by, acts } of orders) world.order(by, acts)
    await cluster.advance(thenMs)
  }
  await cluster.advance(1_000)
  const logs = world.logs()
  await cluster.stop()
  return logs
}

function note(entries: Entry[], entry: Entry): true {
  entries.push(entry)
  return true
}

function isTag(reason: ExitReason): reason is ExitReason & Tag {
  return typeof reason === 'object' && 'seq' in reason
}

function reasonText(reason: ExitReason): string {
  return typeof reason === 'string' ? reason : isTag(reason) ? `exit ${reason.seq} of ${reason.from}` : 'thrown'
}
