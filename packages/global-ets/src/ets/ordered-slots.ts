/**
 * Slots in the order of their keys: of `ordered_set`. They are found by the order too, so what compares equal is one key.
 */
import { compareKeys, type EtsKey } from './key.ts'
import type { Slot, Slots } from './slots.ts'
import { SortedKeys } from '../collections/sorted-keys.ts'

export class OrderedSlots<Row> implements Slots<Row> {
  private readonly sorted = new SortedKeys<Slot<Row>>((a, b) => compareKeys(a.key, b.key))

  get size(): number {
    return this.sorted.size
  }

  get(key: EtsKey): Slot<Row> | undefined {
    return this.sorted.get(probe(key))
  }

  add(key: EtsKey, rows: Row[]): void {
    this.sorted.add({ key, rows })
  }

  remove(key: EtsKey): boolean {
    return this.sorted.delete(probe(key))
  }

  clear(): void {
    this.sorted.clear()
  }

  first(): Slot<Row> | undefined {
    return this.sorted.first()
  }

  last(): Slot<Row> | undefined {
    return this.sorted.last()
  }

  after(slot: Slot<Row>): Slot<Row> | undefined {
    return this.sorted.next(slot)
  }

  before(slot: Slot<Row>): Slot<Row> | undefined {
    return this.sorted.previous(slot)
  }

  mark(): number {
    return Infinity
  }

  walk(behind?: Slot<Row>): IterableIterator<Slot<Row>, undefined> {
    return behind === undefined ? this.sorted.from() : this.sorted.after(behind)
  }

  /** The slots below a key, or all, in descending order. */
  below(key?: EtsKey): IterableIterator<Slot<Row>, undefined> {
    return this.sorted.before(key === undefined ? undefined : probe(key))
  }

  /** The slots from a key on, itself included, in ascending order. */
  from(key: EtsKey): IterableIterator<Slot<Row>, undefined> {
    return this.sorted.from(probe(key))
  }
}

/** What is looked for by the order of its key. */
function probe<Row>(key: EtsKey): Slot<Row> {
  return { key, rows: [] }
}
