/**
 * Verifies JSON Web Tokens (RFC 7519, RFC 8725), for the gateway or for whoever wants: `@pidmesh/ws-gateway/jwt`.
 *
 * A token is good if its signature is of the key, its algorithm one of those that are allowed, its issuer and audience the expected ones, and now between `nbf`
 * and `exp`. The algorithms come from the key or the options, never from the token; a key fits those of its own type only, so that a public key can't be
 * used as the secret of an HMAC; `none` is never one.
 *
 *   token wrong, in whatever way ──────▶ undefined        401
 *   keys can't be had ─────────────────▶ ERR_JWKS          503: it is not the client's fault, and it should come back
 *
 * Not here: sessions that outlive their token (the gateway looks at `expiresAtMs`), revocation.
 */
import { PidmeshError, shown, type Awaitable, type Logger } from '@pidmesh/runtime'
import { errors, jwtVerify, type JWTPayload } from 'jose'
import { remoteKeys } from './jwks.ts'
import { algorithmsOfKey, keyOf, REMOTE_ALGORITHMS, type JwtAlgorithm, type JwtKey } from './jwt-key.ts'
import { Authenticated } from './principal.ts'

export type { JwtAlgorithm, JwtKey } from './jwt-key.ts'

/** What a token says. Checked are those that have a name here; of the others anything may be there. */
export interface JwtClaims {
  readonly iss?: string
  readonly sub?: string
  readonly aud?: string | readonly string[]
  readonly exp?: number
  readonly nbf?: number
  readonly iat?: number
  readonly jti?: string
  readonly [claim: string]: unknown
}

export interface JwtOptions {
  /** The key of the issuer: give this or `jwksUrl`. */
  readonly key?: JwtKey | undefined
  /**
   * Where the issuer publishes its keys, as text or URL. They are fetched when they are first needed, every ten minutes, and, every 30 seconds at most, for
   * a token of a key that isn't known, and are waited for three seconds. https, or http on loopback.
   */
  readonly jwksUrl?: string | URL | undefined
  /**
   * For how long keys that can't be fetched again after their ten minutes serve on: an issuer that is away is no reason to refuse all clients. A key that the issuer has withdrawn meanwhile is
   * good here for so long, too; 0 is for who can't have that. @default 3600
   */
  readonly jwksStaleS?: number | undefined
  /** Is told, once for each time, that the keys can't be fetched again and serve on: the node's log, say. @default `process.emitWarning` */
  readonly log?: Pick<Logger, 'warn'> | undefined
  /** Who must have issued the token: the claim `iss`. */
  readonly issuer: string | readonly string[]
  /** For whom it must be meant: the claim `aud`. Without it a token for another service of the same issuer would be good here. */
  readonly audience: string | readonly string[]
  /** @default those of the key's type; of `jwksUrl`: all but HMAC */
  readonly algorithms?: readonly JwtAlgorithm[] | undefined
  /** How far the issuer's clock may be off. @default 5 */
  readonly clockToleranceS?: number | undefined
  /** Claims that a token must have, besides `iss` and `aud`: `['exp', 'sub']`. Without `exp` here one that has none is good for ever. @default none */
  readonly requiredClaims?: readonly string[] | undefined
  /** How long ago the token may have been issued: the claim `iat`, which it must have then. It expires by then, too. @default for ever */
  readonly maxTokenAgeS?: number | undefined
  /** Milliseconds since 1970. @default Date.now */
  readonly wallMs?: (() => number) | undefined
}

/**
 * `undefined`: the token is not good.
 * @throws PidmeshError `ERR_JWKS` if the issuer's keys can't be had; what `principal` throws
 */
export type JwtVerifier<Principal> = (token: string) => Promise<Authenticated<Principal> | undefined>

/** A longer one is not looked at. */
const MAX_TOKEN_LENGTH = 16 * 1024
const KNOWN: ReadonlySet<string> = new Set<keyof JwtOptions | 'principal'>([
  'key',
  'jwksUrl',
  'jwksStaleS',
  'log',
  'issuer',
  'audience',
  'algorithms',
  'clockToleranceS',
  'requiredClaims',
  'maxTokenAgeS',
  'wallMs',
  'principal',
])

/** Without `principal` the claims are the principal. */
export function jwtVerifier(options: JwtOptions & { readonly principal?: undefined }): JwtVerifier<JwtClaims>
// This one is last: of a call that fits neither the compiler says what it lacks for the last, an issuer that was forgotten, say.
/**
 * @param options `principal`: who the client is by the claims of a good token; `undefined`: refused nevertheless. Without it the claims are it.
 * @throws PidmeshError `ERR_BAD_OPTION`
 *
 * @example
 *   const verify = jwtVerifier({
 *     jwksUrl: 'https://login.example/.well-known/jwks.json',
 *     issuer: 'https://login.example/',
 *     audience: 'chat',
 *     requiredClaims: ['exp', 'sub'],
 *     principal: ({ sub }) => (sub === undefined ? undefined : { user: sub }),
 *   })
 */
