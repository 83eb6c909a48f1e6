/**
 * The keys that an issuer publishes at a URL (RFC 7517).
 *
 *   not there yet, or older than ten minutes ─▶ fetched ─┬─ had ──────▶ used
 *   a token of a key that isn't among them ─────▶  "     └─ not had ──▶ those from before, for a while, and a warning; then ERR_JWKS
 *
 * Both are tried every 30 seconds at most, whether it has failed or not, while there are keys that serve.
 *
 * State: the keys (in `jose`), when they were fetched, when it was tried last and why that has failed, of which it has been said that they are old.
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
  // When they are fetched again is judged here: `jose` would drop old ones, ask an issuer that is away for each token anew, and wait for a clock that has been set back.
  const never = { cacheMaxAge: Infinity, cooldownDuration: Infinity }
  const keys = createRemoteJWKSet(url, { timeoutDuration: FETCH_MS, ...never, [jwksCache]: cache })
  let triedMs = -Infinity
  /** Why the last try has come to nothing, if it has. */
  let failure: { readonly cause: unknown } | undefined
  /** When those were fetched of which it has been said. */
  let toldMs = -Infinity

  /** Who comes while they are being fetched waits for the same answer. */
  const fetchThem = async (): Promise<void> => {
    triedMs = Date.now()
    try {
      await keys.reload()
      failure = undefined
    } catch (cause) {
      failure = { cause }
      throw cause
    }
  }

  /** Nobody waits for keys while there are some that may serve, but for who comes first. */
  const renew = async (): Promise<void> => {
    const fetchedMs = (cache as { readonly uat?: number }).uat
    if (fetchedMs === undefined) return fetchThem()
    if (isWithin(MAX_AGE_MS, fetchedMs)) return
    const overdueMs = Math.max(0, Date.now() - fetchedMs - MAX_AGE_MS)
    if (overdueMs < staleMs && isWithin(RETRY_MS, triedMs)) return
    try {
      await fetchThem()
    } catch (error) {
      if (overdueMs >= staleMs) throw error
      if (toldMs !== fetchedMs) onStale(error)
      toldMs = fetchedMs
    }
  }

  /** A token names a key that isn't there: a new one, or anybody's invention. */
  const lookAgain = async (error: unknown): Promise<void> => {
    if (keys.reloading || !isWithin(RETRY_MS, triedMs)) await fetchThem()
    else throw failure === undefined ? error : failure.cause
  }

  return async (header, token) => {
    try {
      await renew()
      return await keys(header, token).catch(async (error: unknown) => {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await lookAgain(error)
        return keys(header, token)
      })
    } catch (error) {
      if (isOfToken(error)) throw error
      throw new PidmeshError('ERR_JWKS', `the keys at ${url.origin}${url.pathname} can't be had`, { cause: error })
    }
  }
}

/** Whether it is less than so long ago. What is still to come, since the clock has been set back, is not. */
function isWithin(ms: number, sinceMs: number): boolean {
  const agoMs = Date.now() - sinceMs
  return agoMs >= 0 && agoMs < ms
}

function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  )
}
