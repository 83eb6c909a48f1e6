/**
 * The log of one owner: the names of this node's own processes, and a sequence number for each change. The only writer of these entries.
 */
import type { Claim, Op } from './claim.ts'

export class OwnerLog {
  /** The number of the last operation. */
  seq = 0
  readonly claims: Map<string, Claim> = new Map()
  private unsent: Op[] = []

  put(claim: Claim): void {
    this.claims.set(claim.name, claim)
    this.unsent.push({ type: 'put', seq: ++this.seq, claim })
  }

  remove(name: string): Claim | undefined {
    const claim = this.claims.get(name)
    if (claim === undefined) return undefined
    this.claims.delete(name)
    this.unsent.push({ type: 'remove', seq: ++this.seq, name })
    return claim
  }

  /** The operations since the last call, in order. */
  takeUnsent(): Op[] {
    const ops = this.unsent
    this.unsent = []
    return ops
  }
}
