/**
 * The rows of a table, and the rules of its type: what an insertion replaces, what a deletion takes, in which order rows are read. Knows nothing of processes.
 *
 *   set, ordered_set      one row for each key: a row takes the place of that which has its key
 *   bag                   several rows for each key, none twice
 *   duplicate_bag         several rows for each key
 *
 * State: slots, one for each key, and how many rows are in all of them.
 *
 * Invariants: no slot is empty; rows are frozen copies; no key changes; what is refused has changed nothing. Who walks through rows sees each that stays from beginning to
 * end once, whatever is inserted and deleted meanwhile.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { HashedSlots } from './hashed-slots.ts'
import { checkKey, type EtsKey } from './key.ts'
import { OrderedSlots } from './ordered-slots.ts'
import { isSameValue, ownCopy } from './own-copy.ts'
import type { CheckedPattern } from './pattern.ts'
import type { Slot, Slots } from './slots.ts'

export type EtsType = 'set' | 'ordered_set' | 'bag' | 'duplicate_bag'

/** Of a page: its rows, and the slot behind which the next one begins. */
export interface RowsPage<Row> {
  readonly rows: Row[]
  /** Where the next one begins; `undefined`: there is none. */
  readonly next: PageStart<Row> | undefined
}

/** Behind a slot, and among the slots that were there at the first page. */
export interface PageStart<Row> {
  readonly behind: Slot<Row>
  readonly until: number
}

export class Rows<Row extends object> {
  readonly type: EtsType
  readonly keyField: string
  /** Of an `ordered_set`; else `undefined`. */
  readonly ordered: OrderedSlots<Row> | undefined
  private readonly maxRows: number
  private readonly slots: Slots<Row>
  private count = 0

  constructor(type: EtsType, keyField: string, maxRows: number) {
    this.type = type
    this.keyField = keyField
    this.maxRows = maxRows
    this.ordered = type === 'ordered_set' ? new OrderedSlots() : undefined
    this.slots = this.ordered ?? new HashedSlots()
  }

  get size(): number {
    return this.count
  }

  get isBag(): boolean {
    return this.type === 'bag' || this.type === 'duplicate_bag'
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` */
  copyOf(row: Row): Row {
    const copy = ownCopy(row)
    checkKey(this.keyOf(copy))
    return copy
  }

  keyOf(row: Row): EtsKey {
    return Reflect.get(row, this.keyField) as EtsKey
  }

  /** Inserts all rows, which are copies, or none. @throws PidmeshError `ERR_TABLE_FULL` */
  insert(rows: readonly Row[]): void {
    if (this.count + rows.length > this.maxRows) this.checkRoom(rows)
    for (const row of rows) this.put(row)
  }

  hasAnyOf(rows: readonly Row[]): boolean {
    return rows.some((row) => this.slots.get(this.keyOf(row)) !== undefined)
  }

  lookup(key: EtsKey): Row[] {
    return this.slots.get(key)?.rows.slice() ?? []
  }

  member(key: EtsKey): boolean {
    return this.slots.get(key) !== undefined
  }

  take(key: EtsKey): Row[] {
    const rows = this.slots.get(key)?.rows ?? []
    if (this.slots.remove(key)) this.count -= rows.length
    return rows
  }

  /** All rows that are equal to this one. */
  deleteObject(row: Row): void {
    this.deleteWhere(this.keyOf(row), (other) => isSameValue(row, other))
  }

  clear(): void {
    this.slots.clear()
    this.count = 0
  }

  firstKey(): EtsKey | undefined {
    return this.slots.first()?.key
  }

  lastKey(): EtsKey | undefined {
    return this.slots.last()?.key
  }

  /** The key behind one, or before. @throws PidmeshError `ERR_BAD_ARGUMENT` for a key that isn't there, but in an `ordered_set` */
  neighbour(key: EtsKey, direction: 'after' | 'before'): EtsKey | undefined {
    const slot = this.slots.get(key) ?? (this.ordered && { key, rows: [] })
    if (slot === undefined) throw new PidmeshError('ERR_BAD_ARGUMENT', 'the table has no such key')
    return (direction === 'after' ? this.slots.after(slot) : this.slots.before(slot))?.key
  }

  *walk(): IterableIterator<Row, undefined> {
    for (const { rows } of this.slots.walk()) yield* this.isBag ? rows.slice() : rows
  }

  *matching(pattern: CheckedPattern<Row>): IterableIterator<Row, undefined> {
    const rows = pattern.key === undefined ? this.walk() : this.lookup(checkKey(pattern.key.value))
    for (const row of rows) if (pattern.matches(row)) yield row
  }

  /** Matching rows, until there are `limit` or more: those of one key are not parted. */
  page(pattern: CheckedPattern<Row>, limit: number, start: PageStart<Row> | undefined): RowsPage<Row> {
    if (pattern.key !== undefined) return { rows: [...this.matching(pattern)], next: undefined }
    const found: Row[] = []
    const until = start?.until ?? this.slots.mark()
    for (const slot of this.slots.walk(start?.behind, until)) {
      for (const row of slot.rows.slice()) if (pattern.matches(row)) found.push(row)
      if (found.length >= limit) return { rows: found, next: { behind: slot, until } }
    }
    return { rows: found, next: undefined }
  }

  /** Deletes those that the pattern matched before any was deleted. Says how many. */
  deleteMatching(pattern: CheckedPattern<Row>): number {
    const doomed = new Set(this.matching(pattern))
    const before = this.count
    const keys = new Set([...doomed].map((row) => this.keyOf(row)))
    for (const key of keys) this.deleteWhere(key, (row) => doomed.has(row))
    return before - this.count
  }

  private put(row: Row): void {
    const key = this.keyOf(row)
    const slot = this.slots.get(key)
    if (slot === undefined) {
      this.slots.add(key, [row])
      this.count++
    } else if (!this.isBag) {
      slot.rows[0] = row
      slot.key = key
    } else if (this.type === 'duplicate_bag' || !slot.rows.some((other) => isSameValue(row, other))) {
      slot.rows.push(row)
      this.count++
    }
  }

  private deleteWhere(key: EtsKey, isDoomed: (row: Row) => boolean): void {
    const slot = this.slots.get(key)
    if (slot === undefined) return
    const kept = slot.rows.filter((row) => !isDoomed(row))
    this.count -= slot.rows.length - kept.length
    slot.rows = kept
    if (kept.length === 0) this.slots.remove(key)
  }

  /** What would be there afterwards: some of the rows may be there already, or take the place of others. */
  private checkRoom(rows: readonly Row[]): void {
    const added = new Rows<Row>(this.type, this.keyField, Infinity)
    for (const row of rows) if (this.isAddition(row)) added.put(row)
    if (this.count + added.size > this.maxRows)
      throw new PidmeshError('ERR_TABLE_FULL', `the table has no room for more than ${this.maxRows} rows`)
  }

  private isAddition(row: Row): boolean {
    const slot = this.slots.get(this.keyOf(row))
    if (slot === undefined || this.type === 'duplicate_bag') return true
    return this.isBag && !slot.rows.some((other) => isSameValue(row, other))
  }
}
