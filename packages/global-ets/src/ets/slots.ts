/**
 * Where a table keeps its rows: a slot for each key, in an order. Two kinds: hashed-slots.ts, in the order in which the keys came, and ordered-slots.ts, in the
 * order of the keys.
 */
import type { EtsKey } from './key.ts'

/** A key and its rows: one, or several in a bag, the oldest first. */
export interface Slot<Row> {
  /** Of the row that came last: another that is the same key takes its place. */
  key: EtsKey
  rows: Row[]
}

export interface Slots<Row> {
  /** How many there are. */
  readonly size: number
  get(key: EtsKey): Slot<Row> | undefined
  /** For a key that has none. */
  add(key: EtsKey, rows: Row[]): void
  /** Says whether there was one. */
  remove(key: EtsKey): boolean
  clear(): void
  first(): Slot<Row> | undefined
  last(): Slot<Row> | undefined
  /** The next one, also of one that has been removed: what stands behind its place. */
  after(slot: Slot<Row>): Slot<Row> | undefined
  before(slot: Slot<Row>): Slot<Row> | undefined
  /** From the first on, or from what is behind a slot. Slots may be added and removed meanwhile. `until`: what `mark` has given. */
  walk(behind?: Slot<Row>, until?: number): IterableIterator<Slot<Row>, undefined>
  /** A walk that has this for its end sees none that come from now on; unless slots have the order of their keys: then it sees those that lie ahead. */
  mark(): number
}
