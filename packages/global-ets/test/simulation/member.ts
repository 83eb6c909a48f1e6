/**
 * A node with its part in the table, and what the history knows of it: its processes, who should have what, who watches.
 *
 * What the engine does is listened to at the methods of its replica, which outlives its servers; the judge is told of each as it has happened.
 */
import { GlobalEts, type NameChange, type NamesMessage, type SortKeyPolicy } from '@pidmesh/global-ets'
import { handler, hasType, type Node, type NodeIdentity, type Pid } from '@pidmesh/runtime'
import { checkMeta } from '../../src/checks.ts'
import type { ConflictPolicy } from '../../src/engine/conflict.ts'
import { ReplicatedTable } from '../../src/engine/replicated-table.ts'
import { NONE } from '../../src/engine/rows.ts'
import { OwnerRecord } from './owner-record.ts'
import type { Plan, PolicyKind } from './plan.ts'
import { WatchModel } from './watch-model.ts'

export interface Proc {
  readonly pid: Pid
  readonly text: string
  readonly traps: boolean
  isAlive: boolean
  /** By the history: nobody else may have ended it. */
  isKilled: boolean
  /** Names that it has lost, and those of them that it was told of. */
  readonly lost: Set<string>
  readonly told: Set<string>
}

/** What the engine does, as it has happened. */
export interface MemberEvents {
  note(what: string): void
  /** Something has come from a node. */
  onMessage(member: Member, origin: NodeIdentity, type: string, verdict: string, before: string): void
  onGone(member: Member, node: string, before: string): void
  onForgotten(member: Member, node: string, before: string): void
  /** A row of its own is about to be given up. */
  onGiveUp(member: Member, slot: number): void
  onEnd(member: Member, proc: Proc, reason: unknown): void
  breach(rule: string): void
}

const PREFIX = 'n'
/** Rows that are taken of one node, or operations a second, where little is taken. */
export const TIGHT_ROWS = 8
const TIGHT_OPS_PER_SECOND = 2

const LARGEST: SortKeyPolicy = {
  name: 'largest',
  sortKey: ({ meta }) => (typeof meta['v'] === 'number' ? meta['v'] % 5 : -1),
}

export function policyOf(kind: PolicyKind): ConflictPolicy {
  return kind === 'largest' ? LARGEST : kind
}

export class Member {
  readonly host: string
  readonly node: Node
  readonly names: GlobalEts | undefined
  readonly table: ReplicatedTable<NameChange>
  readonly record: OwnerRecord
  readonly procs: Map<string, Proc> = new Map()
  readonly watches: WatchModel[] = []
  /** By name or group: the processes that should have a claim, one entry a claim. */
  readonly claims: Map<string, string[]> = new Map()
  /** The history itself is changing the table. */
  isActing = false
  /** The next delta is not taken: as by a mistake in the code. */
  losesDelta = false
  private isReleasing = false
  private readonly events: MemberEvents
  private readonly kind: Plan['kind']

  private constructor(
    host: string,
    node: Node,
    part: { readonly names: GlobalEts | undefined; readonly table: ReplicatedTable<NameChange> },
    events: MemberEvents,
  ) {
    this.host = host
    this.node = node
    this.names = part.names
    this.table = part.table
    this.kind = part.names === undefined ? 'groups' : 'names'
    this.events = events
    const { replica } = this.table
    this.record = new OwnerRecord(replica.table.own.owner, replica.log, this.kind)
    this.listen()
    node.trace('all', { exit: true }, (event) => {
      const proc = event.type === 'exit' ? this.procs.get(event.pid.toString()) : undefined
      if (event.type === 'exit' && proc !== undefined) events.onEnd(this, proc, event.reason)
    })
  }

  static async start(host: string, node: Node, plan: Plan, events: MemberEvents): Promise<Member> {
    const part = plan.kind === 'names' ? await startNames(node, plan) : await startGroups(node, plan)
    const member = new Member(host, node, part, events)
    const { replica } = part.table
    if (plan.tiny[plan.hosts.indexOf(host)] === true) {
      replica.log.limits = {
        batchBytes: 100,
        ringBytes: Math.floor(plan.seed / 4) % 2 === 0 ? 300 : 1_000,
        ringMs: 60_000,
      }
      replica.pace = {
        chunkBytes: 60,
        messagesPerTurn: 1,
        rowsPerTurn: 2,
        defeatsPerTurn: 1,
        changesMs: plan.seed % 5,
        pauseMs: plan.seed % 3,
      }
    }
    return member
  }

  get isNames(): boolean {
    return this.kind === 'names'
  }

