/**
 * Writes a term in one walk: what can't be sent is an error that says where in the message it stands.
 *
 * Terms are written one behind the other into blocks of memory and never written to again, so that none has to be copied: a block is let go with its last
 * term. A large term has a block of its own.
 *
 * A getter or an iterator of the user's may run in here, and may write a term itself: then another writer does that one.
 */
import { PidmeshError } from '../errors.ts'
import { isNodeIdentity, isPositiveInteger, Pid, Ref, sameIdentity, type NodeIdentity } from '../ids.ts'
import { isA } from '../process/checks.ts'
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

const BLOCK_BYTES = 8 * 1024
/** A block that has grown beyond this for one large term is let go. */
const KEPT_BYTES = 64 * 1024
/** From here on it is worth to know how long a text is in UTF-8 before room is made for it. */
const LONG_TEXT = 16 * 1024
/** Texts up to here are written character by character: for longer ones a call into native code is cheaper. */
const SHORT_TEXT = 48
/** Of a byte array as it is: what it says itself may be anything. */
const { get: lengthOf } = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'length',
) as ReadLength
/** 1,024 bits. */
const MAX_BIGINT = 2n ** (8n * BigInt(MAX_BIGINT_BYTES - 1)) - 1n

interface ReadLength {
  readonly get: (this: Uint8Array) => number
}

export class TermWriter {
  private readonly limits: TermLimits
  private readonly sender: NodeIdentity | undefined
  /** What a pid of the sender takes less than one of another node. */
  private readonly shortBy: number
  private block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  private view = viewOn(this.block)
  private start = 0
  private position = 0
  private items = 0
  private depth = 0
  /** What the term would take more at any other node: what one may send all may pass on. */
  private saved = 0
  /** The keys that lead to the value that is being written, as far as `depth`. */
  private readonly path: Array<string | number> = []
  private isWriting = false
  private lastOrigin: NodeIdentity | undefined = undefined
  /** How a pid or a reference of it begins, behind the tag. */
  private lastOriginBytes: Uint8Array = new Uint8Array(0)

  /** @param sender whoever reads the term knows that it comes from there; `undefined` if he may not */
  constructor(limits: TermLimits, sender?: NodeIdentity) {
    this.limits = limits
    this.sender = sender
    this.shortBy = sender === undefined ? 0 : this.originBytes(sender).length
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  write(term: unknown): Slice {
    if (this.isWriting) return new TermWriter(this.limits, this.sender).write(term)
    this.isWriting = true
    this.items = 0
    this.depth = 0
    this.saved = 0
    try {
      this.value(term)
      const { block: bytes, start, position: end } = this
      // Not a number: neither. Whatever is wrong with one term, the next one begins where this one did.
      if (!(end - start + this.saved <= this.limits.maxBytes)) throw tooLarge(this.limits)
      this.start = end
      return { bytes, start, end }
    } catch (thrown) {
      if (isA(thrown, PidmeshError)) throw thrown
      // A getter, an iterator, or what only looks like what it is.
      throw this.notSendable("can't be read", thrown)
    } finally {
      this.position = this.start
      if (this.block.length > KEPT_BYTES) this.newBlock(BLOCK_BYTES)
      this.isWriting = false
    }
  }

  private value(value: unknown): void {
    if (++this.items > this.limits.maxItems) throw this.notSendable(`has more than ${this.limits.maxItems} values`)
    // One after the other: a switch asks a built-in function for the name of the type.
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'number') this.number(value)
    else if (value === null) this.byte(NULL)
    else if (typeof value === 'object') this.object(value)
    else if (value === undefined) this.byte(UNDEFINED)
    else if (typeof value === 'boolean') this.byte(value ? TRUE : FALSE)
    else if (typeof value === 'bigint') this.bigint(value)
    else throw this.notSendable(`is a ${typeof value}`)
  }

