/**
 * From a key to the first of its rows: a name, or a group.
 *
 * Open addressing, with nothing in it but hashes and slots: the keys stand in the rows. A `Map` takes twice the time to put a key in and to take it out, and more
 * room. The hash of a key is kept beside its slot, so that hardly ever another key than the one that is looked for is read. Split in 64, so that growing never moves
 * many at once. Keys are the users' to choose: the hash is made with numbers that nobody can guess, so that they can't choose such as meet.
 */
import type { KeyWords } from './key-words.ts'
import { NONE, type Rows } from './rows.ts'

const PARTS = 64
/** Of the hash's bits the highest choose the part. */
const PART_SHIFT = 26
/** A hash and a slot. */
const WIDTH = 2
const LEAST_PLACES = 8

class Part {
  entries = emptyEntries(LEAST_PLACES)
  count = 0
}

export class KeyIndex {
  private readonly rows: Rows
  private readonly seed: number
  private readonly multiplier: number
  private readonly secondMultiplier: number
  private readonly parts: (Part | undefined)[] = new Array<Part | undefined>(PARTS).fill(undefined)

  /** @param secret an odd number of 32 bits */
  constructor(rows: Rows, secret: number) {
    this.rows = rows
    this.seed = Math.imul(secret, 0x85ebca6b)
    this.multiplier = secret | 0
    this.secondMultiplier = Math.imul(secret, 0xc2b2ae35) | 1
  }

  /** The first row of the key, or `NONE`. */
  first(key: KeyWords): number {
    const hash = this.hashOf(key)
    const part = this.parts[hash >>> PART_SHIFT]
    return part === undefined ? NONE : (part.entries[this.placeOf(part, key, hash) + 1] as number)
  }

  /** Makes a row the first of its key. The one that was must still be one. */
  set(key: KeyWords, slot: number): void {
    const hash = this.hashOf(key)
    const part = (this.parts[hash >>> PART_SHIFT] ??= new Part())
    const place = this.placeOf(part, key, hash)
    const isNew = part.entries[place + 1] === NONE
    part.entries[place] = hash
    part.entries[place + 1] = slot
    if (isNew && ++part.count * 2 * WIDTH > part.entries.length) resize(part, part.entries.length * 2)
  }

  /** The key has no rows any more. The one that was must still be one. */
  remove(key: KeyWords): void {
    const hash = this.hashOf(key)
    const part = this.parts[hash >>> PART_SHIFT]
    if (part === undefined) return
    const place = this.placeOf(part, key, hash)
    if (part.entries[place + 1] === NONE) return
    part.count--
    closeGap(part.entries, place)
    if (part.entries.length > LEAST_PLACES * WIDTH && part.count * 8 * WIDTH < part.entries.length)
      resize(part, part.entries.length / 2)
  }

  /** As they are now, in any order. */
  keys(): string[] {
    const keys: string[] = []
    for (const part of this.parts) {
      if (part === undefined) continue
      for (let at = 1; at < part.entries.length; at += WIDTH) {
        const slot = part.entries[at] as number
        if (slot !== NONE) keys.push(this.rows.keyOf(slot))
      }
    }
    return keys
  }

  /** Where it is, or would be put. */
  private placeOf({ entries }: Part, key: KeyWords, hash: number): number {
    const last = entries.length - 1
    let place = homeOf(hash, last)
    for (let slot = entries[place + 1]; slot !== NONE; slot = entries[place + 1]) {
      if (entries[place] === hash && this.rows.hasKey(slot as number, key)) break
      place = (place + WIDTH) & last
    }
    return place
  }

  private hashOf(key: KeyWords): number {
    return key.isShort ? this.hashOfWords(key.words) : this.hashOfText(key.text)
  }

  /** 32 bits, signed. Two products with numbers that nobody knows for each word: what differs in its highest bits alone would otherwise differ in bits that can be foretold. */
  private hashOfWords(words: Int32Array): number {
    const { multiplier, secondMultiplier } = this
    let hash = this.seed
    for (let at = 0; at < words.length; at++) {
      hash = Math.imul(hash ^ (words[at] as number), multiplier)
      hash = Math.imul(hash ^ (hash >>> 16), secondMultiplier)
      hash ^= hash >>> 15
    }
    return hash
  }

  /** As `hashOfWords`. The last step is that of MurmurHash3 (Appleby): each bit of the key changes each of the hash. */
  private hashOfText(key: string): number {
    const { multiplier } = this
    let hash = this.seed ^ key.length
    for (let at = 0; at < key.length; at++) {
      hash = Math.imul(hash ^ key.charCodeAt(at), multiplier)
      // Without it the highest bits of two characters can cancel each other, whatever the multiplier.
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  }
}

function emptyEntries(places: number): Int32Array {
  return new Int32Array(places * WIDTH).fill(NONE)
}

/** `last`: of the entries, whose number is a power of two. */
function homeOf(hash: number, last: number): number {
  return (hash * WIDTH) & last
}

/** What was put behind the place because it was taken moves up. */
function closeGap(entries: Int32Array, place: number): void {
  const last = entries.length - 1
  let gap = place
  entries[gap + 1] = NONE
  for (let at = (gap + WIDTH) & last; entries[at + 1] !== NONE; at = (at + WIDTH) & last) {
    const hash = entries[at] as number
    // Its own place lies between the gap and it: it stays.
    if (((at - homeOf(hash, last)) & last) < ((at - gap) & last)) continue
    entries[gap] = hash
    entries[gap + 1] = entries[at + 1] as number
    entries[at + 1] = NONE
    gap = at
  }
}

function resize(part: Part, length: number): void {
  const { entries } = part
  const larger = emptyEntries(length / WIDTH)
  const last = length - 1
  for (let at = 0; at < entries.length; at += WIDTH) {
    if (entries[at + 1] === NONE) continue
    const hash = entries[at] as number
    let place = homeOf(hash, last)
    while (larger[place + 1] !== NONE) place = (place + WIDTH) & last
    larger[place] = hash
    larger[place + 1] = entries[at + 1] as number
  }
  part.entries = larger
}
