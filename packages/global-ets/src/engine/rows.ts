/**
 * The rows of a table, in columns: a row is a number, its *slot*, and what belongs to it lies in pages of arrays.
 *
 * A million rows as objects took half as much memory again, and the collector twice the time to go through them: numbers in typed arrays it doesn't look at. Pages, so that growing copies nothing. Slots that are free are used again; pages stay.
 *
 * Each row is in three lists: of its key, of its copy (all rows that one owner has), and of its process. The heads of these lists are kept by others.
 */
import { EMPTY_META, type Meta } from './claim.ts'
import { KeyWords } from './key-words.ts'

/** No slot. */
export const NONE = -1

const PAGE_BITS = 10
const PAGE_ROWS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_ROWS - 1

/**
 * Where in a row's sixteen integers what stands; four of them are two numbers of 64 bits. A look-up reads the first eight, which lie in one line of the processor's cache: a table is larger than
 * that, and each line is waited for.
 */
const KEY_NEXT = 0
const COPY_AND_FLAGS = 1
const KEY = 4
const KEY_INTEGERS = 4
const KEY_PREV = 8
const COPY_NEXT = 9
const COPY_PREV = 10
const PROCESS_NEXT = 11
const PROCESS_PREV = 14
const HASH = 15
const INTEGERS = 16
/** In the integer of the copy, its lowest bits. */
const TOLD = 1
const BEHIND = 2
const COPY_SHIFT = 2
/** In eights: the process's id, and the epoch. Both may be larger than 32 bits. */
const ID = 1
const EPOCH = 6
const NUMBERS = 8

interface Page {
  readonly links: Int32Array
  /** The same memory. */
  readonly numbers: Float64Array
  /** Keys that are too long to stand in a row, once there is one. */
  longKeys: (string | undefined)[] | undefined
  /** Of each row, once one has any. */
  metas: Meta[] | undefined
}

/** A list of rows by its ends and the columns that link it. */
export type ListKind = 'key' | 'copy' | 'process'

const NEXT: Readonly<Record<ListKind, number>> = { key: KEY_NEXT, copy: COPY_NEXT, process: PROCESS_NEXT }
const PREV: Readonly<Record<Exclude<ListKind, 'process'>, number>> = { key: KEY_PREV, copy: COPY_PREV }

/** In the list of a process the first row has, in place of the one before it, the last one: below `NONE`. */
function asLast(slot: number): number {
  return NONE - 1 - slot
}

/** What a row is when it is made. */
export interface NewRow {
  readonly key: KeyWords
  /** Of the copy that it belongs to. */
  readonly copy: number
  readonly id: number
  readonly epoch: number
  readonly meta: Meta
  readonly hash: number
}

export class Rows {
  private readonly pages: Page[] = []
  private readonly readAs = new KeyWords()
  private used = 0
  private freed = NONE
  /** Rows that there are. */
  size = 0

  /** Makes a row that is in no list yet. */
  add({ key, copy, id, epoch, meta, hash }: NewRow): number {
    const slot = this.takeSlot()
    const page = this.pageOf(slot)
    const at = slot & PAGE_MASK
    page.links[at * INTEGERS + COPY_AND_FLAGS] = copy << COPY_SHIFT
    page.links[at * INTEGERS + HASH] = hash
    page.numbers[at * NUMBERS + ID] = id
    page.numbers[at * NUMBERS + EPOCH] = epoch
    setMeta(page, at, meta)
    for (let n = 0; n < KEY_INTEGERS; n++) page.links[at * INTEGERS + KEY + n] = key.words[n] as number
    if (!key.isShort) {
      page.longKeys ??= new Array<string | undefined>(PAGE_ROWS).fill(undefined)
      page.longKeys[at] = key.text
    }
    this.size++
    return slot
  }

  /** Takes out a row that is in no list any more. */
  free(slot: number): void {
    const page = this.pageOf(slot)
    const at = slot & PAGE_MASK
    if (page.longKeys !== undefined) page.longKeys[at] = undefined
    if (page.metas !== undefined) page.metas[at] = EMPTY_META
    page.links[at * INTEGERS + KEY_NEXT] = this.freed
    this.freed = slot
    this.size--
  }

  /** As a text that is made anew, if it is short. */
  keyOf(slot: number): string {
    return this.readKey(slot, this.readAs).text
  }

  readKey(slot: number, into: KeyWords): KeyWords {
    const { links, longKeys } = this.pageOf(slot)
    const at = slot & PAGE_MASK
    into.setFrom(links, at * INTEGERS + KEY, longKeys?.[at])
    return into
  }

  hasKey(slot: number, key: KeyWords): boolean {
    const { links, longKeys } = this.pageOf(slot)
    const { words } = key
    const at = slot & PAGE_MASK
    const start = at * INTEGERS + KEY
    return (
      links[start] === words[0] &&
      links[start + 1] === words[1] &&
      links[start + 2] === words[2] &&
      links[start + 3] === words[3] &&
      (key.isShort || longKeys?.[at] === key.text)
    )
  }

  idOf(slot: number): number {
    return this.pageOf(slot).numbers[(slot & PAGE_MASK) * NUMBERS + ID] as number
  }

  epochOf(slot: number): number {
    return this.pageOf(slot).numbers[(slot & PAGE_MASK) * NUMBERS + EPOCH] as number
  }

  metaOf(slot: number): Meta {
    return this.pageOf(slot).metas?.[slot & PAGE_MASK] ?? EMPTY_META
  }

  copyOf(slot: number): number {
    return this.link(slot, COPY_AND_FLAGS) >> COPY_SHIFT
  }

