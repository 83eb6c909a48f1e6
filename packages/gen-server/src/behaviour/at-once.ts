/**
 * Callbacks that are asked for a value, and can't be waited for. One that is `async` all the same (of a method that gives nothing TypeScript allows it) is
 * refused; that its promise fails must not end the OS process.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { isInstance } from '../is-instance.ts'

/** @throws PidmeshError `ERR_BAD_ARGUMENT` for a promise; `what` says of what */
export function atOnce<T>(value: T, what: string): T {
  if (!isInstance<Promise<unknown>>(value, Promise)) return value
  value.catch(() => undefined)
  throw new PidmeshError('ERR_BAD_ARGUMENT', `${what} at once, not by a promise`)
}
