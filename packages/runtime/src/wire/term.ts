/**
 * The codec of user payloads: structured data as CBOR, by cbor-x, between two walls of our own.
 *
 *   encode: check ─▶ cbor-x      what can't be sent is an error at its sender, which says where in the message it stands
 *   decode: scan  ─▶ cbor-x      only the forms that `encode` makes get through: no other tag, bounded depth and count
 *
 * Sendable: undefined, null, boolean, number, bigint, string, Uint8Array, Date, Map, Set, arrays, plain objects, Pid, Ref; an Error goes as plain
 * data (`{ name, message, stack }`), and -0 as 0. Not sendable: functions, symbols, instances of other classes, cycles, the key `__proto__`.
 *
 * cbor-x keeps extensions in a table of its module, so none is registered: identities and dates are put in as tags and taken out by hand.
 */
import { Encoder, Tag } from 'cbor-x'
import { PidmeshError } from '../errors.ts'
import { isNodeName, Pid, Ref } from '../ids.ts'
import { scanTerm, TAG_DATE, TAG_PID, TAG_REF } from './term-scan.ts'

export interface TermLimits {
  /** @default 8 MiB */
  readonly maxBytes: number
  /** Values inside values. @default 100 */
  readonly maxDepth: number
  /** Values in one term. @default 1,000,000 */
  readonly maxItems: number
}

export const DEFAULT_TERM_LIMITS: TermLimits = { maxBytes: 8 * 1024 * 1024, maxDepth: 100, maxItems: 1_000_000 }

export class TermCodec {
  private readonly limits: TermLimits
  private readonly cbor = new Encoder({
    useRecords: false,
    mapsAsObjects: true,
    copyBuffers: true,
    tagUint8Array: false,
  })

  constructor(limits: TermLimits = DEFAULT_TERM_LIMITS) {
    this.limits = limits
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  encode(term: unknown): Uint8Array {
    const checked = new Outgoing(this.limits).check(term, [])
    // cbor-x reuses its buffer: the copy is what stays.
    const bytes = Uint8Array.from(this.cbor.encode(checked))
    if (bytes.length > this.limits.maxBytes) {
      throw new PidmeshError(
        'ERR_MESSAGE_TOO_LARGE',
        `a message of ${bytes.length} bytes is over the limit of ${this.limits.maxBytes}`,
      )
    }
    return bytes
  }

  /** @throws PidmeshError `ERR_BAD_TERM` */
  decode(bytes: Uint8Array): unknown {
    if (bytes.length > this.limits.maxBytes)
      throw badTerm(`${bytes.length} bytes are over the limit of ${this.limits.maxBytes}`)
    const { hasOurTags } = scanTerm(bytes, this.limits)
    let term: unknown
    try {
      // Of a Buffer cbor-x would cut Buffers, whose methods are not those of what was sent.
      term = this.cbor.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))
    } catch (cause) {
      throw badTerm('not a term', cause)
    }
    return hasOurTags ? restore(term) : term
  }
}

/**
 * How many bytes a value takes in a message to another node.
 * @throws PidmeshError `ERR_NOT_SENDABLE` if it can't be sent; the message says where in the value the reason stands. `ERR_MESSAGE_TOO_LARGE`
 */
export function encodedBytes(term: unknown): number {
  return new TermCodec().encode(term).length
}

type Path = ReadonlyArray<string>

/** Checks one term for its way out. Returns the same value, or a copy in which identities and errors have their form on the wire. */
class Outgoing {
  private readonly limits: TermLimits
  private items = 0

  constructor(limits: TermLimits) {
    this.limits = limits
  }

