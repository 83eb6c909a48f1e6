/**
 * A token bucket: so many a second, and so many at once. Pure: of its state there is one number, as there is one for each connection, and none before the first token is taken.
 *
 * A bucket holds `burst` tokens at most and begins full. What is taken comes back at `perSecond`. A take that fails takes nothing.
 *
 * The number is when the bucket will be full again (the generic cell rate algorithm, ITU-T I.371): each token that is taken puts it off by what one takes to come back.
 */
export interface Rate {
  /** Tokens that come back in a second. */
  readonly perSecond: number
  /** Tokens that a full bucket has. */
  readonly burst: number
}

/** When it is full again; `undefined`: it is, nothing was ever taken. */
export type FullAtMs = number | undefined

/** Sums of fractions differ by so much, and a token is not refused for it. */
const TOLERANCE_MS = 1e-3

/** Takes `cost` tokens. `undefined` if there are fewer; of more than `burst` there always are. */
export function take(fullAtMs: FullAtMs, rate: Rate, nowMs: number, cost: number = 1): number | undefined {
  const nextMs = Math.max(fullAtMs ?? nowMs, nowMs) + tokensMs(rate, cost)
  return nextMs - nowMs > tokensMs(rate, rate.burst) + TOLERANCE_MS ? undefined : nextMs
}

/** One that was taken counts for nothing. */
export function giveBack(fullAtMs: FullAtMs, rate: Rate): FullAtMs {
  return fullAtMs === undefined ? undefined : fullAtMs - tokensMs(rate, 1)
}

/** What it takes until so many have come back. */
function tokensMs({ perSecond }: Rate, count: number): number {
  return (count * 1_000) / perSecond
}