export function jwtVerifier<Principal>(
  options: JwtOptions & { readonly principal: (claims: JwtClaims) => Awaitable<Principal | undefined> },
): JwtVerifier<Principal>
export function jwtVerifier(
  options: JwtOptions & { readonly principal?: ((claims: JwtClaims) => unknown) | undefined },
): JwtVerifier<unknown> {
  for (const name of Object.keys(options)) if (!KNOWN.has(name)) throw bad(`unknown option ${shown(name)}`)
  const { clockToleranceS = 5, wallMs = Date.now, principal = (claims: JwtClaims) => claims } = options
  if (typeof clockToleranceS !== 'number' || !(clockToleranceS >= 0 && clockToleranceS <= 600))
    throw bad(`clockToleranceS must be a number of seconds from 0 to 600, not ${shown(clockToleranceS)}`)
  if (typeof principal !== 'function' || typeof wallMs !== 'function') throw bad('principal and wallMs are functions')
  const { maxTokenAgeS, requiredClaims = [] } = options
  if (maxTokenAgeS !== undefined && !(typeof maxTokenAgeS === 'number' && maxTokenAgeS > 0 && maxTokenAgeS < Infinity))
    throw bad(`maxTokenAgeS must be a number of seconds, not ${shown(maxTokenAgeS)}`)
  if (!Array.isArray(requiredClaims)) throw bad(`requiredClaims must be a list, not ${shown(requiredClaims)}`)
  const expected = {
    ...(maxTokenAgeS === undefined ? {} : { maxTokenAge: maxTokenAgeS }),
    requiredClaims: requiredClaims.length === 0 ? [] : namesOf('requiredClaims', requiredClaims),
    issuer: namesOf('issuer', options.issuer),
    audience: namesOf('audience', options.audience),
    clockTolerance: clockToleranceS,
    algorithms: [...algorithmsOf(options)],
  }
  const verify = verifyWith(options)

  return async (token) => {
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return undefined
    const claims = await claimsOf(() => verify(token, { ...expected, currentDate: new Date(wallMs()) }))
    if (claims === undefined) return undefined
    const who = await principal(claims)
    if (who == null) return undefined
    const { exp = Infinity, iat = Infinity } = claims
    const untilS = Math.min(exp, maxTokenAgeS === undefined ? Infinity : iat + maxTokenAgeS)
    // With the tolerance.
    const expiresAtMs =
      untilS === Infinity ? undefined : Math.min((untilS + clockToleranceS) * 1_000, Number.MAX_SAFE_INTEGER)
    return new Authenticated(who, { expiresAtMs })
  }
}

type Verify = (token: string, expected: Parameters<typeof jwtVerify>[2]) => Promise<{ readonly payload: JWTPayload }>

/** Whatever a token does to the verifier, it is a wrong token. */
async function claimsOf(verified: () => ReturnType<Verify>): Promise<JwtClaims | undefined> {
  try {
    const { payload } = await verified()
    return payload
  } catch (error) {
    if (error instanceof PidmeshError) throw error
    return undefined
  }
}

function verifyWith({ key, jwksUrl, jwksStaleS = 3_600, log }: JwtOptions): Verify {
  if (typeof jwksStaleS !== 'number' || !(jwksStaleS >= 0 && jwksStaleS < Infinity))
    throw bad(`jwksStaleS must be a number of seconds, not ${shown(jwksStaleS)}`)
  if (log !== undefined && typeof log?.warn !== 'function') throw bad('log must be a logger')
  if (key !== undefined) {
    const keyObject = keyOf(key)
    return (token, expected) => jwtVerify(token, keyObject, expected)
  }
  const url = checkUrl(jwksUrl)
  const onStale = (problem: unknown): void => {
    const fields = { url: `${url.origin}${url.pathname}`, problem: shown(problem), forS: jwksStaleS }
    const message = "the issuer's keys can't be fetched: those from before serve on, for a while"
    if (log === undefined) process.emitWarning(`${message}: ${JSON.stringify(fields)}`, 'PidmeshWarning', 'ERR_JWKS')
    else log.warn(fields, message)
  }
  const keys = remoteKeys(url, { staleMs: jwksStaleS * 1_000, onStale })
  return async (token, expected) => {
    try {
      return await jwtVerify(token, keys, expected)
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      // The token doesn't say which key it is of. There are as many as the issuer publishes.
      for await (const one of error) {
        const verified = await jwtVerify(token, one, expected).catch((problem: unknown) => {
          if (!(problem instanceof errors.JWSSignatureVerificationFailed)) throw problem
        })
        if (verified !== undefined) return verified
      }
      throw error
    }
  }
}

function algorithmsOf({ key, jwksUrl, algorithms }: JwtOptions): readonly JwtAlgorithm[] {
  if ((key === undefined) === (jwksUrl === undefined)) throw bad('give either key or jwksUrl')
  const fitting = key === undefined ? REMOTE_ALGORITHMS : algorithmsOfKey(keyOf(key))
  if (algorithms === undefined) return fitting
  if (!Array.isArray(algorithms) || algorithms.length === 0) throw bad('algorithms must be a list of one or more')
  for (const one of algorithms as readonly JwtAlgorithm[]) {
    if (!fitting.includes(one))
      throw bad(`the algorithm ${shown(one)} is not one for the key: ${fitting.join(', ')} are`)
  }
  return algorithms as readonly JwtAlgorithm[]
}

function namesOf(option: string, given: unknown): string[] {
  const names: unknown[] = Array.isArray(given) ? given : [given]
  const texts = names.filter((one): one is string => typeof one === 'string' && one !== '')
  if (texts.length === 0 || texts.length < names.length)
    throw bad(`${option} must be a text, or a list of such, not ${shown(given)}`)
  return texts
}

function checkUrl(given: unknown): URL {
  const text = given instanceof URL ? given.href : given
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isLoopback = url !== undefined && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)))
    throw bad(`jwksUrl must be a URL of https, or of http on loopback, not ${shown(given)}`)
  return url
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
