/**
 * All claims that a node knows, by name, the one that is seen first.
 *
 * Split into sub-maps: growing one Map of 2^21 entries was measured to stall the event loop for 179 ms, and a Map ends at 2^24 entries.
 *
 * Invariant: a name's claims are of different owners, in the order of `compare`; nearly always there is one, which stands without an array.
 */
import type { Claim } from './claim.ts'
import type { CompareClaims } from './conflict.ts'

const SHARDS = 256

export class ClaimIndex {
  private readonly compare: CompareClaims
  private readonly shards: ReadonlyArray<Map<string, Claim | Claim[]>> = Array.from({ length: SHARDS }, () => new Map())
  /** Names that are claimed. */
  size = 0

  constructor(compare: CompareClaims) {
    this.compare = compare
  }

  /** The claim that is seen, or `undefined`. A pure function of all claims to the name. */
  visible(name: string): Claim | undefined {
    const entry = this.shardOf(name).get(name)
    return Array.isArray(entry) ? entry[0] : entry
  }

  /** Adds a claim, in place of an earlier one of the same owner. */
  put(claim: Claim): void {
    const shard = this.shardOf(claim.name)
    const entry = shard.get(claim.name)
    if (entry === undefined) {
      this.size++
      shard.set(claim.name, claim)
      return
    }
    const others = without(entry, claim)
    if (others.length === 0) shard.set(claim.name, claim)
    else shard.set(claim.name, [...others, claim].sort(this.compare))
  }

  /** Takes out the claim of the same name and owner. */
  remove(claim: Claim): void {
    const shard = this.shardOf(claim.name)
    const entry = shard.get(claim.name)
    if (entry === undefined) return
    const [first, ...rest] = without(entry, claim)
    if (first === undefined) {
      this.size--
      shard.delete(claim.name)
    } else {
      shard.set(claim.name, rest.length === 0 ? first : [first, ...rest])
    }
  }

  *visibleClaims(): Generator<Claim> {
    for (const shard of this.shards) {
      for (const entry of shard.values()) {
        const claim = Array.isArray(entry) ? entry[0] : entry
        if (claim !== undefined) yield claim
      }
    }
  }

  private shardOf(name: string): Map<string, Claim | Claim[]> {
    // The mask keeps the index within the shards.
    return this.shards[hash(name) & (SHARDS - 1)] as Map<string, Claim | Claim[]>
  }
}

function without(entry: Claim | Claim[], claim: Claim): Claim[] {
  const claims = Array.isArray(entry) ? entry : [entry]
  return claims.filter((other) => other.pid.node !== claim.pid.node)
}

/** FNV-1a over code units. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
