/**
 * Reads a term in one walk. Takes the forms that wire/term-writer.ts writes, of all that CBOR has; whatever a peer sends, the outcome is a term or
 * `ERR_BAD_TERM`.
 *
 * Invariants: depth and count are bounded; nothing is allocated for a length before that many bytes are known to be there; no key changes a prototype;
 * what is read shares no memory with the bytes that it was read from.
 */
import { PidmeshError } from '../errors.ts'
import { isNodeName, isPositiveInteger, Pid, Ref, type NodeIdentity } from '../ids.ts'
import type { Slice } from '../slice.ts'
import {
  ARRAY,
  BYTES,
  FALSE,
  FLOAT,
  FOUR_BYTES,
  MAX_BIGINT_BYTES,
  NEGATIVE,
  NULL,
  OBJECT,
  ONE_BYTE,
  TAG,
  TAG_DATE,
  TAG_MAP,
  TAG_NEGATIVE_BIGINT,
  TAG_PID,
  TAG_POSITIVE_BIGINT,
  TAG_REF,
  TAG_SENDERS_PID,
  TAG_SENDERS_REF,
  TAG_SET,
  TEXT,
  TRUE,
  TWO_BYTES,
  UNDEFINED,
  UNSIGNED,
  type TermLimits,
} from './cbor.ts'
import { TextCache } from './text-cache.ts'

/** Larger than a frame of small signals: not to be kept. */
const KEPT_BYTES = 128 * 1024
const NO_BYTES = new Uint8Array(0)

export class TermReader {
  private readonly limits: TermLimits
  private bytes: Uint8Array = NO_BYTES
  /** The same bytes, for what only a Buffer can do. Made when it is needed. */
  private buffer: Buffer | undefined = undefined
  private position = 0
  private end = 0
  private items = 0
  private sender: NodeIdentity | undefined = undefined
  private readonly texts = new TextCache()
  private lastOrigin: NodeIdentity | undefined = undefined
  /** How a pid or a reference of it begins, behind the tag. */
  private lastOriginBytes: Uint8Array = NO_BYTES

  constructor(limits: TermLimits) {
    this.limits = limits
  }

  /**
   * @param sender the node that it comes from; without it what names only the sender is no term
   * @throws PidmeshError `ERR_BAD_TERM` unless the bytes are exactly one term within the limits.
   */
  read({ bytes, start, end }: Slice, sender?: NodeIdentity): unknown {
    if (end - start > this.limits.maxBytes)
      throw bad(`${end - start} bytes are over the limit of ${this.limits.maxBytes}`)
    if (bytes !== this.bytes) {
      this.bytes = bytes
      this.buffer = undefined
    }
    this.position = start
    this.end = end
    this.items = 0
    this.sender = sender
    const term = this.value(0)
    if (this.position !== end) throw bad('bytes are left over')
    if (bytes.length > KEPT_BYTES) {
      this.bytes = NO_BYTES
      this.buffer = undefined
    }
    return term
  }

  private value(depth: number): unknown {
    if (++this.items > this.limits.maxItems) throw bad('too many values')
    const head = this.byte()
    switch (head & 0xe0) {
      case UNSIGNED:
        return this.argument(head)
      case NEGATIVE:
        return -1 - this.argument(head)
      case BYTES:
        return this.copied(this.argument(head))
      case TEXT:
        return this.text(this.argument(head))
      case ARRAY:
        return this.array(this.argument(head), depth)
      case OBJECT:
        return this.object(this.argument(head), depth)
      case TAG:
        return this.tagged(this.argument(head), depth)
      default:
        return this.simple(head)
    }
  }

  private simple(head: number): unknown {
    switch (head) {
      case FALSE:
        return false
      case TRUE:
        return true
      case NULL:
        return null
      case UNDEFINED:
        return undefined
      case FLOAT:
        return this.float()
      default:
        throw bad(`the simple value ${head & 0x1f}`)
    }
  }

  private array(length: number, depth: number): unknown[] {
    this.enter(depth, length)
    const items: unknown[] = []
    for (let index = 0; index < length; index++) items.push(this.value(depth + 1))
    return items
  }

  private object(size: number, depth: number): Record<string, unknown> {
    this.enter(depth, size * 2)
    const object: Record<string, unknown> = {}
    for (let left = size; left > 0; left--) {
      const key = this.key()
      object[key] = this.value(depth + 1)
    }
    return object
  }

  private tagged(tag: number, depth: number): unknown {
    switch (tag) {
      case TAG_SENDERS_PID:
        return new Pid(this.senderOf(), this.id())
      case TAG_SENDERS_REF:
        return new Ref(this.senderOf(), this.id())
      case TAG_PID:
        return new Pid(this.origin(), this.id())
      case TAG_REF:
        return new Ref(this.origin(), this.id())
      case TAG_DATE:
        return new Date(this.number())
      case TAG_SET:
        return new Set(this.array(this.argumentOf(ARRAY), depth))
      case TAG_MAP:
        return this.map(this.argumentOf(OBJECT), depth)
      case TAG_POSITIVE_BIGINT:
        return this.bigint()
      case TAG_NEGATIVE_BIGINT:
        return -1n - this.bigint()
      default:
        throw bad(`the tag ${tag}`)
    }
  }

