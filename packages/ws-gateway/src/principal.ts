/**
 * Who a client is, as `authenticate` says.
 */
import { PidmeshError } from '@pidmesh/runtime'

/** For `authenticate` to return, in place of a principal alone, if there is more to say. */
export class Authenticated<Principal> {
  readonly principal: Principal
  /** Milliseconds since 1970 when the client's token expires. `undefined`: never. */
  readonly expiresAtMs: number | undefined

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` */
  constructor(principal: Principal, { expiresAtMs }: { readonly expiresAtMs?: number | undefined } = {}) {
    if (principal === undefined || principal === null)
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'who is authenticated is somebody')
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
 * @throws PidmeshError `ERR_BAD_ARGUMENT` of an object that shows nothing (private fields, a Map, functions only): all such would be one principal, and could have each other's sessions
 */
export function defaultPrincipalId(principal: unknown): string {
  if (typeof principal === 'string') return principal
  const id = visible(principal)
  if (id === undefined || (id === '{}' && !isEmptyRecord(principal)))
    throw new PidmeshError('ERR_BAD_ARGUMENT', 'nothing tells principals apart: give the gateway a principalId')
  return id
}

function isEmptyRecord(value: unknown): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && Reflect.ownKeys(value as object).length === 0
}

function visible(principal: unknown): string | undefined {
  return JSON.stringify(principal, (_key, value: unknown) => {
    if (typeof value === 'bigint') return value.toString()
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