  check(value: unknown, path: Path): unknown {
    if (++this.items > this.limits.maxItems) throw notSendable(path, `has more than ${this.limits.maxItems} values`)
    if (path.length > this.limits.maxDepth)
      throw notSendable(path, `is nested deeper than ${this.limits.maxDepth}, or contains itself`)
    switch (typeof value) {
      case 'undefined':
      case 'boolean':
      case 'number':
      case 'string':
        return value
      case 'bigint':
        if (value > MAX_BIGINT || value < -MAX_BIGINT) throw notSendable(path, 'is a bigint of more than 1,024 bits')
        return value
      case 'function':
      case 'symbol':
        throw notSendable(path, `is a ${typeof value}`)
      case 'object':
        return value === null ? null : this.checkObject(value, path)
    }
  }

  private checkObject(value: object, path: Path): unknown {
    if (Array.isArray(value)) return this.checkItems(value, path)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null)
      return this.checkProperties(value as Record<string, unknown>, path)
    if (value instanceof Pid) return new Tag([value.node, value.incarnation, value.id], TAG_PID)
    if (value instanceof Ref) return new Tag([value.node, value.incarnation, value.id], TAG_REF)
    if (value instanceof Uint8Array) return value
    if (value instanceof Date) return new Tag(value.getTime(), TAG_DATE)
    if (value instanceof Map) {
      return new Map(
        [...value].map(([key, item]) => [this.check(key, [...path, 'key']), this.check(item, [...path, String(key)])]),
      )
    }
    if (value instanceof Set) return new Set([...value].map((item) => this.check(item, [...path, 'item'])))
    if (value instanceof Error) {
      return {
        name: String(value.name),
        message: String(value.message),
        ...(value.stack === undefined ? {} : { stack: value.stack }),
      }
    }
    const className: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name
    throw notSendable(path, `is an instance of ${typeof className === 'string' ? className : 'a class'}`)
  }

  private checkItems(items: readonly unknown[], path: Path): unknown {
    let copy: unknown[] | undefined
    for (let index = 0; index < items.length; index++) {
      const checked = this.check(items[index], [...path, String(index)])
      if (checked !== items[index] && !Number.isNaN(checked)) (copy ??= [...items])[index] = checked
    }
    return copy ?? items
  }

  private checkProperties(object: Record<string, unknown>, path: Path): unknown {
    let copy: Record<string, unknown> | undefined
    for (const key of Object.keys(object)) {
      if (key === '__proto__') throw notSendable(path, 'has a property named __proto__')
      const value = object[key]
      const checked = this.check(value, [...path, key])
      if (checked !== value && !Number.isNaN(checked)) (copy ??= { ...object })[key] = checked
    }
    return copy ?? object
  }
}

const MAX_BIGINT = 2n ** 1024n

/** Puts identities and dates in the place of their tags. The term is fresh from the decoder, so it is changed in place. */
function restore(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Tag) return ofTag(value)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = restore(value[index])
    return value
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [restore(key), restore(item)]))
  if (value instanceof Set) return new Set([...value].map((item) => restore(item)))
  if (value instanceof Uint8Array) return value
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object)) object[key] = restore(object[key])
  return object
}

function ofTag(tag: Tag): Pid | Ref | Date {
  if (tag.tag === TAG_DATE) {
    if (typeof tag.value !== 'number') throw badTerm('a malformed date')
    return new Date(tag.value)
  }
  const [name, incarnation, id] = Array.isArray(tag.value) ? (tag.value as unknown[]) : []
  if (!isNodeName(name) || !isPositiveInteger(incarnation) || !isPositiveInteger(id))
    throw badTerm('a malformed pid or reference')
  return tag.tag === TAG_PID ? new Pid({ name, incarnation }, id) : new Ref({ name, incarnation }, id)
}

export function isPositiveInteger(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function notSendable(path: Path, problem: string): PidmeshError {
  const shown = path.length > 8 ? [...path.slice(0, 8), '…'] : path
  return new PidmeshError(
    'ERR_NOT_SENDABLE',
    `${['message', ...shown].join('.')} ${problem} and can't be sent to another node`,
  )
}

function badTerm(problem: string, cause?: unknown): PidmeshError {
  return new PidmeshError('ERR_BAD_TERM', `undecodable message: ${problem}`, { cause })
}