  /** A hash of the row's content. */
  hashOf(slot: number): number {
    return this.link(slot, HASH) >>> 0
  }

  /** Whether the watchers have been told that this row is there. */
  isTold(slot: number): boolean {
    return (this.link(slot, COPY_AND_FLAGS) & TOLD) !== 0
  }

  setTold(slot: number, isTold: boolean): void {
    this.setFlag(slot, TOLD, isTold)
  }

  /** Whether it stands behind another node's row of the same name. */
  isBehind(slot: number): boolean {
    return (this.link(slot, COPY_AND_FLAGS) & BEHIND) !== 0
  }

  setBehind(slot: number, isBehind: boolean): void {
    this.setFlag(slot, BEHIND, isBehind)
  }

  change(slot: number, epoch: number, meta: Meta, hash: number): void {
    const page = this.pageOf(slot)
    const at = slot & PAGE_MASK
    page.numbers[at * NUMBERS + EPOCH] = epoch
    setMeta(page, at, meta)
    page.links[at * INTEGERS + HASH] = hash
  }

  next(kind: ListKind, slot: number): number {
    return this.link(slot, NEXT[kind])
  }

  nextOfKey(slot: number): number {
    return this.link(slot, KEY_NEXT)
  }

  /** The first row of the key of this one. */
  firstOfKey(slot: number): number {
    let first = slot
    for (let prev = slot; prev !== NONE; prev = this.link(prev, KEY_PREV)) first = prev
    return first
  }

  /** Whether it is its key's only row. */
  isAlone(slot: number): boolean {
    return this.link(slot, KEY_NEXT) === NONE && this.link(slot, KEY_PREV) === NONE
  }

  /** Puts a row before `head`, the first of its list: it is the first now. */
  linkBefore(kind: 'key' | 'copy', slot: number, head: number): void {
    this.setLink(slot, NEXT[kind], head)
    this.setLink(slot, PREV[kind], NONE)
    if (head !== NONE) this.setLink(head, PREV[kind], slot)
  }

  /** Takes a row out of a list whose first is `head`. Returns the first afterwards. */
  unlink(kind: 'key' | 'copy', slot: number, head: number): number {
    const next = this.link(slot, NEXT[kind])
    const prev = this.link(slot, PREV[kind])
    if (next !== NONE) this.setLink(next, PREV[kind], prev)
    if (prev === NONE) return head === slot ? next : head
    this.setLink(prev, NEXT[kind], next)
    return head
  }

  isFirstOfProcess(slot: number): boolean {
    return this.link(slot, PROCESS_PREV) < NONE
  }

  /** Makes a row the first of its process. `head`: the one that was, or `NONE`. */
  linkFirstOfProcess(slot: number, head: number): void {
    this.setLink(slot, PROCESS_NEXT, head)
    this.setLink(slot, PROCESS_PREV, head === NONE ? asLast(slot) : this.link(head, PROCESS_PREV))
    if (head !== NONE) this.setLink(head, PROCESS_PREV, slot)
  }

  /** Makes a row the last of its process, of which `head` is the first. */
  linkLastOfProcess(slot: number, head: number): void {
    const last = asLast(this.link(head, PROCESS_PREV))
    this.setLink(slot, PROCESS_NEXT, NONE)
    this.setLink(slot, PROCESS_PREV, last)
    this.setLink(last, PROCESS_NEXT, slot)
    this.setLink(head, PROCESS_PREV, asLast(slot))
  }

  /** Takes a row out of the list of its process. `head`: the first, if this is the last. Returns the one that comes next. */
  unlinkOfProcess(slot: number, head: number): number {
    const next = this.link(slot, PROCESS_NEXT)
    const prev = this.link(slot, PROCESS_PREV)
    if (prev < NONE) {
      // The last one stays that, if there is another.
      if (next !== NONE) this.setLink(next, PROCESS_PREV, prev)
      return next
    }
    this.setLink(prev, PROCESS_NEXT, next)
    if (next === NONE) this.setLink(head, PROCESS_PREV, asLast(prev))
    else this.setLink(next, PROCESS_PREV, prev)
    return next
  }

  private setFlag(slot: number, flag: number, isSet: boolean): void {
    const before = this.link(slot, COPY_AND_FLAGS)
    this.setLink(slot, COPY_AND_FLAGS, isSet ? before | flag : before & ~flag)
  }

  private link(slot: number, column: number): number {
    return this.pageOf(slot).links[(slot & PAGE_MASK) * INTEGERS + column] as number
  }

  private setLink(slot: number, column: number, value: number): void {
    this.pageOf(slot).links[(slot & PAGE_MASK) * INTEGERS + column] = value
  }

  private pageOf(slot: number): Page {
    return this.pages[slot >> PAGE_BITS] as Page
  }

  private takeSlot(): number {
    if (this.freed !== NONE) {
      const slot = this.freed
      this.freed = this.link(slot, KEY_NEXT)
      return slot
    }
    if (this.used === this.pages.length * PAGE_ROWS) this.pages.push(newPage())
    return this.used++
  }
}

function newPage(): Page {
  const memory = new ArrayBuffer(PAGE_ROWS * INTEGERS * 4)
  return {
    links: new Int32Array(memory),
    numbers: new Float64Array(memory),
    longKeys: undefined,
    metas: undefined,
  }
}

function setMeta(page: Page, at: number, meta: Meta): void {
  if (page.metas === undefined && meta === EMPTY_META) return
  page.metas ??= new Array<Meta>(PAGE_ROWS).fill(EMPTY_META)
  page.metas[at] = meta
}
