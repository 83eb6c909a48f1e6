/**
 * What callers give, looked at before anything has changed.
 */
import { Pid, PidmeshError } from '@pidmesh/runtime'

export const MAX_NAME_BYTES = 256
const MAX_SCOPE = 100
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

/** A condition that is not known here must not be none. @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkTakeover(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw bad('options of a takeover are an object')
  for (const option of Object.keys(options))
    if (option !== 'meta') throw bad(`a takeover here has no option ${option}, but meta`)
}

export function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

function badOption(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}

/** @throws PidmeshError `ERR_BAD_OPTION` if it isn't a whole number within the limits */
export function checkNumber(option: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw badOption(`${option} is a whole number from ${least} to ${most}`)
}

/** @throws PidmeshError `ERR_BAD_OPTION` for what is no object, or has other properties */
export function checkOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw badOption(`options are an object with ${known.join(', ')}`)
  for (const option of Object.keys(options))
    if (!known.includes(option)) throw badOption(`there is no option ${option}; there are: ${known.join(', ')}`)
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkScope(scope: unknown): asserts scope is string {
  if (typeof scope !== 'string' || scope.length < 1 || scope.length > MAX_SCOPE)
    throw badOption(`scope is a text of 1 to ${MAX_SCOPE} characters`)
}

/** @throws PidmeshError `ERR_BAD_OPTION` for what is no LocationStore */
export function checkStore(store: unknown): void {
  checkDriver('store', store, ['start', 'stop', 'put', 'take', 'release', 'find'])
  const { ttlMs, timeoutMs, batchSize, partOf } = store as { readonly [key: string]: unknown }
  if (partOf !== undefined && typeof partOf !== 'function')
    throw badOption(`partOf of the store is a function, not ${typeof partOf}`)
  for (const [name, value] of Object.entries({ ttlMs, timeoutMs, batchSize }))
    checkNumber(`${name} of the store`, value, 1, Number.MAX_SAFE_INTEGER)
}

/** @throws PidmeshError `ERR_BAD_OPTION` for what is no MessageBroker */
export function checkBroker(option: string, broker: unknown): void {
  checkDriver(option, broker, ['start', 'stop', 'listen', 'unlisten', 'publish'])
}

function checkDriver(option: string, driver: unknown, calls: readonly string[]): void {
  if (typeof driver !== 'object' || driver === null)
    throw badOption(`${option} is a driver, such as those of via-redis`)
  for (const call of calls)
    if (typeof (driver as { readonly [key: string]: unknown })[call] !== 'function')
      throw badOption(`${option} is a driver with ${calls.join(', ')}: ${call} is missing`)
}
