/**
 * A first-in first-out queue in a circular buffer. Serves as mailbox (with removal from the middle for selective receive) and as run queue.
 *
 * Invariant: `buffer.length` is zero or a power of two; live items stand at `head … head + length - 1` modulo its size; every other slot is
 * `undefined`, so that nothing is retained. If carriers are kept there is one for each item, or `undefined`, in the same order.
 */
import type { Carrier } from '../ports.ts'

/** The largest small integer: `Infinity` would make V8 keep each limit in an object of its own, which each message would have to fetch. */
const NO_LIMIT = 2 ** 30 - 1
/** An emptied buffer larger than this is given back, so that one burst does not cost memory for ever. */
const KEPT_SLOTS = 1_024

export class Mailbox<T = unknown> {
  length = 0
  /** The length from which on the scheduler asks what to do with a further message; it is the scheduler's to set. Never above `NO_LIMIT`. */
  limit: number = NO_LIMIT
  /** It has been at its limit, and has not caught up since. */
  isOver = false
  /** What came with the items. `undefined`: none are kept, which is so on every node without a `propagation`. */
  carriers: Mailbox<Carrier | undefined> | undefined = undefined
  /** What came with the item that a `receive` has taken last. */
  received: Carrier | undefined = undefined
  private head = 0
  private buffer: Array<T | undefined> = []

  push(item: T, carrier?: Carrier): void {
    if (this.length === this.buffer.length) this.grow()
    this.buffer[(this.head + this.length) & (this.buffer.length - 1)] = item
    this.length++
    if (this.carriers !== undefined) this.carriers.push(carrier)
  }

  /** While it is empty. */
  keepCarriers(): void {
    this.carriers = new Mailbox()
  }

  limitTo(length: number): void {
    this.limit = Math.min(length, NO_LIMIT)
  }

  /** Slots of its buffer, used or not. */
  get slots(): number {
    return this.buffer.length + (this.carriers?.slots ?? 0)
  }

  /** The oldest item, or `undefined` if there is none: check `length` first where `undefined` may be an item. */
  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.buffer[this.head]
    this.buffer[this.head] = undefined
    this.head = (this.head + 1) & (this.buffer.length - 1)
    this.length--
    if (this.carriers !== undefined) this.carriers.shift()
    this.giveBack()
    return item
  }

  at(index: number): T | undefined {
    return this.buffer[(this.head + index) & (this.buffer.length - 1)]
  }

  /** Takes out the item at `index`, keeping the order of the others. Costs the shorter of the two sides. */
  removeAt(index: number): T | undefined {
    const item = this.at(index)
    const mask = this.buffer.length - 1
    if (index < this.length / 2) {
      for (let i = index; i > 0; i--) this.buffer[(this.head + i) & mask] = this.buffer[(this.head + i - 1) & mask]
      this.buffer[this.head] = undefined
      this.head = (this.head + 1) & mask
    } else {
      for (let i = index; i < this.length - 1; i++)
        this.buffer[(this.head + i) & mask] = this.buffer[(this.head + i + 1) & mask]
      this.buffer[(this.head + this.length - 1) & mask] = undefined
    }
    this.length--
    if (this.carriers !== undefined) this.carriers.removeAt(index)
    this.giveBack()
    return item
  }

  clear(): void {
    if (this.carriers !== undefined) this.carriers.clear()
    this.received = undefined
    this.length = 0
    this.head = 0
    this.buffer = []
  }

  private giveBack(): void {
    if (this.length > 0 || this.buffer.length <= KEPT_SLOTS) return
    this.buffer = []
    this.head = 0
  }

  private grow(): void {
    const size = this.buffer.length
    if (size === 0) {
      // A literal: to make and fill one is a call into native code, and most mailboxes never grow beyond it.
      this.buffer = [undefined, undefined, undefined, undefined]
      return
    }
    const grown = new Array<T | undefined>(size * 2).fill(undefined)
    for (let i = 0; i < this.length; i++) grown[i] = this.buffer[(this.head + i) & (size - 1)]
    this.buffer = grown
    this.head = 0
  }
}
