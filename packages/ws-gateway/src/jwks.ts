/**
 * The keys that an issuer publishes at a URL (RFC 7517).
 *
 *   not there yet, or older than ten minutes ─▶ fetched ─┬─ had ──────▶ used
 *   a token of a key that isn't among them ─────▶  "     └─ not had ──▶ those from before, for a while, and a warning; then ERR_JWKS
 *
 * State: the keys (in `jose`), when they were fetched, when it was tried last, of which it has been said that they are old.
 *
 * Not here: how a token is verified with a key (jwt.ts).
 */
import { PidmeshError } from '@pidmesh/runtime'
import { createRemoteJWKSet, errors, jwksCache, type JWKSCacheInput, type JWTVerifyGetKey } from 'jose'

/** Less than a gateway's `authenticateTimeoutMs` is by default: an issuer that hangs is told as one that is away, 503, and not as a client that is late, 408. */
const FETCH_MS = 3_000
/** Older ones are fetched again. */
const MAX_AGE_MS = 600_000
/** So often, at most, while others serve on. */
const RETRY_MS = 30_000

export interface RemoteKeysOptions {
  /** Keys that can't be fetched again serve for so long after they should have been. */
  readonly staleMs: number
  /** They do, from now on. */
  readonly onStale: (problem: unknown) => void
}

/** Keys that can't be had are told from a token for which there is none: `ERR_JWKS`. */
export function remoteKeys(url: URL, { staleMs, onStale }: RemoteKeysOptions): JWTVerifyGetKey {
  const cache: JWKSCacheInput = {}
  // When they are too old is judged here: `jose` would drop them.
  const keys = createRemoteJWKSet(url, { timeoutDuration: FETCH_MS, cacheMaxAge: Infinity, [jwksCache]: cache })
  let triedMs = -Infinity
  /** When those were fetched of which it has been said. */
  let toldMs = -Infinity

  /** Nobody waits for keys while there are some that may serve, but for who comes first. */
  const renew = async (): Promise<void> => {
    const fetchedMs = (cache as { readonly uat?: number }).uat
    if (fetchedMs === undefined) return
    const nowMs = Date.now()
    const overdueMs = nowMs - fetchedMs - MAX_AGE_MS
    if (overdueMs < 0 || (overdueMs < staleMs && nowMs - triedMs < RETRY_MS)) return
    triedMs = nowMs
    try {
      await keys.reload()
    } catch (error) {
      if (overdueMs >= staleMs) throw error
      if (toldMs !== fetchedMs) onStale(error)
      toldMs = fetchedMs
    }
  }

  return async (header, token) => {
    try {
      await renew()
      return await keys(header, token)
    } catch (error) {
      if (isOfToken(error)) throw error
      throw new PidmeshError('ERR_JWKS', `the keys at ${url.origin}${url.pathname} can't be had`, { cause: error })
    }
  }
}

function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}
