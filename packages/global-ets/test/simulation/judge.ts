/**
 * The rules, judged by one who sees all nodes: I1, I2, I5 and I6 of docs/replication.md with each thing that comes from elsewhere, all of them after each step, and
 * at the end that all have come to the same.
 *
 * The judge knows what each owner had at each of its sequence numbers, by a record of the owner's own operations, and decides by rules of its own who is first.
 */
import type { NodeIdentity } from '@pidmesh/runtime'
import type { Copy } from '../../src/engine/copy.ts'
import { hashOfKey, hashOfRow } from '../../src/engine/hashes.ts'
import { KeyWords } from '../../src/engine/key-words.ts'
import { hashOfMeta } from '../../src/engine/ops.ts'
import type { Table } from '../../src/engine/table.ts'
import type { View } from '../../src/engine/view.ts'
import { isConflict, lostName, NONE, PREFIX, type Member, type MemberEvents, type Proc } from './member.ts'
import type { OwnerRecord } from './owner-record.ts'
import type { Plan } from './plan.ts'

/** Rows that come in at once beyond what was there, in the largest burst. */
const MAX_ROWS_HELD = 3_000

export class Judge implements MemberEvents {
  readonly broken: string[] = []
  /** How often what has happened. */
  readonly seen: Map<string, number> = new Map()
  readonly note: (what: string) => void
  /** Copies that were damaged on purpose: nothing is asked of them until they are replaced. */
  readonly damaged: WeakSet<Copy> = new WeakSet()
  /** Members that have crashed, or were stopped. */
  readonly ended: Set<Member> = new Set()
  /** Something was lost that never is. */
  hasRot = false
  private readonly plan: Plan
  private readonly records = new Map<number, OwnerRecord>()
  /** The largest number that a member has had of a log. */
  private readonly reached = new Map<string, number>()
  private readonly filling = new Set<string>()
  /** Nodes that a member has lost, and has not been sent anything whole of since then. */
  private readonly unsynced = new Set<string>()
  /** What each member was like when it was last looked at. */
  private readonly looked = new WeakMap<Member, string>()
  private readonly summed = new WeakMap<Copy, string>()
  private readonly watched = new WeakMap<Member, string>()

  constructor(plan: Plan, note: (what: string) => void) {
    this.plan = plan
    this.note = note
  }

  /** Is told of each message when it has been taken. */
  onTaken: (host: string, from: string, type: string) => void = () => undefined

  breach(rule: string): void {
    this.broken.push(rule)
  }

