/**
 * Rows in their lists: those of a key, of a copy, and of a process. What is seen of them is another matter: table.ts.
 *
 *   insert, take ─▶ rows.ts, process-index.ts, the index of keys, and the count and digest of the copy
 *   find …, rowsOf … ─▶ slots
 *
 * Invariants: a row is in the list of its key and of its copy, and in that of its process if the copy looks rows up by their processes. A copy's count and digest are
 * those of its rows. Who goes through a copy comes to each of its rows that stays, once, whichever go meanwhile.
 */
import type { NodeIdentity } from '@pidmesh/runtime'
import type { Claim, Meta } from './claim.ts'
import { Copy, type Cursor } from './copy.ts'
import { KeyIndex } from './key-index.ts'
import { KeyWords } from './key-words.ts'
import { ProcessIndex } from './process-index.ts'
import { MAX_KEY_BYTES } from './ops.ts'
import { NONE, Rows } from './rows.ts'

export interface RowListsOptions {
  readonly self: NodeIdentity
  /** A name is one process's; of a group there are many rows. */
  readonly kind: 'names' | 'groups'
  /** Keys that begin with one of these are counted. */
  readonly prefixes: readonly string[]
  /** An odd number of 32 bits that nobody can guess. */
  readonly multiplier: number
}

/** A row as it is put. */
export interface RowValue {
  readonly key: KeyWords
  readonly id: number
  readonly epoch: number
  readonly meta: Meta
  /** Of the metadata as it is encoded; 0 if there is none. */
  readonly metaHash: number
}

/** A key as a text, or taken apart. */
export type Key = string | KeyWords

export class RowLists {
  readonly rows: Rows = new Rows()
  /** This node's own rows. */
  readonly own: Copy
  private readonly index: KeyIndex
  protected readonly copies: (Copy | undefined)[] = []
  private readonly lists: RowListsOptions
  /** A key that is asked for as a text; and that of a row. */
  private readonly asked = new KeyWords()
  private readonly ofRow = new KeyWords()

  constructor(options: RowListsOptions) {
    this.lists = options
    this.index = new KeyIndex(this.rows, options.multiplier)
    this.own = this.newCopy(options.self, new ProcessIndex(this.rows, undefined))
  }

  /** Rows that are held, seen or not: also of nodes that are gone and may come back, and of copies that are being filled. */
  get rowsHeld(): number {
    return this.rows.size
  }

  /** All rows of a key, in copies that are seen or not. */
  *rowsOf(key: Key): Generator<number> {
    for (let slot = this.firstOf(key); slot !== NONE; slot = this.rows.nextOfKey(slot)) yield slot
  }

  /** All keys that have rows, seen or not, in any order. */
  keys(): string[] {
    return this.index.keys()
  }

  /** The first row of a key in a copy, or `NONE`. */
  find(copy: Copy, key: Key): number {
    return this.inCopy(copy, this.firstOf(key))
  }

  /** A claim in a copy, or `NONE`. Of a name whatever its epoch: there is one. */
  findClaim(copy: Copy, key: Key, id: number, epoch: number): number {
    const { rows } = this
    if (this.lists.kind === 'names') {
      const slot = this.find(copy, key)
      return slot !== NONE && rows.idOf(slot) === id ? slot : NONE
    }
    return this.findMembership(copy, { key, id, epoch })
  }

  /** The newest claim of a process to a key, in a copy, or `NONE`. */
  findNewest(copy: Copy, key: Key, id: number): number {
    return this.lists.kind === 'names'
      ? this.findClaim(copy, key, id, 0)
      : this.findMembership(copy, { key, id, epoch: undefined })
  }

  /** All claims of a process to a key, in a copy. The newest is the first. */
  findClaims(copy: Copy, key: Key, id: number): number[] {
    const newest = this.findNewest(copy, key, id)
    if (newest === NONE || this.lists.kind === 'names') return newest === NONE ? [] : [newest]
    return this.membershipsLike(newest)
  }

