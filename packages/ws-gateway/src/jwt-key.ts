/**
 * The key that tokens are verified with, and the algorithms that fit it (RFC 7518, RFC 8037).
 */
import { createPublicKey, createSecretKey, KeyObject, type JsonWebKeyInput } from 'node:crypto'
import { PidmeshError } from '@pidmesh/runtime'

/** Named by way of who takes one: later types of Node.js have it under another name. */
type JsonWebKey = JsonWebKeyInput['key']

export type JwtAlgorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'

/** A public key: PEM, JWK or KeyObject. Or a secret of at least 32 bytes: bytes, JWK or KeyObject, but no text, which might be a public key. */
export type JwtKey = string | Uint8Array | JsonWebKey | KeyObject

const RSA: readonly JwtAlgorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CURVES: ReadonlyMap<string, JwtAlgorithm> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
])
/** A secret has as many bytes as the hash at least (RFC 7518 section 3.2). */
const SECRETS: readonly (readonly [bytes: number, algorithm: JwtAlgorithm])[] = [
  [32, 'HS256'],
  [48, 'HS384'],
  [64, 'HS512'],
]
const MIN_RSA_BITS = 2_048

/** Of keys that are fetched, which are public ones. */
export const REMOTE_ALGORITHMS: readonly JwtAlgorithm[] = [...RSA, 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function keyOf(given: unknown): KeyObject {
  const key = given instanceof KeyObject ? given : parsed(given)
  if (key === undefined)
    throw bad('is none that can be read: a public key in PEM form, a JWK, a KeyObject, or the bytes of a secret are')
  if (key.type === 'private') throw bad('is a private key: the public one verifies')
  return key
}

/**
 * Never empty.
 * @throws PidmeshError `ERR_BAD_OPTION` if there is none, or the key is too weak
 */
export function algorithmsOfKey(key: KeyObject): readonly JwtAlgorithm[] {
  const { asymmetricKeyType, asymmetricKeyDetails = {}, symmetricKeySize = 0 } = key
  if (key.type === 'secret') {
    const fitting = SECRETS.filter(([bytes]) => symmetricKeySize >= bytes).map(([, algorithm]) => algorithm)
    if (fitting.length === 0) throw bad('is a secret of less than 32 bytes')
    return fitting
  }
  if (asymmetricKeyType === 'rsa') {
    if ((asymmetricKeyDetails.modulusLength ?? 0) < MIN_RSA_BITS)
      throw bad(`is an RSA key of less than ${MIN_RSA_BITS} bits`)
    return RSA
  }
  if (asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  const ofCurve = asymmetricKeyType === 'ec' ? CURVES.get(asymmetricKeyDetails.namedCurve ?? '') : undefined
  if (ofCurve === undefined)
    throw bad('is of a type that no algorithm fits: RSA, EC on P-256, P-384 or P-521, and Ed25519 are known')
  return [ofCurve]
}

function parsed(given: unknown): KeyObject | undefined {
  try {
    if (given instanceof Uint8Array) return createSecretKey(given)
    // A public key would be made of a private one, and nobody told.
    if (typeof given === 'string') return given.includes('PRIVATE KEY') ? undefined : createPublicKey(given)
    if (typeof given !== 'object' || given === null || 'd' in given) return undefined
    const jwk = given as JsonWebKey
    if (jwk.kty === 'oct') return typeof jwk.k === 'string' ? createSecretKey(jwk.k, 'base64url') : undefined
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', `key ${problem}`)
}
