/**
 * What callers give, looked at before anything has changed.
 */
import { Pid, PidmeshError, type NameMeta } from '@pidmesh/runtime'

export const MAX_NAME_BYTES = 256
/** Half of a surrogate pair has no form in UTF-8: other nodes would know another name. */
const HALF_PAIR = /\p{Surrogate}/u

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw bad(`a name is a text, not ${typeof name}`)
  const bytes = Buffer.byteLength(name)
  if (bytes < 1 || bytes > MAX_NAME_BYTES)
    throw bad(`a name is a text of 1 to ${MAX_NAME_BYTES} bytes, not one of ${bytes}`)
  if (HALF_PAIR.test(name)) throw bad('a name must be well-formed Unicode')
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkPid(pid: unknown): asserts pid is Pid {
  if (!(pid instanceof Pid)) throw bad(`not a pid: ${typeof pid}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkMeta(meta: unknown): asserts meta is NameMeta {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) throw bad('metadata is an object')
}

export function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

/** @throws PidmeshError `ERR_BAD_OPTION` if it isn't a whole number within the limits */
export function checkNumber(option: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new PidmeshError('ERR_BAD_OPTION', `${option} is a whole number from ${least} to ${most}`)
}
