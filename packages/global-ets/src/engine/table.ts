/**
 * The table as a pure core: what is seen of the rows of this node and of its copies of the others', and what is told of that. The rows in their lists: row-lists.ts.
 *
 *   own operations, what comes of others ─▶ put, change, remove ─▶ rows of a copy ─┐
 *   a copy is whole, a node is gone ─▶ show, hide, discard ────────────────────────┴─▶ visible(key)      at once
 *                                                                                  └─▶ listener         row by row, in `work`
 *
 * What is seen is a pure function of the rows of the visible copies: of a name, the first by the policy of all claims to it; of a group, all. To show, hide and
 * discard a copy of any size takes no time; what follows for each of its rows (telling, freeing) is done in pieces.
 *
 * Invariants (numbers as in docs/replication.md): I4 visible(name) is the first of all claims in visible copies. At most one row of a name is told, and the
 * listener hears of joins and leaves of a name in turn: what it was told and what is seen differ only in rows that `work` has not come to.
 */
import type { Claim, Meta } from './claim.ts'
import type { CompareClaims } from './conflict.ts'
import type { Copy, Cursor } from './copy.ts'
import { hashOfKey, hashOfRow } from './hashes.ts'
import { KeyWords } from './key-words.ts'
import { KeptPids, type MemberPids } from './member-pids.ts'
import { RowLists, type Key, type RowListsOptions, type RowValue } from './row-lists.ts'
import { NONE } from './rows.ts'

/** Is told of what is seen, in turn, a name's or a member's leave before the next join. Rows can be read in it, and nothing may be changed. */
export interface TableWatcher {
  joined(slot: number): void
  left(slot: number): void
  /** The same process has other metadata now. */
  changed(slot: number): void
  /** A row is the first of its key, or was the last one. */
  keyAdded(slot: number): void
  keyRemoved(slot: number): void
}

export interface TableOptions extends RowListsOptions {
  /** Of names. */
  readonly compare: CompareClaims
  readonly watcher: TableWatcher
}

/** Of another node no larger epoch is followed: our next one must still be one that others can read, for ever so many claims. */
const LARGEST_FOLLOWED = 2 ** 52

/** A copy of which rows are still to be looked at. */
interface Walk {
  readonly copy: Copy
  readonly cursor: Cursor
}

export class Table extends RowLists {
  private readonly options: TableOptions
  private readonly walks: Walk[] = []
  private readonly pids: KeptPids
  /** The key of a row that gets other metadata. */
  private readonly changing = new KeyWords()
  /** Names that may have a row of ours which isn't the one that is seen. */
  private readonly suspects = new Set<string>()
  /** The largest epoch that has been seen, and is to be gone beyond. */
  epoch = 0

  constructor(options: TableOptions) {
    super(options)
    this.options = options
    this.pids = new KeptPids(this.rows, this.own)
    this.own.isVisible = true
  }

  /** Names that are seen, or memberships. Of a name that two nodes have each may be counted until `work` has come to it. */
  get size(): number {
    let size = 0
    for (const copy of this.copies) if (copy?.isVisible === true) size += copy.seen
    return size
  }

  /** As `size`, of the keys that begin with a counted prefix. */
  countOfPrefix(prefix: number): number {
    let count = 0
    for (const copy of this.copies) if (copy?.isVisible === true) count += copy.prefixCounts[prefix] ?? 0
    return count
  }

  /** Of these those of one copy. */
  countOfCopy(copy: Copy): number {
    return copy.isVisible ? copy.seen : 0
  }

  /** The row of a name that is seen, or `NONE`. Of a group: one of its members. */
  visible(key: Key): number {
    return this.visibleOf(this.firstOf(key))
  }

  /** The processes of the members of a group that are seen. Not to be changed: the next who asks gets the same. */
  pidsOf(key: Key): MemberPids {
    return this.pids.of(this.firstOf(key), this.copyAt)
  }

  /** Groups whose processes are kept. */
  get groupsKept(): number {
    return this.pids.size
  }

  /** The members of a group that are seen. */
  membersOf(key: Key): number[] {
    const { rows } = this
    const members: number[] = []
    for (let slot = this.firstOf(key); slot !== NONE; slot = rows.nextOfKey(slot))
      if (this.copyOf(slot).isVisible) members.push(slot)
    return members
  }

  /** This node's own rows, as long as they are seen. */
  ownRows(): Iterable<number> {
    return this.own.isVisible ? this.rowsOfCopy(this.own) : []
  }

  /** Whether the first claim would be seen rather than the second. */
  precedes(a: Claim, b: Claim): boolean {
    return this.options.compare(a, b) < 0
  }