  private map(size: number, depth: number): Map<unknown, unknown> {
    this.enter(depth, size * 2)
    const map = new Map<unknown, unknown>()
    for (let left = size; left > 0; left--) {
      const key = this.value(depth + 1)
      map.set(key, this.value(depth + 1))
    }
    return map
  }

  private senderOf(): NodeIdentity {
    if (this.sender === undefined) throw bad('a pid or reference of a sender who is not known')
    return this.sender
  }

  private id(): number {
    const id = this.number()
    if (!isPositiveInteger(id)) throw bad('a malformed pid or reference')
    return id
  }

  private origin(): NodeIdentity {
    return this.knownOrigin() ?? this.readOrigin()
  }

  /** The node of the pid or reference before, if its bytes are here again: most of a message's are of one node. */
  private knownOrigin(): NodeIdentity | undefined {
    const { lastOrigin, lastOriginBytes, bytes, position } = this
    const { length } = lastOriginBytes
    if (lastOrigin === undefined || length > this.end - position) return undefined
    for (let index = 0; index < length; index++)
      if (bytes[position + index] !== lastOriginBytes[index]) return undefined
    this.position = position + length
    return lastOrigin
  }

  private readOrigin(): NodeIdentity {
    const start = this.position
    if (this.argumentOf(ARRAY) !== 3) throw bad('a malformed pid or reference')
    const name = this.text(this.argumentOf(TEXT))
    const incarnation = this.number()
    if (!isPositiveInteger(incarnation) || !isNodeName(name)) throw bad('a malformed pid or reference')
    const known = this.lastOrigin
    const origin =
      known !== undefined && known.name === name && known.incarnation === incarnation ? known : { name, incarnation }
    this.lastOrigin = origin
    // A copy: what is read shares no memory with the bytes.
    this.lastOriginBytes = Uint8Array.from(this.bytes.subarray(start, this.position))
    return origin
  }

  private number(): number {
    const head = this.byte()
    if (head === FLOAT) return this.float()
    if ((head & 0xe0) === UNSIGNED) return this.argument(head)
    if ((head & 0xe0) === NEGATIVE) return -1 - this.argument(head)
    throw bad('something else than a number')
  }

  private bigint(): bigint {
    const length = this.argumentOf(BYTES)
    if (length > MAX_BIGINT_BYTES) throw bad(`a bigint of ${length} bytes`)
    const start = this.skip(length)
    const digits = this.asBuffer().toString('hex', start, start + length)
    return BigInt(`0x${digits === '' ? '0' : digits}`)
  }

  private copied(length: number): Uint8Array {
    const start = this.skip(length)
    const copy = new Uint8Array(length)
    copy.set(this.bytes.subarray(start, start + length))
    return copy
  }

  private text(length: number): string {
    const start = this.skip(length)
    return this.texts.read(this.bytes, start, length) ?? this.asBuffer().toString('utf8', start, start + length)
  }

  private key(): string {
    const key = this.text(this.argumentOf(TEXT))
    if (key === '__proto__') throw bad('a property named __proto__')
    return key
  }

  private float(): number {
    return this.asBuffer().readDoubleBE(this.skip(8))
  }

  /** The argument of a head that must be of this major type. */
  private argumentOf(major: number): number {
    const head = this.byte()
    if ((head & 0xe0) !== major) throw bad('a value of another type than its tag says')
    return this.argument(head)
  }

  private argument(head: number): number {
    const info = head & 0x1f
    if (info < ONE_BYTE) return info
    if (info === ONE_BYTE) return this.byte()
    if (info === TWO_BYTES) return this.byte() * 0x100 + this.byte()
    if (info === FOUR_BYTES) {
      const high = this.byte() * 0x100 + this.byte()
      return high * 0x10000 + this.byte() * 0x100 + this.byte()
    }
    throw bad(`the length ${info}`)
  }

  /** What holds `count` others begins at `depth`. Each takes a byte at least, so a length that lies ends here. */
  private enter(depth: number, count: number): void {
    if (depth >= this.limits.maxDepth) throw bad('nested too deep')
    if (count > this.end - this.position) throw bad('a length past the end')
  }

  /** Goes on by so many bytes; returns where they begin. */
  private skip(bytes: number): number {
    const start = this.position
    if (bytes > this.end - start) throw bad('cut short')
    this.position = start + bytes
    return start
  }

  private byte(): number {
    if (this.position >= this.end) throw bad('cut short')
    return this.bytes[this.position++] ?? 0
  }

  private asBuffer(): Buffer {
    const { buffer, byteOffset, length } = this.bytes
    this.buffer ??= Buffer.from(buffer, byteOffset, length)
    return this.buffer
  }
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_TERM', `undecodable message: ${problem}`)
}
