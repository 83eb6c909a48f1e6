/**
 * What callers give, looked at before anything of the table's has changed: a name, metadata, a pid.
 */
import { isPid, isRef, PidmeshError, shown, type Pid, type Ref, type TermCodec } from '@pidmesh/runtime'
import { frozen, hashOfMeta, MAX_KEY_BYTES, MAX_META_BYTES, NO_META, type EncodedMeta } from './engine/ops.ts'
import type { Meta } from './engine/claim.ts'

/** Half of a surrogate pair has no form in UTF-8: other nodes would know another name. */
export const HALF_PAIR: RegExp = /\p{Surrogate}/u
/** A code unit takes three bytes at most. */
const SURELY_SHORT = Math.floor(MAX_KEY_BYTES / 3)

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkKey(what: 'name' | 'group', key: unknown): asserts key is string {
  if (typeof key !== 'string') throw bad(`a ${what} is a text, not ${kindOf(key)}`)
  if (key === '' || (key.length > SURELY_SHORT && Buffer.byteLength(key) > MAX_KEY_BYTES))
    throw bad(`a ${what} is a text of 1 to ${MAX_KEY_BYTES} bytes, not one of ${Buffer.byteLength(key)}`)
  if (HALF_PAIR.test(key)) throw bad(`a ${what} must be well-formed Unicode`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkPid(pid: unknown): asserts pid is Pid {
  if (!isPid(pid)) throw bad(`not a pid: ${kindOf(pid)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
export function checkRef(ref: unknown): asserts ref is Ref {
  if (!isRef(ref)) throw bad(`not a reference: ${kindOf(ref)}`)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` if it isn't a number of milliseconds from 0 on, or `Infinity` */
export function checkTimeout(timeoutMs: unknown): void {
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
    throw bad(`timeoutMs must be a number of milliseconds, 0 or more, not ${shown(timeoutMs)}`)
}

/**
 * A condition that is misspelt must not be none, and one that can't be met must not look like a name that another one has.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function checkTakeover(options: unknown): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || isList(options))
    throw bad(`options of a takeover are an object, not ${kindOf(options)}`)
  for (const option of Object.keys(options))
    if (option !== 'meta' && option !== 'expectedEpoch')
      throw bad(`a takeover has no option ${JSON.stringify(option)}, but meta and expectedEpoch`)
  const { expectedEpoch } = options as { readonly expectedEpoch?: unknown }
  if (expectedEpoch !== undefined && !(Number.isSafeInteger(expectedEpoch) && Number(expectedEpoch) >= 0))
    throw bad('expectedEpoch is a whole number from 0 on')
}

/**
 * The metadata as its own copy, frozen, and as it is sent: what the caller does with its object later is not the table's.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function checkMeta(terms: TermCodec, meta: unknown): EncodedMeta {
  if (meta === undefined) return NO_META
  if (typeof meta !== 'object' || meta === null || isList(meta)) throw bad(`metadata is an object, not ${kindOf(meta)}`)
  const copy = terms.decode(encoded(terms, meta))
  // What has been an instance of a class may have become something else.
  if (
    typeof copy !== 'object' ||
    copy === null ||
    Array.isArray(copy) ||
    Object.getPrototypeOf(copy) !== Object.prototype
  )
    throw bad('metadata is a plain object')
  if (Object.keys(copy).length === 0) return NO_META
  const { bytes, start, end } = encoded(terms, copy)
  const own = Uint8Array.prototype.slice.call(bytes, start, end)
  return { meta: frozen(copy as Meta), bytes: own, hash: hashOfMeta(own) }
}

function encoded(terms: TermCodec, meta: object): ReturnType<TermCodec['encode']> {
  let slice: ReturnType<TermCodec['encode']>
  try {
    slice = terms.encode(meta)
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : 'unknown'
    throw new PidmeshError('ERR_BAD_ARGUMENT', `metadata can't be sent: ${problem.replace(/^message\b/, 'metadata')}`, {
      cause,
    })
  }
  const length = slice.end - slice.start
  if (length > MAX_META_BYTES) throw bad(`metadata has ${length} bytes, over ${MAX_META_BYTES}`)
  return slice
}

/** A proxy that has been revoked throws where it is asked. */
export function isList(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

export function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

/** @throws PidmeshError `ERR_BAD_OPTION` for options that there aren't */
export function checkOptionNames(options: object, known: ReadonlySet<string>): void {
  for (const key of Object.keys(options)) if (!known.has(key)) throw badOption(`unknown option ${JSON.stringify(key)}`)
}

export function badOption(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return isList(value) ? 'a list' : typeof value
}
