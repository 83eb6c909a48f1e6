/**
 * Slots that are found by a hash, and stand in the order in which their keys came: of `set`, `bag` and `duplicate_bag`.
 *
 * State: two sharded maps, of keys that a `Map` has by value and of the texts of those that it hasn't; a list through all slots, each of which knows the one before it
 * and the one behind.
 *
 * Invariants: a slot in the list has slots of the list as its neighbours. A slot that was removed keeps the one that was before it: from there, over others that
 * were removed since, the list is found again, for new slots come at its end only. So whoever stands on a slot that is removed goes on behind its place.
 */
import { textOf, type EtsKey } from './key.ts'
import { ShardedMap, type MapKey } from '../collections/sharded-map.ts'
import type { Slot, Slots } from './slots.ts'

interface Link<Row> extends Slot<Row> {
  previous: Link<Row> | undefined
  next: Link<Row> | undefined
  isGone: boolean
  /** The number of slots that came before it. */
  readonly order: number
}

export class HashedSlots<Row> implements Slots<Row> {
  private readonly byValue = new ShardedMap<Link<Row>>()
  private readonly byText = new ShardedMap<Link<Row>>()
  private head: Link<Row> | undefined = undefined
  private tail: Link<Row> | undefined = undefined
  private added = 0
  /** What came before was cleared away. */
  private cleared = 0

  get size(): number {
    return this.byValue.size + this.byText.size
  }

  get(key: EtsKey): Link<Row> | undefined {
    return typeof key === 'object' ? this.byText.get(textOf(key)) : this.byValue.get(key)
  }

  add(key: EtsKey, rows: Row[]): void {
    const { tail } = this
    const slot: Link<Row> = { key, rows, previous: tail, next: undefined, isGone: false, order: this.added++ }
    if (tail === undefined) this.head = slot
    else tail.next = slot
    this.tail = slot
    this.mapOf(key).set(mapKeyOf(key), slot)
  }

  remove(key: EtsKey): boolean {
    const slot = this.mapOf(key).take(mapKeyOf(key))
    if (slot === undefined) return false
    const { previous, next } = slot
    if (previous === undefined) this.head = next
    else previous.next = next
    if (next === undefined) this.tail = previous
    else next.previous = previous
    slot.isGone = true
    slot.next = undefined
    return true
  }

  clear(): void {
    this.byValue.clear()
    this.byText.clear()
    this.head = undefined
    this.tail = undefined
    this.cleared = this.added
  }

  first(): Link<Row> | undefined {
    return this.head
  }

  last(): Link<Row> | undefined {
    return this.tail
  }

  after(slot: Link<Row>): Link<Row> | undefined {
    if (slot.order < this.cleared) return undefined
    if (!slot.isGone) return slot.next
    const standing = standingBefore(slot)
    return standing === undefined ? this.head : standing.next
  }

  before(slot: Link<Row>): Link<Row> | undefined {
    return slot.order < this.cleared ? undefined : standingBefore(slot)
  }

  mark(): number {
    return this.added
  }

  *walk(behind?: Link<Row>, until: number = this.added): IterableIterator<Slot<Row>, undefined> {
    // Not those that come meanwhile: who adds one at each step would never be done.
    let slot = behind === undefined ? this.head : this.after(behind)
    while (slot !== undefined && slot.order < until) {
      yield slot
      slot = this.after(slot)
    }
  }

  private mapOf(key: EtsKey): ShardedMap<Link<Row>> {
    return typeof key === 'object' ? this.byText : this.byValue
  }
}

function mapKeyOf(key: EtsKey): MapKey {
  return typeof key === 'object' ? textOf(key) : key
}

function standingBefore<Row>({ previous }: Link<Row>): Link<Row> | undefined {
  let slot = previous
  while (slot?.isGone === true) slot = slot.previous
  return slot
}
