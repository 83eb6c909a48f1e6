/**
 * How long to wait before the next attempt: exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015), so that clients which were lost together
 * don't come back together.
 */
export interface BackoffLimits {
  /** The first retry comes within so long. */
  readonly minRetryMs: number
  /** And none later than this. */
  readonly maxRetryMs: number
}

/** On top of a hint of the gateway: many may have been given the same. */
const HINT_JITTER_MS = 250
/** Who were told to wait longer would seem to be lost. The gateway hints no more, either. */
const MAX_HINT_MS = 600_000

const HINT = /;retry_after_ms=(\d+)/

/** What the reason of a close frame says of when to come back: `service_restart;retry_after_ms=1234`. 0 if nothing. */
export function retryHintMs(reason: string): number {
  return Math.min(MAX_HINT_MS, Number(HINT.exec(reason)?.[1] ?? 0))
}

/**
 * @param retries So many attempts have come to nothing since the last good connection
 * @param fraction A random number in [0, 1)
 */
export function retryDelayMs(limits: BackoffLimits, retries: number, hintMs: number, fraction: number): number {
  const ceilingMs = Math.min(limits.maxRetryMs, limits.minRetryMs * 2 ** retries)
  const delayMs = fraction * ceilingMs
  return Math.max(delayMs, hintMs && hintMs + fraction * HINT_JITTER_MS)
}
