/**
 * A bucket of frames that may be sent: the gateway closes with 4005 who sends more than it allows, and counts acknowledgements, too. As a value: no clock.
 */
export interface Bucket {
  /** Infinity: as many as it holds. */
  readonly tokens: number
  readonly atMs: number
}

/** So many may go out at once, in seconds' worth of the rate. */
const BURST_S = 2

/** With what has come since. */
export function refill({ tokens, atMs }: Bucket, perSecond: number, nowMs: number): Bucket {
  return { tokens: Math.min(perSecond * BURST_S, tokens + ((nowMs - atMs) * perSecond) / 1_000), atMs: nowMs }
}
