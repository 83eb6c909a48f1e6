/**
 * Things by an id that counts up, of a process or a reference: what a Map is, for what comes and goes all the time, without garbage.
 *
 * A Map whose entries come and go makes itself a new table every few of them, and the old one refers to the new one: once one of them has grown old, the collector of
 * young objects takes all that follow for alive. Under requests that was a seventh of a node's time.
 *
 * Open addressing: linear probing, and what is deleted leaves no gap. Eight ids that follow each other lie side by side in one block, so that what is made in turn is
 * near in memory, with a place between them, so that an end finds the end of its cluster at once; where the block lies a multiplicative hash says. At most half of the
 * places are taken. Where another node chooses the ids the hash is drawn by chance, so that it can't choose such as meet (Dietzfelbinger et al.,
 * A Reliable Randomized Algorithm for the Closest-Pair Problem, 1997).
 */
import type { Random } from './ports.ts'

/** Of eight ids, and as many between them. */
const BLOCK_PLACES = 16

/** Two odd numbers of 32 bits, for the lower and the higher half of an id. */
export interface IdHash {
  readonly low: number
  readonly high: number
}

/** 2^32 divided by the golden ratio: Knuth, The Art of Computer Programming, 6.4. */
const GOLDEN: IdHash = { low: 0x9e3779b1, high: 0x85ebca6b }

export function randomIdHash(random: Random): IdHash {
  const odd = (): number => (Math.floor(random.fraction() * 2 ** 31) * 2 + 1) | 0
  return { low: odd(), high: odd() }
}

const LEAST_PLACES = 4
/** Fewer than this part of the places are taken: there are too many. */
const SPARSE = 16
/** To this part of the places they are brought down then: a quarter of them is taken, so neither the next that comes nor the next that goes makes it move again. */
const SHRINK = 4
/** So many are kept all the same. */
const KEPT_PLACES = 64
/** As many as are kept of a table that all processes of a node have in common: of a hundred callers the entries are there and gone with each of their rounds. */
export const KEPT_PLACES_OF_MANY = 1_024

export class IdTable<T extends object> {
  private ids: number[] = []
  private items: (T | undefined)[] = []
  private count = 0
  /** A hash has 32 bits: by so many it is shifted, to be a place. */
  private shift = 32
  private readonly keptPlaces: number
  private readonly hash: IdHash

  /**
   * @param keptPlaces that are not given back
   * @param hash of ids that this node has made itself the default will do
   */
  constructor(keptPlaces: number = KEPT_PLACES, hash: IdHash = GOLDEN) {
    this.keptPlaces = keptPlaces
    this.hash = hash
  }

  get size(): number {
    return this.count
  }

  /** Places that there are, taken or not. */
  get places(): number {
    return this.items.length
  }

  /** Places that a look-up of what is there has to look at, at most. */
  get longestProbe(): number {
    const last = this.items.length - 1
    return this.items.reduce(
      (longest, item, place) =>
        item === undefined ? longest : Math.max(longest, 1 + ((place - this.homeOf(this.ids[place] ?? 0)) & last)),
      0,
    )
  }

  get(id: number): T | undefined {
    return this.items[this.placeOf(id)]
  }

  set(id: number, item: T): void {
    if ((this.count + 1) * 2 > this.items.length) this.resize(Math.max(LEAST_PLACES, this.items.length * 2))
    const place = this.placeOf(id)
    if (this.items[place] === undefined) this.count++
    this.ids[place] = id
    this.items[place] = item
  }

  delete(id: number): boolean {
    const place = this.placeOf(id)
    if (this.items[place] === undefined) return false
    this.items[place] = undefined
    this.count--
    this.closeGap(place)
    if (this.count * SPARSE < this.items.length && this.items.length > this.keptPlaces)
      this.resize(Math.max(this.keptPlaces, LEAST_PLACES, this.items.length / SHRINK))
    return true
  }

  clear(): void {
    this.ids = []
    this.items = []
    this.count = 0
    this.shift = 32
  }

  /** As they are now, in the order of their ids: as they were made. */
  values(): T[] {
    const taken: { readonly id: number; readonly item: T }[] = []
    for (const [place, item] of this.items.entries())
      if (item !== undefined) taken.push({ id: this.ids[place] ?? 0, item })
    return taken.sort((a, b) => a.id - b.id).map(({ item }) => item)
  }

  /** Where it is, or would be put. Of an empty table: a place that holds nothing. */
  private placeOf(id: number): number {
    const last = this.items.length - 1
    let place = this.homeOf(id)
    while (this.items[place] !== undefined && this.ids[place] !== id) place = (place + 1) & last
    return place
  }

  private homeOf(id: number): number {
    const offset = (id << 1) & (BLOCK_PLACES - 1)
    const places = this.items.length
    if (places <= BLOCK_PLACES) return offset & (places - 1)
    const { low, high } = this.hash
    const hashed =
      id <= 0xffffffff ? Math.imul(id >>> 3, low) : Math.imul(id >>> 3, low) + Math.imul(Math.floor(id / 2 ** 32), high)
    return ((hashed >>> this.shift) * BLOCK_PLACES) | offset
  }

  /** What was put behind the place because it was taken moves up. */
  private closeGap(gap: number): void {
    const last = this.items.length - 1
    for (let place = (gap + 1) & last; this.items[place] !== undefined; place = (place + 1) & last) {
      const id = this.ids[place] ?? 0
      // Its own place lies between the gap and it: it stays.
      if (((place - this.homeOf(id)) & last) < ((place - gap) & last)) continue
      this.ids[gap] = id
      this.items[gap] = this.items[place]
      this.items[place] = undefined
      gap = place
    }
  }

  private resize(places: number): void {
    const { ids, items } = this
    this.shift = Math.clz32(places / BLOCK_PLACES) + 1
    this.ids = new Array<number>(places).fill(0)
    this.items = new Array<T | undefined>(places).fill(undefined)
    // No iterator: while a hundred thousand processes come or go, going through their places is a good part of it.
    for (let place = 0; place < items.length; place++) {
      const item = items[place]
      if (item === undefined) continue
      const id = ids[place] ?? 0
      const at = this.placeOf(id)
      this.ids[at] = id
      this.items[at] = item
    }
  }
}