  /** The rows of a process in a copy that looks rows up by their process. Taken before they are changed. */
  rowsOfProcess(copy: Copy, id: number): number[] {
    const slots: number[] = []
    for (let slot = copy.processes?.first(id) ?? NONE; slot !== NONE; slot = this.rows.next('process', slot))
      slots.push(slot)
    return slots
  }

  /** The rows of a copy, the newest first. It may be changed meanwhile, but for those that are discarded. */
  *rowsOfCopy(copy: Copy): Generator<number> {
    const cursor: Cursor = { slot: copy.first }
    copy.cursors.add(cursor)
    try {
      while (cursor.slot !== NONE) {
        const { slot } = cursor
        cursor.slot = this.rows.next('copy', slot)
        yield slot
      }
    } finally {
      copy.cursors.delete(cursor)
    }
  }

  copyOf(slot: number): Copy {
    return this.copies[this.rows.copyOf(slot)] as Copy
  }

  claimOf(slot: number): Claim {
    const { rows } = this
    return {
      key: rows.keyOf(slot),
      owner: this.copyOf(slot).owner,
      id: rows.idOf(slot),
      epoch: rows.epochOf(slot),
      meta: rows.metaOf(slot),
    }
  }

  /** A copy of another node's rows, empty and not seen. */
  addCopy(owner: NodeIdentity): Copy {
    const { kind, multiplier } = this.lists
    return this.newCopy(owner, kind === 'groups' ? new ProcessIndex(this.rows, multiplier) : undefined)
  }

  /** The first row of a key, or `NONE`. */
  protected firstOf(key: Key): number {
    return isTooLong(key) ? NONE : this.index.first(this.wordsOf(key))
  }

  /** Puts a new row into its lists. `first`: of the rows of the key that are there. */
  protected link(copy: Copy, value: RowValue, hash: number, first: number): number {
    const { rows } = this
    const { key, id, epoch, meta } = value
    const slot = rows.add({ key, copy: copy.number, id, epoch, meta, hash })
    rows.linkBefore('key', slot, first)
    this.index.set(key, slot)
    rows.linkBefore('copy', slot, copy.first)
    copy.first = slot
    if (copy.processes !== undefined) this.linkOfProcess(copy, copy.processes, slot)
    copy.digest = (copy.digest + hash) >>> 0
    copy.count++
    if (epoch < copy.leastEpoch) copy.leastEpoch = epoch
    if (epoch > copy.largestEpoch) copy.largestEpoch = epoch
    return slot
  }

  /** Takes a row out of its lists; it can still be read. Returns the first of the rows of its key that are left. */
  protected unlink(copy: Copy, slot: number): number {
    const { rows } = this
    const key = rows.readKey(slot, this.ofRow)
    const first = rows.isAlone(slot) ? NONE : rows.unlink('key', slot, this.firstOf(key))
    if (first === NONE) this.index.remove(key)
    else this.index.set(key, first)
    for (const cursor of copy.cursors) if (cursor.slot === slot) cursor.slot = rows.next('copy', slot)
    copy.first = rows.unlink('copy', slot, copy.first)
    if (copy.processes !== undefined) this.unlinkOfProcess(copy.processes, slot)
    copy.digest = (copy.digest - rows.hashOf(slot)) >>> 0
    copy.count--
    return first
  }

  /**
   * The newest membership of a process, of that epoch if one is given. It goes along the rows of the key and those of the process at once: a process may be in ever so many
   * groups, and a group have ever so many members, and neither is to make the other slow.
   */
  private findMembership(
    copy: Copy,
    { key, id, epoch }: { readonly key: Key; readonly id: number; readonly epoch: number | undefined },
  ): number {
    if (isTooLong(key)) return NONE
    const { rows } = this
    const words = this.wordsOf(key)
    const isIt = (slot: number): boolean =>
      rows.copyOf(slot) === copy.number &&
      rows.idOf(slot) === id &&
      (epoch === undefined || rows.epochOf(slot) === epoch) &&
      rows.hasKey(slot, words)
    let [ofKey, ofProcess] = [this.firstOf(words), copy.processes?.first(id) ?? NONE]
    while (ofKey !== NONE && ofProcess !== NONE) {
      if (isIt(ofKey)) return ofKey
      if (isIt(ofProcess)) return ofProcess
      ofKey = rows.nextOfKey(ofKey)
      ofProcess = rows.next('process', ofProcess)
    }
    return NONE
  }

