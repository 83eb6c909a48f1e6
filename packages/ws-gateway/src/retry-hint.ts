/**
 * When a client should come back, in the reason of a close frame: `service_restart;retry_after_ms=1234`. docs/gateway-protocol.md says it to clients.
 */
import type { CloseCause } from './close-codes.ts'

export interface RetryHint {
  /** No client is to come back earlier. */
  readonly leastMs: number
  /** They come back within so long after that, each when it likes: not all at once. */
  readonly jitterMs: number
}

/** A client that were told more would seem to be lost. */
const MAX_RETRY_MS = 600_000

/** @param fraction A random number in [0, 1) */
export function retryAfterMs({ leastMs, jitterMs }: RetryHint, fraction: number): number {
  return Math.min(MAX_RETRY_MS, Math.max(0, Math.round(leastMs + fraction * jitterMs)))
}

/** The cause with the hint; without it, where both together don't fit into a close frame. */
export function withRetryHint(cause: CloseCause, afterMs: number): CloseCause {
  const reason = `${cause.reason};retry_after_ms=${afterMs}`
  return Buffer.byteLength(reason) > 123 ? cause : { code: cause.code, reason }
}