  count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1)
  }

  began(member: Member): void {
    this.records.set(member.record.log.life, member.record)
  }

  onMessage(member: Member, origin: NodeIdentity, type: string, verdict: string, before: string): void {
    const view = member.table.replica.views.get(origin.name)
    const after = view?.state ?? 'absent'
    this.note(`${member.host} gets ${type} of ${origin.name}: ${before} → ${after} ${view?.seq ?? 0} ${verdict}`)
    this.count(type)
    if (before !== after) this.count(`${before} → ${after} by ${type}`)
    if (verdict !== 'nothing') this.count(`verdict ${verdict}`)
    // On an ordered connection nothing is ever missing. But of two hellos that cross the second may be answered for what was so before the first was.
    const isLate = type === 'resume' && verdict === 'ask'
    // And who was held up reads all snapshots at once that an owner with a short log has begun meanwhile.
    const { hosts, tiny } = this.plan
    const isShort = tiny[hosts.findIndex((host) => origin.name.startsWith(`${host}@`))] === true
    const isMany = isShort && type === 'snapshot_begin' && verdict === 'ask_later'
    if (verdict !== 'nothing' && !isLate && !isMany && !this.plan.isTight && !this.hasRot)
      this.breach(`${member.host} takes ${type} of ${origin.name} for something that can't be: ${verdict}`)
    this.noteFilling(`${member.record.log.life} ${origin.name}`, type)
    if (type === 'resume' || type === 'snapshot_end') this.unsynced.delete(`${member.record.log.life} ${origin.name}`)
    if (view !== undefined) this.judgeView(member, view)
    this.onTaken(member.host, origin.name.slice(0, 1), type)
  }

  onGone(member: Member, node: string, before: string): void {
    this.note(`${member.host} has lost ${node}: ${before}`)
    this.count(`${before} is lost`)
    this.noteFilling(`${member.record.log.life} ${node}`, 'gone')
    this.unsynced.add(`${member.record.log.life} ${node}`)
    for (const view of member.table.replica.views.values())
      if (view.owner.name === node && view.copy?.isVisible === true)
        this.breach(`I6 ${member.host} has lost ${node}, and still sees it`)
  }

  onForgotten(member: Member, node: string, before: string): void {
    this.note(`${member.host} forgets ${node}`)
    if (before === 'hidden') this.count('forgotten')
  }

  onGiveUp(member: Member, slot: number): void {
    const { table } = member.table.replica
    const key = table.rows.keyOf(slot)
    const first = this.firstOf(member, key)
    const proc = member.procs.get(member.table.pidOf(slot).toString())
    this.note(`${member.host} gives up ${key} of ${proc?.text}`)
    this.count('defeat')
    if (!member.table.isOwn(slot) || proc === undefined) this.breach(`I5 ${member.host} gives up what isn't its own`)
    else if (first === slot) this.breach(`I5 ${member.host} gives up ${key}, and is the first by the policy`)
    if (proc === undefined) return
    proc.lost.add(key)
    member.dropClaim(key, proc.text)
  }

  onEnd(member: Member, proc: Proc, reason: unknown): void {
    if (this.ended.has(member)) return
    this.note(`${proc.text} ends: ${JSON.stringify(reason)}`)
    proc.isAlive = false
    for (const key of member.ownKeys())
      while (member.claims.get(key)?.includes(proc.text) === true) member.dropClaim(key, proc.text)
    for (let at = member.watches.length - 1; at >= 0; at--)
      if (member.watches[at]?.by === proc) member.watches.splice(at, 1)
    if (isConflict(reason) && !proc.lost.has(lostName(reason)))
      this.breach(`I5 ${proc.text} ends by a conflict over ${lostName(reason)}, which it has not lost`)
    else if (!proc.isKilled && (proc.lost.size === 0 || this.plan.loser === 'tell'))
      this.breach(`${proc.text} ends by ${JSON.stringify(reason)}, and nobody of this history has ended it`)
    if (proc.lost.size > 0 && !proc.isKilled) this.count(isConflict(reason) ? 'loser ends' : 'loser is killed')
  }

  /** A step is over, and nothing is left to do at this moment. */
  look(member: Member): void {
    const { replica } = member.table
    const { table, log, views } = replica
    for (const { copy, owner } of views.values())
      if (copy?.isVisible === true && member.table.livingServer === undefined)
        this.breach(`${member.host} sees ${owner.name} though no table server of it runs`)
    const state = [
      versionOf(table),
      table.rowsHeld,
      table.hasWork,
      log.seq,
      log.ringBytes,
      member.table.watches.isDue,
    ].join()
    if (this.looked.get(member) === state) return
    this.looked.set(member, state)
    const sum = member.record.at(log.seq)
    if (sum?.count !== table.own.count || sum.digest !== table.own.digest)
      this.breach(`${member.host} has other rows of its own than its log says`)
    this.judgeContent(member, table.own)
    for (const view of views.values()) {
      this.judgeView(member, view)
      if (view.copy !== undefined) this.judgeContent(member, view.copy)
    }
    this.judgeKeys(member)
    this.judgeBounds(member)
  }

  /** As what is known to those who watch: all that there was to tell has been told. */
  judgeWatches(member: Member): void {
    const { table } = member.table.replica
    const version = versionOf(table)
    if (member.watches.length === 0 || this.watched.get(member) === version) return
    if (table.hasWork || member.table.watches.isDue || member.table.livingServer === undefined) return
    this.watched.set(member, version)
    const told = member.toldRows()
    for (const watch of member.watches) {
      const [known, wanted] = [watch.rows().sort(), watch.rowsOf(told).sort()]
      if (known.join() !== wanted.join())
        this.breach(`one who watches ${member.host} knows ${known.join()}, and there is ${wanted.join()}`)
    }
  }

  /** The first by the policy, of all claims that can be seen. */
  firstOf(member: Member, key: string): number {
    const { table } = member.table.replica
    let first = NONE
    for (const slot of table.rowsOf(key))
      if (table.copyOf(slot).isVisible && (first === NONE || this.isBefore(member, slot, first))) first = slot
    return first
  }

  private isBefore(member: Member, a: number, b: number): boolean {
    const { table } = member.table.replica
    const [one, other] = [table.claimOf(a), table.claimOf(b)]
    if (this.plan.policy === 'newest' && one.epoch !== other.epoch) return one.epoch > other.epoch
    if (this.plan.policy === 'largest') {
      const [left, right] = [one, other].map(({ meta }) => (typeof meta['v'] === 'number' ? meta['v'] % 5 : -1))
      if (left !== right) return (left ?? 0) > (right ?? 0)
    }
    if (one.owner.name !== other.owner.name) return one.owner.name < other.owner.name
    if (one.owner.incarnation !== other.owner.incarnation) return one.owner.incarnation > other.owner.incarnation
    return one.id < other.id
  }

  private judgeView(member: Member, view: View): void {
    const { copy, life, seq, owner } = view
    if (copy === undefined) return
    const who = `${member.host} of ${owner.name}`
    if (copy.isVisible && this.unsynced.has(`${member.record.log.life} ${owner.name}`))
      this.breach(`I6 ${who} was lost, and is seen before it has been said again what there is`)
    const record = this.records.get(life)
    if (copy.isVisible && !member.node.nodes().includes(owner.name))
      this.breach(`I6 ${member.host} sees ${owner.name}, with which it is not connected`)
    if (record === undefined) {
      // Its owner is still being started, and has had no operation.
      if (seq > 0 || copy.count > 0) this.breach(`I1 ${who} has ${seq} of a log that never was`)
      return
    }
    if (record.owner.name !== owner.name || record.owner.incarnation !== owner.incarnation)
      this.breach(`I1 ${who} has rows of ${record.owner.name}/${record.owner.incarnation}, as of ${owner.incarnation}`)
    const way = `${member.record.log.life} ${life}`
    const reached = this.reached.get(way) ?? 0
    if (seq < reached) this.breach(`I2 ${who} goes back from ${reached} to ${seq}`)
    this.reached.set(way, Math.max(seq, reached))
    if (this.damaged.has(copy)) return
    const sum = record.at(seq)
    if (sum?.count !== copy.count || sum.digest !== copy.digest)
      this.breach(`I1 ${who} has ${copy.count} rows at ${seq}, of which the owner had ${sum?.count}, or others`)
  }

  /** The sums are those of the rows. */
  private judgeContent(member: Member, copy: Copy): void {
    const { table, terms } = member.table.replica
    const state = `${copy.count} ${copy.seen} ${copy.digest} ${copy.prefixCounts[0]}`
    if (this.summed.get(copy) === state) return
    this.summed.set(copy, state)
    let [count, seen, digest, byPrefix] = [0, 0, 0, 0]
    for (const slot of table.rowsOfCopy(copy)) {
      const { key, id, epoch, meta } = table.claimOf(slot)
      const { bytes, start, end } = terms.encode(meta)
      const metaHash = Object.keys(meta).length === 0 ? 0 : hashOfMeta(bytes.subarray(start, end))
      digest = (digest + hashOfRow(hashOfKey(KeyWords.of(key)), id, epoch, metaHash)) >>> 0
      count++
      if (table.rows.isBehind(slot)) continue
      seen++
      if (key.startsWith(PREFIX)) byPrefix++
    }
    if (copy.count !== count || copy.seen !== seen || copy.digest !== digest || copy.prefixCounts[0] !== byPrefix)
      this.breach(`${member.host}'s copy of ${copy.owner.name} has other sums than its rows`)
  }

  private judgeKeys(member: Member): void {
    const { table } = member.table.replica
    const isAtRest = !table.hasWork
    let [size, byPrefix] = [0, 0]
    for (const key of table.keys()) {
      const seen = [...table.membersOf(key)]
      const rows = member.isNames ? Math.min(1, seen.length) : seen.length
      size += rows
      if (key.startsWith(PREFIX)) byPrefix += rows
      const told = [...table.rowsOf(key)].filter((slot) => table.rows.isTold(slot))
      if (member.isNames) {
        const first = this.firstOf(member, key)
        if (table.visible(key) !== first) this.breach(`I4 ${member.host} sees another ${key} than the first of them`)
        if (told.length > 1) this.breach(`${member.host} has told of ${told.length} rows of ${key}`)
        if (isAtRest && (told[0] ?? NONE) !== first)
          this.breach(`${member.host} has told of another ${key} than it sees`)
      } else if (isAtRest && told.length !== seen.length) {
        this.breach(`${member.host} has told of ${told.length} members of ${key}, and sees ${seen.length}`)
      }
    }
    // A name that two nodes have may count twice until its rows have been looked at.
    if (!isAtRest) return
    if (table.size !== size) this.breach(`${member.host} says that it sees ${table.size} names, and sees ${size}`)
    const counted = table.countOfPrefix(0)
    if (counted !== byPrefix) this.breach(`${member.host} counts ${counted} of a prefix, and sees ${byPrefix}`)
  }

  private judgeBounds(member: Member): void {
    const { table, log, feeds, views } = member.table.replica
    const bound = log.limits.ringBytes + 2_000
    if (log.ringBytes > bound) this.breach(`the ring of ${member.host} has ${log.ringBytes} bytes`)
    if (table.rowsHeld > MAX_ROWS_HELD) this.breach(`${member.host} holds ${table.rowsHeld} rows`)
    const copies = Reflect.get(table, 'copies') as readonly (Copy | undefined)[]
    let held = 0
    for (const copy of copies) held += copy?.count ?? 0
    if (held !== table.rowsHeld) this.breach(`${member.host} holds ${table.rowsHeld} rows, ${held} of them in copies`)
    if (!table.hasWork && copies.some((copy) => copy?.isDiscarded === true))
      this.breach(`${member.host} still has a copy that was discarded`)
    const kept = new Set([table.own, ...[...views.values()].map(({ copy }) => copy)])
    for (const copy of copies)
      if (copy?.isDiscarded === false && !kept.has(copy) && views.get(copy.owner.name)?.server === undefined)
        this.breach(`${member.host} keeps a copy of ${copy.owner.name} that nothing can come of`)
    for (const node of feeds.keys())
      if (!member.node.nodes().includes(node)) this.breach(`${member.host} still has a feed to ${node}`)
  }

  private noteFilling(way: string, type: string): void {
    if (type === 'snapshot_begin') {
      if (this.filling.has(way)) this.count('snapshot restarted')
      this.filling.add(way)
    } else if (type === 'snapshot_end' || type === 'resume') {
      this.filling.delete(way)
    } else if (type === 'gone' && this.filling.delete(way)) {
      this.count('snapshot cut off')
    } else if (type === 'delta' && this.filling.has(way)) {
      this.count('delta within a snapshot')
    }
  }
}

/** Another one when other rows are there, or seen. */
function versionOf(table: Table): string {
  const copies = Reflect.get(table, 'copies') as readonly (Copy | undefined)[]
  return copies.map((copy) => `${copy?.digest} ${copy?.count} ${copy?.isVisible}`).join()
}