  spawn(traps: boolean): Proc {
    const pid = this.node.spawn(
      handler(() => (message) => this.onProcMessage(pid, message)),
      { trapExit: traps },
    )
    const text = pid.toString()
    const proc: Proc = { pid, text, traps, isAlive: true, isKilled: false, lost: new Set(), told: new Set() }
    this.procs.set(text, proc)
    return proc
  }

  alive(): Proc[] {
    return [...this.procs.values()].filter(({ isAlive, lost }) => isAlive && lost.size === 0)
  }

  /** Keys that it should have claims to. */
  ownKeys(): string[] {
    return [...this.claims.keys()]
  }

  register(key: string, proc: Proc, meta: { readonly [name: string]: number }): boolean {
    return this.acting(() => {
      if (this.names === undefined) {
        if (!this.table.put(key, proc.pid, checkMeta(this.table.replica.terms, meta))) return false
      } else if (this.names.registerName(key, proc.pid, meta) === 'no') {
        return false
      }
      this.claims.set(key, this.isNames ? [proc.text] : [...(this.claims.get(key) ?? []), proc.text])
      return true
    })
  }

  unregister(key: string): void {
    this.acting(() => {
      const holders = this.claims.get(key)
      if (this.names !== undefined) {
        this.names.unregisterName(key)
        this.claims.delete(key)
        return
      }
      const proc = this.procs.get(holders?.[0] ?? '')
      const { table } = this.table.replica
      const [slot] = proc === undefined ? [] : table.findClaims(table.own, key, proc.pid.id)
      if (slot === undefined || proc === undefined) return
      this.table.remove(slot)
      this.dropClaim(key, proc.text)
    })
  }

  setMeta(key: string, meta: { readonly [name: string]: number }): void {
    this.acting(() => {
      if (this.names !== undefined) {
        this.names.setMeta(key, meta)
        return
      }
      const { table, terms } = this.table.replica
      const proc = this.procs.get(this.claims.get(key)?.[0] ?? '')
      if (proc !== undefined) this.table.change(table.findClaims(table.own, key, proc.pid.id), checkMeta(terms, meta))
    })
  }

  /** Says whether it has the name now. */
  takeover(key: string, proc: Proc, meta: { readonly [name: string]: number }): boolean {
    const { names } = this
    if (names === undefined) return false
    return this.acting(() => {
      const before = this.procs.get(this.claims.get(key)?.[0] ?? '')
      const wasSeen = names.whereisName(key)?.toString() === before?.text
      const loser = before !== undefined && before !== proc && wasSeen ? before : undefined
      // It may have ended by the time that the call is back.
      loser?.lost.add(key)
      if (names.takeover(key, proc.pid, { meta }) === undefined) {
        loser?.lost.delete(key)
        return false
      }
      this.claims.set(key, [proc.text])
      return true
    })
  }

  watch(proc: Proc, by: 'all' | 'prefix'): void {
    if (this.names !== undefined) {
      const { ref, rows } = this.names.watch(proc.pid, by === 'all' ? {} : { prefix: PREFIX })
      this.watches.push(new WatchModel(proc, ref, { prefix: by === 'all' ? '' : PREFIX, isNames: true }, rows))
      return
    }
    const ref = this.table.watch(proc.pid, { type: 'all' })
    const rows = this.toldRows()
    this.watches.push(new WatchModel(proc, ref, { prefix: '', isNames: false }, rows))
  }

  unwatch(watch: WatchModel): void {
    this.watches.splice(this.watches.indexOf(watch), 1)
    if (!this.table.watches.remove(watch.ref)) this.events.breach(`${this.host}: a watch wasn't there any more`)
  }

  /** What its watchers have been told is there. */
  toldRows(): { readonly name: string; readonly pid: Pid; readonly meta: NameChange['meta'] }[] {
    const { table } = this.table.replica
    const rows: { readonly name: string; readonly pid: Pid; readonly meta: NameChange['meta'] }[] = []
    for (const name of table.keys())
      for (const slot of table.rowsOf(name))
        if (table.rows.isTold(slot)) rows.push({ name, pid: this.table.pidOf(slot), meta: table.rows.metaOf(slot) })
    return rows
  }

  dropClaim(key: string, proc: string): void {
    const holders = this.claims.get(key) ?? []
    const at = holders.indexOf(proc)
    if (at === -1) return
    const left = holders.filter((_, index) => index !== at)
    if (left.length === 0) this.claims.delete(key)
    else this.claims.set(key, left)
  }

  private acting<T>(act: () => T): T {
    this.isActing = true
    try {
      return act()
    } finally {
      this.isActing = false
    }
  }