  private object(value: object): void {
    if (this.depth >= this.limits.maxDepth)
      throw this.notSendable(`is nested deeper than ${this.limits.maxDepth}, or contains itself`)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) this.properties(value as Record<string, unknown>)
    else if (Array.isArray(value)) this.array(value)
    else if (value instanceof Pid) this.identity(value, TAG_PID, TAG_SENDERS_PID)
    else if (value instanceof Ref) this.identity(value, TAG_REF, TAG_SENDERS_REF)
    else if (value instanceof Uint8Array) this.bytes(value)
    else this.instance(value)
  }

  private instance(value: object): void {
    if (value instanceof Date) {
      this.head(TAG, TAG_DATE)
      // As it is: what it says itself may be anything.
      this.number(new Date(value).getTime())
    } else if (value instanceof Map) {
      this.map([...value])
    } else if (value instanceof Set) {
      this.head(TAG, TAG_SET)
      this.array([...value])
    } else if (value instanceof Error) {
      this.properties({
        name: String(value.name),
        message: String(value.message),
        ...(typeof value.stack === 'string' ? { stack: value.stack } : {}),
      })
    } else {
      const className: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name
      throw this.notSendable(`is an instance of ${typeof className === 'string' ? className : 'a class'}`)
    }
  }

  private properties(object: Record<string, unknown>): void {
    const keys = Object.keys(object)
    this.head(OBJECT, keys.length)
    const depth = this.depth++
    for (const key of keys) {
      if (key === '__proto__') {
        this.depth = depth
        throw this.notSendable('has a property named __proto__')
      }
      this.path[depth] = key
      this.text(key)
      this.value(object[key])
    }
    this.depth = depth
  }

  private array(items: readonly unknown[]): void {
    const { length } = items
    // A proxy's may be anything.
    if (length >>> 0 !== length) throw this.notSendable('is an array of an impossible length')
    this.head(ARRAY, length)
    const depth = this.depth++
    for (let index = 0; index < length; index++) {
      this.path[depth] = index
      this.value(items[index])
    }
    this.depth = depth
  }

  private map(entries: ReadonlyArray<readonly [unknown, unknown]>): void {
    this.head(TAG, TAG_MAP)
    this.head(OBJECT, entries.length)
    const depth = this.depth++
    for (const [key, item] of entries) {
      this.path[depth] = 'key'
      this.value(key)
      this.path[depth] = typeof key === 'string' || typeof key === 'number' ? key : 'value'
      this.value(item)
    }
    this.depth = depth
  }

  /** The other node would take one that can't be for a breach of the protocol. */
  private identity({ origin, id }: Pid | Ref, tag: number, sendersTag: number): void {
    if (!isPositiveInteger(id)) throw this.notSendable('is an identity of an impossible number')
    if (this.sender !== undefined && sameIdentity(origin, this.sender)) {
      this.head(TAG, sendersTag)
      this.number(id)
      this.saved += this.shortBy
      return
    }
    if (origin !== this.lastOrigin) this.remember(origin)
    this.head(TAG, tag)
    const { lastOriginBytes } = this
    const { length } = lastOriginBytes
    this.reserve(length)
    const { block, position } = this
    for (let index = 0; index < length; index++) block[position + index] = lastOriginBytes[index] ?? 0
    this.position = position + length
    this.number(id)
  }

  /** Most pids and references are of a few nodes, and most of a message's of one. */
  private remember(origin: NodeIdentity): void {
    if (!isNodeIdentity(origin)) throw this.notSendable('is an identity of an impossible node')
    this.lastOriginBytes = this.originBytes(origin)
    this.lastOrigin = origin
  }

  private originBytes({ name, incarnation }: NodeIdentity): Uint8Array {
    // All that it can take: what is written below doesn't move to another block.
    this.reserve(1 + 5 + name.length * 3 + 9)
    const { position } = this
    this.head(ARRAY, 3)
    this.text(name)
    this.number(incarnation)
    const bytes = Uint8Array.from(this.block.subarray(position, this.position))
    this.position = position
    return bytes
  }

  private bytes(value: Uint8Array): void {
    const length = lengthOf.call(value)
    this.head(BYTES, length)
    this.reserve(length)
    this.block.set(value, this.position)
    this.position += length
  }

  private bigint(value: bigint): void {
    if (value > MAX_BIGINT || value < -MAX_BIGINT) throw this.notSendable('is a bigint of more than 1,024 bits')
    this.head(TAG, value < 0n ? TAG_NEGATIVE_BIGINT : TAG_POSITIVE_BIGINT)
    const digits = (value < 0n ? -1n - value : value).toString(16)
    this.bytes(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'))
  }

  private number(value: number): void {
    // Not -0, which has no integer.
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value >= 0) this.head(UNSIGNED, value)
      else this.head(NEGATIVE, -1 - value)
      return
    }
    if (value > 0 && value <= 0xffffffff && Math.floor(value) === value) {
      this.head(UNSIGNED, value)
      return
    }
    this.reserve(9)
    this.block[this.position] = FLOAT
    this.view.setFloat64(this.position + 1, value)
    this.position += 9
  }

  private text(text: string): void {
    const { length } = text
    if (length > SHORT_TEXT) {
      this.longText(text)
      return
    }
    this.reserve(2 + length)
    const { block, position } = this
    let at = position
    if (length < ONE_BYTE) {
      block[at++] = TEXT | length
    } else {
      block[at++] = TEXT | ONE_BYTE
      block[at++] = length
    }
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) {
        this.longText(text)
        return
      }
      block[at++] = code
    }
    this.position = at
  }

  private longText(text: string): void {
    // Its length in UTF-8 is known when it is written: the head has room for the most that it can be.
    const most = text.length > LONG_TEXT ? Buffer.byteLength(text) : text.length * 3
    this.reserve(5 + most)
    const { block, position } = this
    if (most <= 0xffff) {
      const written = block.write(text, position + 3, 'utf8')
      block[position] = TEXT | TWO_BYTES
      this.view.setUint16(position + 1, written)
      this.position = position + 3 + written
    } else {
      const written = block.write(text, position + 5, 'utf8')
      block[position] = TEXT | FOUR_BYTES
      this.view.setUint32(position + 1, written)
      this.position = position + 5 + written
    }
  }

  private byte(value: number): void {
    this.reserve(1)
    this.block[this.position++] = value
  }

  private head(major: number, argument: number): void {
    this.reserve(5)
    const { block } = this
    if (argument < ONE_BYTE) {
      block[this.position++] = major | argument
    } else if (argument <= 0xff) {
      block[this.position++] = major | ONE_BYTE
      block[this.position++] = argument
    } else if (argument <= 0xffff) {
      block[this.position++] = major | TWO_BYTES
      block[this.position++] = argument >>> 8
      block[this.position++] = argument & 0xff
    } else {
      block[this.position] = major | FOUR_BYTES
      this.view.setUint32(this.position + 1, argument)
      this.position += 5
    }
  }

  /** Makes room for so many bytes more. */
  private reserve(bytes: number): void {
    if (this.position + bytes > this.block.length) this.moveToNewBlock(bytes)
  }

  private moveToNewBlock(bytes: number): void {
    const { block, start, position } = this
    const written = position - start
    // Of a text that isn't long, three times what will be needed may be reserved.
    if (written + bytes > this.limits.maxBytes + 3 * LONG_TEXT + BLOCK_BYTES) throw tooLarge(this.limits)
    this.newBlock(Math.max(BLOCK_BYTES, bytes + written * 2))
    this.block.set(block.subarray(start, position))
    this.position = written
  }

  private newBlock(bytes: number): void {
    this.block = Buffer.allocUnsafeSlow(bytes)
    this.view = viewOn(this.block)
    this.start = 0
    this.position = 0
  }

  private notSendable(problem: string, cause?: unknown): PidmeshError {
    const path = this.path.slice(0, this.depth)
    const shown = path.length > 8 ? [...path.slice(0, 8), '…'] : path
    return new PidmeshError(
      'ERR_NOT_SENDABLE',
      `${['message', ...shown].join('.')} ${problem} and can't be sent to another node`,
      { cause },
    )
  }
}

function viewOn({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length)
}

function tooLarge({ maxBytes }: TermLimits): PidmeshError {
  return new PidmeshError('ERR_MESSAGE_TOO_LARGE', `a message is over the limit of ${maxBytes} bytes`)
}