  /**
   * A membership, and the others of the same process in the same group: along the key or the process, whichever comes to its end first. Each from its beginning: in
   * a copy that came as a snapshot the key's rows are the other way round.
   */
  private membershipsLike(newest: number): number[] {
    const { rows } = this
    const key = rows.readKey(newest, this.ofRow)
    const isLike = (slot: number): boolean =>
      rows.copyOf(slot) === rows.copyOf(newest) && rows.idOf(slot) === rows.idOf(newest) && rows.hasKey(slot, key)
    const [byKey, byProcess]: [number[], number[]] = [[], []]
    let [ofKey, ofProcess] = [this.firstOf(key), this.copyOf(newest).processes?.first(rows.idOf(newest)) ?? NONE]
    while (ofKey !== NONE && ofProcess !== NONE) {
      if (isLike(ofKey)) byKey.push(ofKey)
      if (isLike(ofProcess)) byProcess.push(ofProcess)
      ofKey = rows.nextOfKey(ofKey)
      ofProcess = rows.next('process', ofProcess)
    }
    return ofKey === NONE ? byKey : byProcess
  }

  /** The newest is the first: an owner takes out its processes' newest rows first. What is older than all that the copy had is what a snapshot comes to next. */
  private linkOfProcess(copy: Copy, processes: ProcessIndex, slot: number): void {
    const { rows } = this
    const id = rows.idOf(slot)
    const head = rows.epochOf(slot) < copy.leastEpoch ? processes.first(id) : NONE
    if (head === NONE) rows.linkFirstOfProcess(slot, processes.put(id, slot))
    else rows.linkLastOfProcess(slot, head)
  }

  private unlinkOfProcess(processes: ProcessIndex, slot: number): void {
    const { rows } = this
    const id = rows.idOf(slot)
    const isFirst = rows.isFirstOfProcess(slot)
    // Only the last one's end is written down in another, the first.
    const isLast = !isFirst && rows.next('process', slot) === NONE
    const next = rows.unlinkOfProcess(slot, isLast ? processes.first(id) : slot)
    if (isFirst) processes.setFirst(id, next)
  }

  /** In place of what a row is put: of the row that the copy has under the name; or of that very membership. `first`: of the key. */
  protected replaced(copy: Copy, { key, id, epoch }: RowValue, first: number): number {
    if (first === NONE) return NONE
    if (this.lists.kind === 'names') return this.inCopy(copy, first)
    // An owner's next membership has a larger epoch than all before, and a snapshot goes from the newest to the oldest: nothing is looked for, however often a process is in the group.
    if (epoch > copy.largestEpoch || epoch < copy.leastEpoch) return NONE
    return this.findClaim(copy, key, id, epoch)
  }

  /** Of the rows of a key, from `first` on, the first in the copy. */
  private inCopy(copy: Copy, first: number): number {
    for (let slot = first; slot !== NONE; slot = this.rows.nextOfKey(slot))
      if (this.rows.copyOf(slot) === copy.number) return slot
    return NONE
  }

  private wordsOf(key: Key): KeyWords {
    return typeof key === 'string' ? this.asked.set(key) : key
  }

  private newCopy(owner: NodeIdentity, processes: ProcessIndex | undefined): Copy {
    const free = this.copies.indexOf(undefined)
    const number = free === -1 ? this.copies.length : free
    const copy = new Copy(number, owner, { prefixes: this.lists.prefixes.length, processes })
    this.copies[number] = copy
    return copy
  }

  protected dropCopy(copy: Copy): void {
    for (const other of this.copies) if (other?.replaces === copy) other.replaces = undefined
    this.copies[copy.number] = undefined
  }
}

/** No row has it: it is neither hashed nor kept for the next time. */
function isTooLong(key: Key): boolean {
  return typeof key === 'string' && key.length > MAX_KEY_BYTES
}
