/**
 * Who a client is, as `authenticate` says.
 */
import { PidmeshError, shown } from '@pidmesh/runtime'

/** For `authenticate` to return, in place of a principal alone, if there is more to say. */
export class Authenticated<Principal> {
  readonly principal: Principal
  /** Milliseconds since 1970 when the client's token expires. `undefined`: never. */
  readonly expiresAtMs: number | undefined

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` */
  constructor(principal: Principal, more: { readonly expiresAtMs?: number | undefined } = {}) {
    if (principal === undefined || principal === null)
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'who is authenticated is somebody')
    // A number alone, or a letter too few, would be a token that never expires.
    if (typeof more !== 'object' || more === null || Object.keys(more).some((key) => key !== 'expiresAtMs'))
      throw new PidmeshError('ERR_BAD_ARGUMENT', `what there is more to say is { expiresAtMs }, not ${shown(more)}`)
    const { expiresAtMs } = more
    if (expiresAtMs !== undefined && !Number.isFinite(expiresAtMs))
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'expiresAtMs must be a number of milliseconds since 1970')
    this.principal = principal
    this.expiresAtMs = expiresAtMs
  }
}

/** What `authenticate` returns of a client that is to be refused. */
export type Nobody = undefined | null | false

/** A principal, and what the gateway must know of it. */
export interface Identity<Principal> {
  readonly principal: Principal
  readonly id: string
  readonly expiresAtMs: number | undefined
}

/**
 * A principal's id, if nobody says another: itself if it is a text, or else its JSON with the keys in order.
 * @throws PidmeshError `ERR_BAD_ARGUMENT` of an object that shows nothing (private fields, a Map, functions, or a list or object of such): all of the kind would be one principal, and could have
 * each other's sessions
 */
export function defaultPrincipalId(principal: unknown): string {
  if (typeof principal === 'string') return principal
  let [shows, hides] = [false, false]
  const id = JSON.stringify(principal, (_key, value: unknown) => {
    if (typeof value === 'bigint') value = value.toString()
    if (typeof value !== 'object' || value === null) {
      const isSeen = value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
      shows ||= isSeen && value !== null
      hides ||= !isSeen
      return value
    }
    const entries = Object.entries(value)
    hides ||= entries.length === 0 && !isEmpty(value)
    return Array.isArray(value) ? value : Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  })
  if (id === undefined || (hides && !shows))
    throw new PidmeshError('ERR_BAD_ARGUMENT', 'nothing tells principals apart: give the gateway a principalId')
  return id
}

/** There is nothing in it that could be hidden. */
function isEmpty(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && Reflect.ownKeys(value).length === 0
}