  /** Puts a row into a copy: a name in place of what that copy has under it, a membership besides those that it has. Doing it again changes nothing. Returns its slot. */
  put(copy: Copy, value: RowValue): number {
    if (value.epoch > this.epoch && (copy === this.own || value.epoch <= LARGEST_FOLLOWED)) this.epoch = value.epoch
    const hash = hashOfRow(hashOfKey(value.key), value.id, value.epoch, value.metaHash)
    const first = this.firstOf(value.key)
    const known = this.replaced(copy, value, first)
    if (known !== NONE && this.rows.idOf(known) === value.id) {
      this.changeRow(copy, known, value, hash)
      return known
    }
    if (known === NONE) return this.insert(copy, value, hash, first)
    this.removeRow(copy, known)
    return this.insert(copy, value, hash, this.firstOf(value.key))
  }

  /** Other metadata for a row. */
  change(copy: Copy, slot: number, { meta, metaHash }: { meta: Meta; metaHash: number }): void {
    const { rows } = this
    const key = rows.readKey(slot, this.changing)
    const [id, epoch] = [rows.idOf(slot), rows.epochOf(slot)]
    this.changeRow(copy, slot, { key, id, epoch, meta, metaHash }, hashOfRow(hashOfKey(key), id, epoch, metaHash))
  }

  /** Takes out a row of a copy. */
  removeRow(copy: Copy, slot: number): void {
    const { rows } = this
    const first = this.unlink(copy, slot)
    // It was the first of its group, or that still is.
    this.pids.forget(slot)
    this.pids.forget(first)
    if (first === NONE) this.options.watcher.keyRemoved(slot)
    if (!rows.isBehind(slot)) this.countSeen(copy, slot, -1)
    if (rows.isTold(slot)) this.tellGone(slot, first)
    if (first !== NONE && this.options.kind === 'names') this.settle(first)
    rows.free(slot)
  }

  /** What is in the copy is seen from now on. */
  show(copy: Copy): void {
    this.setVisible(copy, true)
  }

  /** What is in `fresh` is seen from now on, and the other goes. Who watches is told of the difference. */
  replace(old: Copy, fresh: Copy): void {
    fresh.replaces = old
    this.show(fresh)
    this.discard(old)
  }

  /** Nothing of it is seen any more; it is kept. */
  hide(copy: Copy): void {
    this.setVisible(copy, false)
  }

  /** Nothing of it is seen any more, and it goes, in pieces. */
  discard(copy: Copy): void {
    if (copy.isDiscarded) return
    this.hide(copy)
    copy.isDiscarded = true
    this.stopWalk(copy)
    if (copy.first === NONE) this.dropCopy(copy)
    else this.walks.push({ copy, cursor: { slot: NONE } })
  }

  /** Whether `work` has something to do. */
  get hasWork(): boolean {
    return this.walks.length > 0
  }

  /** Does what is left to do for so many rows at most. */
  work(rows: number): void {
    for (let left = rows; left > 0; left--) {
      const [walk] = this.walks
      if (walk === undefined) return
      if (walk.copy.isDiscarded) this.discardNext(walk.copy)
      else this.settleNext(walk)
    }
  }

  /** A name of which the row of ours isn't the one that is seen; and that one. One at a time: what is done about it may change others. */
  takeDefeat(): { readonly loser: number; readonly winner: number } | undefined {
    for (const key of this.suspects) {
      this.suspects.delete(key)
      const loser = this.find(this.own, key)
      const winner = this.visible(key)
      if (loser !== NONE && winner !== loser) return { loser, winner }
    }
    return undefined
  }

  get hasSuspects(): boolean {
    return this.suspects.size > 0
  }

  /** `first`: of the rows of the key that are there. */
  private insert(copy: Copy, value: RowValue, hash: number, first: number): number {
    const slot = this.link(copy, value, hash, first)
    this.pids.forget(first)
    if (first === NONE) this.options.watcher.keyAdded(slot)
    this.countSeen(copy, slot, 1)
    if (copy.isVisible) this.settle(slot)
    return slot
  }

  private changeRow(copy: Copy, slot: number, { epoch, meta }: RowValue, hash: number): void {
    const { rows } = this
    const before = rows.hashOf(slot)
    copy.digest = (copy.digest - before + hash) >>> 0
    rows.change(slot, epoch, meta, hash)
    if (!copy.isVisible) return
    if (rows.isTold(slot) && before !== hash) this.options.watcher.changed(slot)
    if (this.options.kind === 'names' && !rows.isAlone(slot)) this.settle(slot)
  }

  private countSeen(copy: Copy, slot: number, step: 1 | -1): void {
    const { prefixes } = this.options
    copy.seen += step
    if (prefixes.length === 0) return
    const key = this.rows.keyOf(slot)
    for (let at = 0; at < prefixes.length; at++)
      if (key.startsWith(prefixes[at] as string)) copy.prefixCounts[at] = (copy.prefixCounts[at] ?? 0) + step
  }

  /** Whether the row stands behind another node's: it isn't counted then. */
  private setBehind(slot: number, isBehind: boolean): void {
    const { rows } = this
    if (rows.isBehind(slot) === isBehind) return
    rows.setBehind(slot, isBehind)
    this.countSeen(this.copyOf(slot), slot, isBehind ? -1 : 1)
  }

