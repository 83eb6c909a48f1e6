/**
 * From a key to the first of its rows.
 *
 * Split into sub-maps: growing one Map of 2^21 entries was measured to stall the event loop for 179 ms, and a Map ends at 2^24 entries. Which sub-map a key is in
 * anyone can find out; what is in it is found by the engine's own hash, which nobody outside knows: keys that meet can't be made.
 */
import { NONE } from './rows.ts'

const SHARDS = 256

export class KeyIndex {
  private readonly shards: ReadonlyArray<Map<string, number>> = Array.from({ length: SHARDS }, () => new Map())
  /** Keys that have rows. */
  size = 0

  /** The first row, or `NONE`. */
  first(key: string): number {
    return this.shardOf(key).get(key) ?? NONE
  }

  /** With `NONE` the key has no rows any more. */
  setFirst(key: string, slot: number): void {
    const shard = this.shardOf(key)
    const before = shard.size
    if (slot === NONE) shard.delete(key)
    else shard.set(key, slot)
    this.size += shard.size - before
  }

  *keys(): Generator<string> {
    for (const shard of this.shards) yield* shard.keys()
  }

  private shardOf(key: string): Map<string, number> {
    return this.shards[shardOfKey(key)] as Map<string, number>
  }
}

/** Four characters of it say in which: to look at all would take as long as to look it up. Of a key that is shorter those that aren't there count nothing. */
function shardOfKey(key: string): number {
  const last = key.length - 1
  const mixed = Math.imul(key.charCodeAt(last) | 0, 31) + (key.charCodeAt(last - 1) | 0)
  return (
    (Math.imul(Math.imul(mixed, 31) + (key.charCodeAt(last - 2) | 0), 31) + (key.charCodeAt(last >> 1) | 0)) &
    (SHARDS - 1)
  )
}

/** FNV-1a over code units, and its bits mixed: its lowest alone depend on the lowest of the text alone. */
export function hashOfKey(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return mixed(hash)
}

/** As `hashOfKey`, of bytes. */
export function hashOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
  return mixed(hash)
}

/** A hash of all that a row says, the same on every node. */
export function hashOfRow(keyHash: number, id: number, epoch: number, metaHash: number): number {
  let hash = Math.imul(keyHash ^ metaHash, 0x9e3779b1)
  hash = Math.imul(hash ^ (id | 0) ^ Math.imul(Math.floor(id / 2 ** 32), 0x85ebca6b), 0xc2b2ae35)
  hash = Math.imul(hash ^ (epoch | 0) ^ Math.imul(Math.floor(epoch / 2 ** 32), 0x27d4eb2f), 0x165667b1)
  return mixed(hash)
}

/** The last step of MurmurHash3 (Appleby): each bit of the input changes each of the output. */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
