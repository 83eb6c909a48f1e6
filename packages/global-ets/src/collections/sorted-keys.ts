/**
 * A sorted set of keys: what the order of a table is read from.
 *
 *   const keys = new SortedKeys<string>(compareCodeUnits)
 *   keys.add('b'); keys.add('a')
 *   for (const key of keys.from('a')) …            // a, b
 *
 * State: an array of chunks, each a sorted array of at most 256 keys, and each key of a chunk below each of the next. A key is found by two binary searches: for
 * its chunk, and within that. An insertion or deletion moves the keys of one chunk; one that has grown too long becomes two, one that has become short is joined
 * with a neighbour. So the set grows without ever being copied as a whole.
 *
 * Invariants: no chunk is empty; `count` is the number of keys in all chunks; `changes` is another number after each change.
 *
 * Iteration is safe while the set changes: it resumes by the key that it gave last. A key that stays from beginning to end is given once; one that is
 * added or deleted meanwhile is given if it is there when its turn comes. No key is given twice.
 *
 * Not here: what belongs to a key. Keys are equal if the comparator says 0, and must not change while they are in the set.
 */

/** Below 0 if `a` comes first, 0 if they are the same key, above 0 otherwise. A total order, and always the same one. */
export type Compare<K> = (a: K, b: K) => number

/** Keys of a chunk at most. Measured with 1,000,000 texts: 128 and 256 are the quickest, at 512 deletions begin to cost more. */
const MOST = 256
/** A chunk with fewer is joined with a neighbour, if the two have room in one and some to spare. */
const FEW = 64
const JOINED_AT_MOST = 192

/** `K` has no `undefined`: that stands for no key. */
export class SortedKeys<K extends {}> {
  private readonly compare: Compare<K>
  private chunks: K[][] = []
  private count = 0
  private changes = 0

  constructor(compare: Compare<K>) {
    this.compare = compare
  }

  get size(): number {
    return this.count
  }

  has(key: K): boolean {
    return this.get(key) !== undefined
  }

  /** The key of the set that is equal to this one, and may say more than the comparator looks at. */
  get(key: K): K | undefined {
    const chunk = this.chunks[this.chunkFor(key)]
    if (chunk === undefined) return undefined
    const found = chunk[this.placeIn(chunk, key)]
    return found !== undefined && this.compare(found, key) === 0 ? found : undefined
  }

  /** Says whether the key is new. One that is there already stays as it is. */
  add(key: K): boolean {
    const { chunks } = this
    const at = this.chunkFor(key)
    const chunk = chunks[at]
    if (chunk === undefined) {
      this.append(key)
    } else {
      const place = this.placeIn(chunk, key)
      if (this.isAt(chunk, place, key)) return false
      chunk.splice(place, 0, key)
      if (chunk.length > MOST) chunks.splice(at + 1, 0, chunk.splice(MOST / 2))
    }
    this.count++
    this.changes++
    return true
  }

  /** Says whether the key was there. */
  delete(key: K): boolean {
    const at = this.chunkFor(key)
    const chunk = this.chunks[at]
    if (chunk === undefined) return false
    const place = this.placeIn(chunk, key)
    if (!this.isAt(chunk, place, key)) return false
    chunk.splice(place, 1)
    if (chunk.length < FEW) this.join(at)
    this.count--
    this.changes++
    return true
  }

  clear(): void {
    this.chunks = []
    this.count = 0
    this.changes++
  }

  first(): K | undefined {
    return this.chunks[0]?.[0]
  }

  last(): K | undefined {
    return this.chunks.at(-1)?.at(-1)
  }

  /** The least key above `key`, which need not be in the set. */
  next(key: K): K | undefined {
    const [at, place] = this.positionAfter(key)
    return this.chunks[at]?.[place]
  }