  private setVisible(copy: Copy, isVisible: boolean): void {
    if (copy.isVisible === isVisible || copy.isDiscarded) return
    copy.isVisible = isVisible
    this.pids.forgetAll()
    this.stopWalk(copy)
    if (copy.first === NONE) return
    const cursor = { slot: copy.first }
    copy.cursors.add(cursor)
    this.walks.push({ copy, cursor })
  }

  private stopWalk(copy: Copy): void {
    const at = this.walks.findIndex((walk) => walk.copy === copy)
    if (at === -1) return
    const [walk] = this.walks.splice(at, 1)
    if (walk !== undefined) copy.cursors.delete(walk.cursor)
  }

  private discardNext(copy: Copy): void {
    this.removeRow(copy, copy.first)
    if (copy.first !== NONE) return
    this.walks.shift()
    this.dropCopy(copy)
  }

  private settleNext({ copy, cursor }: Walk): void {
    const { slot } = cursor
    if (slot === NONE) {
      this.walks.shift()
      copy.cursors.delete(cursor)
      return
    }
    cursor.slot = this.rows.next('copy', slot)
    this.settle(slot)
  }

  /** Tells what is seen of the row's key, as far as it isn't what was told. */
  private settle(slot: number): void {
    const { rows } = this
    const { kind } = this.options
    if (kind === 'groups' || rows.isAlone(slot)) {
      const copy = this.copyOf(slot)
      this.setBehind(slot, false)
      if (rows.isTold(slot) === copy.isVisible) return
      const told = copy.isVisible && kind === 'groups' ? this.toldBefore(copy, slot) : NONE
      if (copy.isVisible) this.tellMove(told, slot)
      else this.tellMove(slot, NONE)
      return
    }
    const first = rows.firstOfKey(slot)
    let [seen, told]: [number, number] = [NONE, NONE]
    for (let one = first; one !== NONE; one = rows.nextOfKey(one)) {
      if (rows.isTold(one)) told = one
      if (!this.copyOf(one).isVisible) continue
      if (seen !== NONE) {
        this.settleClash(rows.keyOf(slot))
        return
      }
      seen = one
    }
    this.settleAs(first, told, seen)
  }

  /** Two nodes have the name. A policy of the user's is asked, which may change rows: so the key is looked up again after each question. */
  private settleClash(key: string): void {
    const seen = this.visible(key)
    this.settleAs(this.firstOf(key), this.toldOf(key), seen)
  }

  /** `first`: of the rows of a name, of which one was told and one is seen. */
  private settleAs(first: number, told: number, seen: number): void {
    const { rows } = this
    if (told !== seen) this.tellMove(told, seen)
    for (let one = first; one !== NONE; one = rows.nextOfKey(one)) {
      this.setBehind(one, one !== seen && this.copyOf(one).isVisible)
      // Is a row of ours not the one that is seen?
      if (one !== seen && rows.copyOf(one) === this.own.number) this.suspects.add(rows.keyOf(one))
    }
  }

  /** What was told isn't what is seen: tells the difference. */
  private tellMove(told: number, seen: number): void {
    const { rows } = this
    const { watcher } = this.options
    if (told !== NONE) rows.setTold(told, false)
    if (seen !== NONE) rows.setTold(seen, true)
    if (told !== NONE && seen !== NONE && this.isSameProcess(told, seen)) {
      if (rows.hashOf(told) !== rows.hashOf(seen)) watcher.changed(seen)
      return
    }
    if (told !== NONE) watcher.left(told)
    if (seen !== NONE) watcher.joined(seen)
  }

  /** A row that was told has been taken out: what takes its place of those of its key that are left, from `first` on. */
  private tellGone(slot: number, first: number): void {
    if (this.options.kind === 'groups') this.options.watcher.left(slot)
    else this.tellMove(slot, this.visibleOf(first))
  }

  private isSameProcess(a: number, b: number): boolean {
    const [one, other] = [this.copyOf(a).owner, this.copyOf(b).owner]
    return this.rows.idOf(a) === this.rows.idOf(b) && one.name === other.name && one.incarnation === other.incarnation
  }

  /** The same membership in the copy that this one has replaced, if that has been told. */
  private toldBefore({ replaces }: Copy, slot: number): number {
    if (replaces === undefined) return NONE
    const { rows } = this
    const before = this.findClaim(replaces, rows.keyOf(slot), rows.idOf(slot), rows.epochOf(slot))
    return before !== NONE && rows.isTold(before) ? before : NONE
  }

  /** The row of a name that has been told, or `NONE`. */
  toldOf(key: Key): number {
    for (const slot of this.rowsOf(key)) if (this.rows.isTold(slot)) return slot
    return NONE
  }

  private readonly copyAt = (slot: number): Copy => this.copyOf(slot)

  private visibleOf(first: number): number {
    const { rows } = this
    let seen = NONE
    for (let slot = first; slot !== NONE; slot = rows.nextOfKey(slot)) {
      if (!this.copyOf(slot).isVisible) continue
      if (seen === NONE || this.options.compare(this.claimOf(slot), this.claimOf(seen)) < 0) seen = slot
    }
    return seen
  }
}
