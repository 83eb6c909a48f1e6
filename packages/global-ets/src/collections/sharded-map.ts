/**
 * A map without an order that grows without a stall.
 *
 * A `Map` that is full is copied as a whole into one of twice the size: at 2^21 entries it was seen to take 179 ms. This one is a `Map` up to 4,096 entries, and then
 * 256 of them, among which a hash of the key chooses; each is copied by itself.
 *
 * The hash need not be a good one. Of a long text it reads the beginning and the end: keys that are alike in both make one map large, and no result wrong.
 */
export type MapKey = string | number | bigint | boolean

const SHARDS = 256
const SINGLE_AT_MOST = 4_096
/** Of a longer text half of this many code units is read at each end. */
const READ = 32

export class ShardedMap<V extends {}, K extends MapKey = MapKey> {
  private single: Map<K, V> | undefined = new Map()
  private shards: (Map<K, V> | undefined)[] = []
  private count = 0

  get size(): number {
    return this.count
  }

  get(key: K): V | undefined {
    return (this.single ?? this.shards[shardOf(key)])?.get(key)
  }

  set(key: K, value: V): void {
    if (this.single !== undefined && this.count >= SINGLE_AT_MOST) this.split(this.single)
    const map = this.single ?? (this.shards[shardOf(key)] ??= new Map())
    const before = map.size
    map.set(key, value)
    this.count += map.size - before
  }

  /** Removes the key, and gives what it had. */
  take(key: K): V | undefined {
    const map = this.single ?? this.shards[shardOf(key)]
    const value = map?.get(key)
    if (value !== undefined) {
      map?.delete(key)
      this.count--
    }
    return value
  }

  /** In any order. */
  *keys(): IterableIterator<K, undefined> {
    for (const map of this.single === undefined ? this.shards : [this.single]) if (map !== undefined) yield* map.keys()
  }

  clear(): void {
    this.single = new Map()
    this.shards = []
    this.count = 0
  }

  private split(single: Map<K, V>): void {
    this.single = undefined
    this.shards = new Array<undefined>(SHARDS).fill(undefined)
    for (const [key, value] of single) (this.shards[shardOf(key)] ??= new Map()).set(key, value)
  }
}

/** 0 to 255, the same for keys that a `Map` takes for one. */
function shardOf(key: MapKey): number {
  if (typeof key === 'string') return mixed(hashOf(key))
  if (typeof key === 'bigint') return mixed(Number(BigInt.asIntN(32, key)))
  if (typeof key === 'boolean') return 0
  return Number.isInteger(key) && Math.abs(key) < 2 ** 31 ? mixed(key | 0) : mixed(hashOf(String(key)))
}

function hashOf(text: string): number {
  const { length } = text
  let hash = length
  const half = length > READ ? READ / 2 : length
  for (let index = 0; index < half; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  for (let index = Math.max(half, length - half); index < length; index++)
    hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

/** The high bits, in which each bit of the number has its part. */
function mixed(number: number): number {
  return Math.imul(number ^ (number >>> 15), 0x9e3779b1) >>> 24
}
