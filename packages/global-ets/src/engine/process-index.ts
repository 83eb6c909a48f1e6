/**
 * From a process's id to the first of its rows, within one copy.
 *
 * Open addressing, with nothing in it but slots: the ids stand in the rows. A Map would take 37 bytes an entry. Split in 64, so that growing never moves many at once.
 * Ids of this node's own count up: eight of a part that follow each other lie side by side, with a place between them, so that hardly two meet, and who is taken out
 * finds the end of his cluster at once (as in the runtime's id-table.ts). Where others choose the ids a multiplier is drawn by chance, so that they can't choose such
 * as meet.
 */
import { NONE, type Rows } from './rows.ts'

const PARTS = 64
const LEAST_PLACES = 8
/** Of eight ids, and as many between them. */
const BLOCK_PLACES = 16
/** 2^32 divided by the golden ratio: what follows each other is spread as evenly as can be. Knuth, The Art of Computer Programming, 6.4. */
const GOLDEN = 0x9e3779b1
const HIGH = 0x85ebca6b

class Part {
  places = new Int32Array(LEAST_PLACES).fill(NONE)
  count = 0
}

export class ProcessIndex {
  private readonly rows: Rows
  private readonly multiplier: number | undefined
  private readonly parts: (Part | undefined)[] = new Array<Part | undefined>(PARTS).fill(undefined)

  /** @param multiplier an odd number of 32 bits; `undefined` for ids of this node's own */
  constructor(rows: Rows, multiplier: number | undefined) {
    this.rows = rows
    this.multiplier = multiplier
  }

  /** The first row of the process, or `NONE`. */
  first(id: number): number {
    const part = this.parts[id % PARTS]
    return part === undefined ? NONE : (part.places[this.placeOf(part, id)] as number)
  }

  /** Makes a row the first of its process. Returns the one that was. */
  put(id: number, slot: number): number {
    const part = (this.parts[id % PARTS] ??= new Part())
    const place = this.placeOf(part, id)
    const before = part.places[place] as number
    part.places[place] = slot
    if (before === NONE && ++part.count * 2 > part.places.length) this.resize(part, part.places.length * 2)
    return before
  }

  /** The process has no rows any more; or another is the first. Its first row must still be one. */
  setFirst(id: number, slot: number): void {
    const part = this.parts[id % PARTS]
    if (part === undefined) return
    const place = this.placeOf(part, id)
    if (part.places[place] === NONE) return
    if (slot === NONE) this.remove(part, place)
    else part.places[place] = slot
  }

  /** Where it is, or would be put. */
  private placeOf(part: Part, id: number): number {
    const { places } = part
    const last = places.length - 1
    let place = this.homeOf(id, last)
    for (let slot = places[place]; slot !== NONE && this.rows.idOf(slot as number) !== id; slot = places[place])
      place = (place + 1) & last
    return place
  }

  private homeOf(id: number, last: number): number {
    const within = Math.floor(id / PARTS)
    const high = Math.floor(within / 2 ** 32)
    if (this.multiplier !== undefined) {
      const low = Math.imul(within | 0, this.multiplier)
      // The high half goes through the secret, too: who chooses it must not know what becomes of it.
      const hash = Math.imul(low ^ (low >>> 15) ^ high, this.multiplier)
      return (hash ^ (hash >>> 15)) & last
    }
    const offset = (within << 1) & (BLOCK_PLACES - 1)
    if (last < BLOCK_PLACES) return offset & last
    // The highest bits of the hash, as many as there are blocks.
    const block = (Math.imul(within >>> 3, GOLDEN) ^ Math.imul(high, HIGH)) >>> Math.clz32(last >>> 4)
    return (block * BLOCK_PLACES) | offset
  }

  /** What was put behind the place because it was taken moves up. */
  private remove(part: Part, gap: number): void {
    const { places } = part
    const last = places.length - 1
    places[gap] = NONE
    part.count--
    for (let place = (gap + 1) & last; places[place] !== NONE; place = (place + 1) & last) {
      const slot = places[place] as number
      const home = this.homeOf(this.rows.idOf(slot), last)
      // Its own place lies between the gap and it: it stays.
      if (((place - home) & last) < ((place - gap) & last)) continue
      places[gap] = slot
      places[place] = NONE
      gap = place
    }
    if (places.length > LEAST_PLACES && part.count * 8 < places.length) this.resize(part, places.length / 2)
  }

  private resize(part: Part, length: number): void {
    const { places } = part
    part.places = new Int32Array(length).fill(NONE)
    for (const slot of places) if (slot !== NONE) part.places[this.placeOf(part, this.rows.idOf(slot))] = slot
  }
}