  /** The greatest key below `key`, which need not be in the set. */
  previous(key: K): K | undefined {
    const at = this.chunkFor(key)
    const chunk = this.chunks[at]
    const place = chunk === undefined ? 0 : this.placeIn(chunk, key)
    return place > 0 ? chunk?.[place - 1] : this.chunks[at - 1]?.at(-1)
  }

  /** The keys from `key` on, itself included, in ascending order. Without a key, all of them. */
  from(key?: K): IterableIterator<K, undefined> {
    return this.ascend(key, false)
  }

  /** The keys above `key`, in ascending order. */
  after(key: K): IterableIterator<K, undefined> {
    return this.ascend(key, true)
  }

  /** The keys below `key`, in descending order. Without a key, all of them. */
  *before(key?: K): IterableIterator<K, undefined> {
    for (let at = key === undefined ? this.last() : this.previous(key); at !== undefined; at = this.previous(at))
      yield at
  }

  [Symbol.iterator](): IterableIterator<K, undefined> {
    return this.ascend(undefined, false)
  }

  /** From `reached` on, or past it. `at` and `place` hold until something changes; then they are looked for by the key that was reached. */
  private *ascend(reached: K | undefined, isPast: boolean): IterableIterator<K, undefined> {
    let [at, place] = this.positionOf(reached, isPast)
    let { changes } = this
    for (;;) {
      if (changes !== this.changes) {
        ;[at, place] = this.positionOf(reached, isPast)
        changes = this.changes
      }
      const chunk = this.chunks[at]
      if (chunk === undefined) return
      const key = chunk[place]
      if (key === undefined) {
        at++
        place = 0
      } else {
        place++
        reached = key
        isPast = true
        yield key
      }
    }
  }

  private positionOf(key: K | undefined, isPast: boolean): [at: number, place: number] {
    if (key === undefined) return [0, 0]
    if (isPast) return this.positionAfter(key)
    const at = this.chunkFor(key)
    const chunk = this.chunks[at]
    return [at, chunk === undefined ? 0 : this.placeIn(chunk, key)]
  }

  private positionAfter(key: K): [at: number, place: number] {
    const at = this.chunkFor(key)
    const chunk = this.chunks[at]
    if (chunk === undefined) return [at, 0]
    const place = this.placeIn(chunk, key)
    if (!this.isAt(chunk, place, key)) return [at, place]
    return place + 1 < chunk.length ? [at, place + 1] : [at + 1, 0]
  }

  /** The first chunk that doesn't end below the key: the only one that can have it. One past the last if all end below. */
  private chunkFor(key: K): number {
    const { chunks, compare } = this
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = chunks[middle] as K[]
      if (compare(chunk[chunk.length - 1] as K, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The place of the first key that isn't below `key`. */
  private placeIn(chunk: readonly K[], key: K): number {
    const { compare } = this
    let low = 0
    let high = chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(chunk[middle] as K, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private isAt(chunk: readonly K[], place: number, key: K): boolean {
    return place < chunk.length && this.compare(chunk[place] as K, key) === 0
  }

  /** A key above all. The last chunk is filled to the end and left full: keys that come in order make full chunks. */
  private append(key: K): void {
    const last = this.chunks.at(-1)
    if (last === undefined || last.length >= MOST) this.chunks.push([key])
    else last.push(key)
  }

  /** A chunk that is short, and may be empty: with the shorter of its neighbours, if they fit, or away with it. */
  private join(at: number): void {
    const { chunks } = this
    const chunk = chunks[at] as K[]
    const [before, after] = [chunks[at - 1], chunks[at + 1]]
    const isBefore = before !== undefined && (after === undefined || before.length < after.length)
    const neighbour = isBefore ? before : after
    if (neighbour !== undefined && neighbour.length + chunk.length <= JOINED_AT_MOST) {
      const [left, right] = isBefore ? [neighbour, chunk] : [chunk, neighbour]
      chunks.splice(isBefore ? at - 1 : at, 2, left.concat(right))
    } else if (chunk.length === 0) {
      chunks.splice(at, 1)
    }
  }
}
