/**
 * A bucket of frames that may be sent: the gateway closes with 4005 who sends more than it allows, and counts acknowledgements, too. As a value: no clock.
 */
export interface Bucket {
  readonly tokens: number
  readonly atMs: number
}

/** So many may go out at once, in seconds' worth of the rate. */
const BURST_S = 2

export function fullBucket(perSecond: number, nowMs: number): Bucket {
  return { tokens: perSecond * BURST_S, atMs: nowMs }
}

/** With what has come since. */
export function refill({ tokens, atMs }: Bucket, perSecond: number, nowMs: number): Bucket {
  const grown = tokens + (Math.max(0, nowMs - atMs) * perSecond) / 1_000
  return { tokens: Math.min(perSecond * BURST_S, grown), atMs: nowMs }
}