  private onProcMessage(pid: Pid, message: unknown): void {
    const proc = this.procs.get(pid.toString())
    if (proc === undefined) return
    if (hasType(message, 'names')) this.onChanges(message as NamesMessage)
    else if (hasType(message, 'name_lost')) this.onLost(proc, (message as { readonly name?: unknown }).name)
    else if (hasType(message, 'EXIT')) this.onLost(proc, lostName((message as { readonly reason?: unknown }).reason))
  }

  private onLost(proc: Proc, name: unknown): void {
    const text = String(name)
    this.events.note(`${proc.text} is told that it has lost ${text}`)
    if (proc.told.has(text)) this.events.breach(`${proc.text} is told twice that it has lost ${text}`)
    proc.told.add(text)
  }

  private onChanges({ ref, changes }: NamesMessage): void {
    const watch = this.watches.find((one) => one.ref.equals(ref))
    for (const change of changes) {
      this.events.note(`${this.host} is told: ${change.type} ${change.name} ${change.pid}`)
      const problem = watch?.take(change)
      if (problem !== undefined) this.events.breach(`${this.host}: ${problem}`)
    }
  }

  private listen(): void {
    const { replica } = this.table
    const { events } = this
    const stateOf = (node: string): string => [...replica.views].find(([name]) => name === node)?.[1].state ?? 'absent'
    const { onMessage, onHello, gone, forget, remove, release } = replica
    replica.onMessage = (origin, message, nowMs) => {
      const before = stateOf(origin.name)
      if (this.losesDelta && message.type === 'delta') {
        this.losesDelta = false
        events.note(`${this.host} loses a delta of ${origin.name}`)
        return { type: 'nothing' }
      }
      const verdict = onMessage.call(replica, origin, message, nowMs)
      events.onMessage(this, origin, message.type, verdict.type, before)
      return verdict
    }
    replica.onHello = (origin, hello, from, nowMs) => {
      const before = stateOf(origin.name)
      const fits = onHello.call(replica, origin, hello, from, nowMs)
      events.onMessage(this, origin, 'hello', fits ? 'nothing' : 'misfit', before)
      return fits
    }
    replica.gone = (node) => {
      const before = stateOf(node)
      const isKept = gone.call(replica, node)
      events.onGone(this, node, before)
      return isKept
    }
    replica.forget = (node) => {
      const before = stateOf(node)
      forget.call(replica, node)
      events.onForgotten(this, node, before)
    }
    replica.release = (id) => {
      this.isReleasing = true
      const hadRows = release.call(replica, id)
      this.isReleasing = false
      return hadRows
    }
    replica.remove = (slot) => {
      if (!this.isActing && !this.isReleasing) events.onGiveUp(this, slot)
      remove.call(replica, slot)
    }
  }
}

/** What a name was lost for, in an exit reason. */
function lostName(reason: unknown): string {
  const conflict = (reason as { readonly name_conflict?: { readonly name?: unknown } } | undefined)?.name_conflict
  return String(conflict?.name)
}

export function isConflict(reason: unknown): boolean {
  return typeof reason === 'object' && reason !== null && 'name_conflict' in reason
}

export { NONE, PREFIX, lostName }

async function startNames(node: Node, plan: Plan): Promise<{ names: GlobalEts; table: ReplicatedTable<NameChange> }> {
  const quota = !plan.isTight
    ? {}
    : plan.seed % 4 < 2
      ? { maxNamesPerNode: TIGHT_ROWS }
      : { maxOpsPerSecond: TIGHT_OPS_PER_SECOND }
  const names = await GlobalEts.start(node, {
    policy: policyOf(plan.policy),
    loser: plan.loser,
    ordered: plan.isOrdered,
    countedPrefixes: [PREFIX],
    quota,
  })
  // The facade keeps its table to itself: but who judges must see what it has of each owner.
  return { names, table: Reflect.get(names, 'table') as ReplicatedTable<NameChange> }
}

async function startGroups(node: Node, plan: Plan): Promise<{ names: undefined; table: ReplicatedTable<NameChange> }> {
  const table: ReplicatedTable<NameChange> = await ReplicatedTable.start<NameChange>(node, {
    kind: 'groups',
    name: 'pidmesh_global_ets:default',
    policy: 'smaller_node',
    prefixes: [PREFIX],
    isOrdered: plan.isOrdered,
    ...(plan.isTight ? { quota: { maxRowsPerNode: TIGHT_ROWS } } : {}),
    changeOf: (type, slot) => {
      const { rows } = table.replica.table
      return { type, name: rows.keyOf(slot), pid: table.pidOf(slot), meta: rows.metaOf(slot) }
    },
    messagesOf: (ref, changes): NamesMessage[] => [{ type: 'names', scope: 'default', ref, changes }],
  })
  return { names: undefined, table }
}
