/**
 * A token bucket: so many a second, and so many at once. Pure, but for the state that it is given: two numbers, as there is one for each connection.
 *
 * A bucket holds `burst` tokens at most and begins full. What is taken comes back at `perSecond`. A take that fails takes nothing.
 */
export interface Rate {
  /** Tokens that come back in a second. */
  readonly perSecond: number
  /** Tokens that a full bucket has. */
  readonly burst: number
}

export interface Bucket {
  tokens: number
  /** When `tokens` was true. */
  atMs: number
}

export function fullBucket(rate: Rate, nowMs: number): Bucket {
  return { tokens: rate.burst, atMs: nowMs }
}

/** Whether there were `cost` tokens to take. More than `burst` never are. */
export function take(bucket: Bucket, rate: Rate, nowMs: number, cost: number = 1): boolean {
  bucket.tokens = tokensAt(bucket, rate, nowMs)
  bucket.atMs = Math.max(bucket.atMs, nowMs)
  if (bucket.tokens < cost) return false
  bucket.tokens -= cost
  return true
}

/** One that was taken counts for nothing. */
export function giveBack(bucket: Bucket, rate: Rate): void {
  bucket.tokens = Math.min(rate.burst, bucket.tokens + 1)
}

function tokensAt({ tokens, atMs }: Bucket, { perSecond, burst }: Rate, nowMs: number): number {
  return Math.min(burst, tokens + (Math.max(0, nowMs - atMs) / 1_000) * perSecond)
}
