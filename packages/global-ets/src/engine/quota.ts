/**
 * How much one node may put into the others' memory: a node that is sick, or runs wild, must not fill the whole cluster.
 */
export interface Quota {
  /** Rows of one node at most. More: nothing of that node is seen until it is asked again. */
  readonly maxRowsPerNode: number
  /** Operations a second that are taken of one node, in the long run. What is beyond is taken later. */
  readonly maxOpsPerSecond: number
}

export const QUOTA: Quota = { maxRowsPerNode: 1_000_000, maxOpsPerSecond: 100_000 }

/** So many seconds' worth may come at once. */
const BURST_SECONDS = 10

/** A token bucket. */
export class Allowance {
  private readonly perSecond: number
  private tokens: number
  private atMs: number

  constructor(perSecond: number, nowMs: number) {
    this.perSecond = perSecond
    this.tokens = perSecond * BURST_SECONDS
    this.atMs = nowMs
  }

  /** Takes so many, if they are there. Otherwise says in how many milliseconds they will be, and takes none. */
  take(count: number, nowMs: number): number {
    const most = this.perSecond * BURST_SECONDS
    this.tokens = Math.min(most, this.tokens + ((nowMs - this.atMs) / 1_000) * this.perSecond)
    this.atMs = nowMs
    // What is more than can ever be there is taken when all is there.
    const wanted = Math.min(count, most)
    if (this.tokens >= wanted) {
      this.tokens -= wanted
      return 0
    }
    return Math.ceil(((wanted - this.tokens) / this.perSecond) * 1_000)
  }
}
