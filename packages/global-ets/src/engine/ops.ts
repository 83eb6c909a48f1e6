/**
 * Operations of an owner's log as bytes: what deltas, snapshots and the ring hold. Written once, sent to all.
 *
 *   put     1, key, id, epoch, metadata        a claim: of a name in place of what the owner had under it
 *   remove  2, key, id, epoch                  that claim
 *   change  3, key, id, metadata               other metadata for all claims of the process to the key
 *
 * key: a length and UTF-8; id, epoch, lengths: LEB128; metadata: a length (0: none) and a term. Whose process it is isn't written: an owner speaks for its own only.
 */
import { isUtf8 } from 'node:buffer'
import type { TermCodec } from '@pidmesh/runtime'
import { EMPTY_META, type Meta } from './claim.ts'
import { hashOfBytes } from './hashes.ts'
import { KeyWords } from './key-words.ts'

export const MAX_KEY_BYTES = 256
export const MAX_META_BYTES = 1_024
/** A kind, and lengths, an id and an epoch of up to eight bytes each. */
const MAX_OP_BYTES = 1 + 4 * 8 + MAX_KEY_BYTES + MAX_META_BYTES

const PUT = 1
const REMOVE = 2
const CHANGE = 3

/** Metadata as it is kept and as it is sent. */
export interface EncodedMeta {
  readonly meta: Meta
  readonly bytes: Uint8Array
  /** 0 of no bytes. */
  readonly hash: number
}

const NO_BYTES = new Uint8Array(0)
export const NO_META: EncodedMeta = { meta: EMPTY_META, bytes: NO_BYTES, hash: 0 }

export function hashOfMeta(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : hashOfBytes(bytes, 0, bytes.length)
}

/** Gathers operations until they are taken. */
export class OpWriter {
  private buffer: Buffer = Buffer.allocUnsafeSlow(4 * 1024)
  private position = 0
  count = 0

  get bytes(): number {
    return this.position
  }

  put(key: KeyWords, id: number, epoch: number, meta: Uint8Array): void {
    this.begin(PUT, key)
    this.number(id)
    this.number(epoch)
    this.block(meta)
  }

  remove(key: KeyWords, id: number, epoch: number): void {
    this.begin(REMOVE, key)
    this.number(id)
    this.number(epoch)
  }

  change(key: KeyWords, id: number, meta: Uint8Array): void {
    this.begin(CHANGE, key)
    this.number(id)
    this.block(meta)
  }

  /** What was gathered, as bytes of their own. */
  take(): Uint8Array {
    const bytes = new Uint8Array(this.buffer.subarray(0, this.position))
    this.position = 0
    this.count = 0
    return bytes
  }

  private begin(kind: number, key: KeyWords): void {
    if (this.position + MAX_OP_BYTES > this.buffer.length) this.grow()
    this.count++
    this.byte(kind)
    this.key(key)
  }

  private key(key: KeyWords): void {
    if (key.isShortAscii) {
      // Its length and its characters, a byte each.
      const { bytes } = key
      const length = 1 + (bytes[0] as number)
      for (let at = 0; at < length; at++) this.buffer[this.position + at] = bytes[at] as number
      this.position += length
      return
    }
    const { text } = key
    this.number(Buffer.byteLength(text))
    this.position += this.buffer.write(text, this.position, 'utf8')
  }

  private block(bytes: Uint8Array): void {
    this.number(bytes.length)
    if (bytes.length === 0) return
    this.buffer.set(bytes, this.position)
    this.position += bytes.length
  }

  private number(value: number): void {
    let rest = value
    while (rest > 0x7fffffff) {
      this.byte((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    while (rest >= 128) {
      this.byte((rest & 127) | 128)
      rest >>>= 7
    }
    this.byte(rest)
  }

  private byte(value: number): void {
    this.buffer[this.position++] = value
  }

  private grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.buffer.length * 2)
    this.buffer.copy(larger, 0, 0, this.position)
    this.buffer = larger
  }
}

/** Takes what is read, in order. The key is lent for the call. */
export interface OpSink {
  put(key: KeyWords, id: number, epoch: number, meta: EncodedMeta): void
  remove(key: KeyWords, id: number, epoch: number): void
  change(key: KeyWords, id: number, meta: EncodedMeta): void
}

/** What isn't operations: the peer that has sent it isn't to be believed. */
export class BadOps extends Error {}

/** Reads operations: all of them well-formed, or `BadOps` before or after some have been given. */
export class OpReader {
  private readonly terms: TermCodec
  private readonly lent = new KeyWords()
  private bytes: Buffer = Buffer.alloc(0)
  private position = 0

  constructor(terms: TermCodec) {
    this.terms = terms
  }

  /** Says how many there were. */
  read(bytes: Uint8Array, sink: OpSink): number {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = 0
    let count = 0
    for (; this.position < bytes.length; count++) {
      const kind = this.byte()
      const key = this.key()
      const id = this.number()
      if (id === 0) throw new BadOps('a process without an id')
      if (kind === PUT) sink.put(key, id, this.number(), this.meta())
      else if (kind === REMOVE) sink.remove(key, id, this.number())
      else if (kind === CHANGE) sink.change(key, id, this.meta())
      else throw new BadOps(`an operation of kind ${kind}`)
    }
    return count
  }

  private key(): KeyWords {
    const length = this.number()
    if (length === 0 || length > MAX_KEY_BYTES) throw new BadOps(`a key of ${length} bytes`)
    const start = this.skip(length)
    const end = this.position
    const { bytes, lent } = this
    // Nearly all keys are.
    if (lent.setAscii(bytes, start, end)) return lent
    if (!isUtf8(bytes.subarray(start, end))) throw new BadOps('a key that is no text')
    return lent.set(bytes.toString('utf8', start, end))
  }

  private meta(): EncodedMeta {
    const length = this.number()
    if (length === 0) return NO_META
    if (length > MAX_META_BYTES) throw new BadOps(`metadata of ${length} bytes`)
    const start = this.skip(length)
    const bytes = this.bytes.subarray(start, start + length)
    const meta = this.terms.decode({ bytes: this.bytes, start, end: start + length })
    if (typeof meta !== 'object' || meta === null || Object.getPrototypeOf(meta) !== Object.prototype)
      throw new BadOps('metadata that is no plain object')
    return { meta: frozen(meta as Meta), bytes, hash: hashOfMeta(bytes) }
  }

  private number(): number {
    let value = 0
    let factor = 1
    for (let read = 0; read < 8; read++) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      factor *= 128
    }
    throw new BadOps('a number that is too large')
  }

  private byte(): number {
    return this.bytes[this.skip(1)] as number
  }

  /** Goes on by so many bytes. Returns where they begin. */
  private skip(length: number): number {
    const start = this.position
    if (start + length > this.bytes.length) throw new BadOps('an operation that is cut off')
    this.position = start + length
    return start
  }
}

/** Frozen through and through, as far as it can be: it is the table's, and shown to all who ask. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
