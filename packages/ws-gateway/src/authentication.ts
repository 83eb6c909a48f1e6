/**
 * Asks the user's `authenticate` who a client is, in time and in bounds.
 */
import { RateLimitedLog, shown, type Awaitable, type Clock, type Logger } from '@pidmesh/runtime'
import type { UpgradeRequest } from './options.ts'
import { Authenticated, type Identity, type Nobody } from './principal.ts'

const HALF_PAIR = /\p{Surrogate}/u
/** The end of 1970, in milliseconds: a time in seconds (the claim `exp` of a JWT) is before it. */
const END_OF_1970_MS = 365 * 86_400_000

/** `refused`: it is nobody. `failed`: that can't be said now. */
export type AuthenticationFailure = 'refused' | 'failed' | 'timeout'

export interface AuthenticationOptions<Principal> {
  readonly authenticate: (request: UpgradeRequest) => Awaitable<Principal | Authenticated<Principal> | Nobody>
  readonly principalId: (principal: Principal) => string
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Pick<Logger, 'error'>
  /** For what would be said again of each client. */
  readonly seldom: Pick<Logger, 'warn'>
}

/** One line a minute. */
export function seldomLog(log: Logger, clock: Clock): Pick<Logger, 'warn'> {
  return new RateLimitedLog(log, clock, { lines: 1, windowMs: 60_000 })
}

/** Never rejects. */
export async function authenticate<Principal>(
  request: UpgradeRequest,
  options: AuthenticationOptions<Principal>,
): Promise<Identity<Principal> | AuthenticationFailure> {
  const { principalId, clock, log, seldom } = options
  try {
    const answer = await inTime(request, options)
    if (answer === 'timeout') return 'timeout'
    // Also null, false and the like: what a look-up, or `isGood(token) && user`, says of one that it doesn't know.
    if (!answer.value) return 'refused'
    if (answer.value === true) throw new TypeError('authenticate must say who it is, not only that it is somebody')
    const { principal, expiresAtMs } =
      answer.value instanceof Authenticated ? answer.value : new Authenticated(answer.value)
    if (expiresAtMs !== undefined && expiresAtMs <= clock.wallMs()) {
      if (expiresAtMs > 0 && expiresAtMs < END_OF_1970_MS)
        seldom.warn(
          { expiresAtMs },
          'authenticate gives an expiresAtMs in the year 1970, so that nobody is let in: milliseconds are meant, not seconds (exp * 1000)',
        )
      return 'refused'
    }
    const id = principalId(principal)
    if (typeof id !== 'string') throw new TypeError('principalId must give a text')
    // In UTF-8, by which resume tokens are bound to it, two that differ in halves of pairs only would be one.
    if (HALF_PAIR.test(id)) throw new TypeError('principalId must give well-formed Unicode')
    return { principal, id, expiresAtMs }
  } catch (error) {
    log.error({ problem: problemOf(error, request.token) }, 'authenticate failed')
    return 'failed'
  }
}

interface Answer<Principal> {
  readonly value: Principal | Authenticated<Principal> | Nobody
}

/** On one line, and without the token: an error may tell what it is about. */
function problemOf(error: unknown, token: string | undefined): string {
  const text = error instanceof Error && typeof error.message === 'string' ? error.message : shown(error)
  return shown(token === undefined || token === '' ? text : text.replaceAll(token, '…'))
}

function inTime<Principal>(
  request: UpgradeRequest,
  { authenticate: ask, timeoutMs, clock }: AuthenticationOptions<Principal>,
): Awaitable<Answer<Principal> | 'timeout'> {
  const answer = ask(request)
  if (!isPromise(answer)) return { value: answer }
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(timeoutMs, () => resolve('timeout'))
    Promise.resolve(answer)
      .then((value) => resolve({ value }), reject)
      .finally(() => timer.cancel())
  })
}

/** Many a database gives what can be awaited and is no `Promise`: it must not be taken for somebody. */
function isPromise<T>(answer: Awaitable<T>): answer is Promise<T> {
  return typeof answer === 'object' && answer !== null && 'then' in answer && typeof answer.then === 'function'
}
