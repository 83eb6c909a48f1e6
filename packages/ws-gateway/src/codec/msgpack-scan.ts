/**
 * Looks through MessagePack from a client before it is decoded.
 *
 * The decoder makes room for as many items as an array declares, before it has seen one: 3 KB of headers of nested arrays take 580 MB. Here each header is held
 * against the bytes that are left: every value that is owed takes one at least.
 *
 * Taken: nil, booleans, floats, integers up to 2^53 (what is beyond would be rounded), well-formed UTF-8, binaries, arrays, maps whose keys are text, and of the
 * extensions the timestamp, where it is a Date. Everything else is a problem.
 */
import { isUtf8 } from 'node:buffer'

export type Scan = { readonly problem: string } | { readonly hasBinary: boolean }

const TRUNCATED = 'ends too early'
const TIMESTAMP = 0xff
/** A Date reaches so many seconds from 1970, in either direction. */
const MAX_DATE_S = 8_640_000_000_000n

type Format =
  | { readonly type: 'fixed' | 'int64' | 'fixext'; readonly bytes: number }
  /** `width`: of the length that follows the type byte. */
  | { readonly type: 'text' | 'binary' | 'ext' | 'array' | 'map'; readonly width: number }
  | { readonly type: 'never' }

/** By the type byte, from 0xc0 to 0xdf; the others hold their value or length in themselves. */
const FORMATS: readonly Format[] = [
  { type: 'fixed', bytes: 0 },
  { type: 'never' },
  { type: 'fixed', bytes: 0 },
  { type: 'fixed', bytes: 0 },
  { type: 'binary', width: 1 },
  { type: 'binary', width: 2 },
  { type: 'binary', width: 4 },
  { type: 'ext', width: 1 },
  { type: 'ext', width: 2 },
  { type: 'ext', width: 4 },
  { type: 'fixed', bytes: 4 },
  { type: 'fixed', bytes: 8 },
  { type: 'fixed', bytes: 1 },
  { type: 'fixed', bytes: 2 },
  { type: 'fixed', bytes: 4 },
  { type: 'int64', bytes: 8 },
  { type: 'fixed', bytes: 1 },
  { type: 'fixed', bytes: 2 },
  { type: 'fixed', bytes: 4 },
  { type: 'int64', bytes: 8 },
  { type: 'fixext', bytes: 1 },
  { type: 'fixext', bytes: 2 },
  { type: 'fixext', bytes: 4 },
  { type: 'fixext', bytes: 8 },
  { type: 'fixext', bytes: 16 },
  { type: 'text', width: 1 },
  { type: 'text', width: 2 },
  { type: 'text', width: 4 },
  { type: 'array', width: 2 },
  { type: 'array', width: 4 },
  { type: 'map', width: 2 },
  { type: 'map', width: 4 },
]

/** Exactly one value, nested `levels` deep at most. Never throws. */
export function scanMsgpack(bytes: Buffer, levels: number): Scan {
  const scanner = new Scanner(bytes, levels)
  const problem = scanner.run()
  return problem === undefined ? { hasBinary: scanner.hasBinary } : { problem }
}

class Scanner {
  hasBinary = false
  private readonly bytes: Buffer
  private readonly levels: number
  private at = 0
  /** Of each array or map that is open, from without to within: the values that it still owes, keys included. */
  private readonly owed: number[] = []
  private readonly isMap: boolean[] = []
  /** All that is owed, together. */
  private owedInAll = 1

  constructor(bytes: Buffer, levels: number) {
    this.bytes = bytes
    this.levels = levels
  }

  run(): string | undefined {
    while (this.owedInAll > 0) {
      const problem = this.value()
      if (problem !== undefined) return problem
    }
    return this.at === this.bytes.length ? undefined : 'more bytes than one value'
  }

  private value(): string | undefined {
    const first = this.bytes[this.at]
    if (first === undefined) return TRUNCATED
    this.at++
    this.owedInAll--
    const top = this.owed.length - 1
    const left = this.owed[top] ?? 0
    if (this.isMap[top] === true && left % 2 === 0 && !isText(first)) return 'a key that is not text'
    if (top >= 0) this.owed[top] = left - 1
    const problem = this.body(first)
    while ((this.owed.at(-1) ?? 1) === 0) {
      this.owed.pop()
      this.isMap.pop()
    }
    return problem
  }

  private body(first: number): string | undefined {
    if (first < 0x80 || first >= 0xe0) return undefined
    if (first < 0x90) return this.open(first & 0x0f, true)
    if (first < 0xa0) return this.open(first & 0x0f, false)
    if (first < 0xc0) return this.text(first & 0x1f)
    const format = FORMATS[first - 0xc0]
    if (format === undefined || format.type === 'never') return 'a byte that begins nothing'
    if ('bytes' in format) {
      if (format.type === 'fixed') return this.skip(format.bytes)
      return format.type === 'fixext' ? this.ext(format.bytes) : this.int64(first === 0xcf)
    }
    if (this.at + format.width > this.bytes.length) return TRUNCATED
    const length = this.bytes.readUIntBE(this.at, format.width)
    this.at += format.width
    if (format.type === 'text') return this.text(length)
    if (format.type === 'ext') return this.ext(length)
    if (format.type === 'binary') {
      this.hasBinary = true
      return this.skip(length)
    }
    return this.open(length, format.type === 'map')
  }

  private skip(length: number): string | undefined {
    this.at += length
    return this.at > this.bytes.length ? TRUNCATED : undefined
  }

  private open(size: number, isMap: boolean): string | undefined {
    if (this.owed.length === this.levels) return `more than ${this.levels} levels`
    const values = isMap ? 2 * size : size
    this.owedInAll += values
    if (this.owedInAll > this.bytes.length - this.at) return TRUNCATED
    this.owed.push(values)
    this.isMap.push(isMap)
    return undefined
  }

  private text(length: number): string | undefined {
    const start = this.at
    const problem = this.skip(length)
    if (problem !== undefined) return problem
    // Short ones, which most are, without a view and a call.
    let bits = length > 32 ? 0x80 : 0
    if (bits === 0) for (let at = start; at < this.at; at++) bits |= this.bytes[at] ?? 0
    if (bits < 0x80 || isUtf8(this.bytes.subarray(start, this.at))) return undefined
    return 'text that is not UTF-8'
  }

  private int64(isUnsigned: boolean): string | undefined {
    const start = this.at
    const problem = this.skip(8)
    if (problem !== undefined) return problem
    const high = isUnsigned ? this.bytes.readUInt32BE(start) : this.bytes.readInt32BE(start)
    const isSafe =
      high < 2 ** 21 && (high > -(2 ** 21) || (high === -(2 ** 21) && this.bytes.readUInt32BE(start + 4) > 0))
    return isSafe ? undefined : 'an integer beyond 2^53'
  }

  private ext(length: number): string | undefined {
    const type = this.bytes[this.at]
    const start = this.at + 1
    const problem = this.skip(length + 1)
    if (problem !== undefined) return problem
    if (type !== TIMESTAMP) return 'an extension'
    if (length === 4) return undefined
    if (length === 8) return this.bytes.readUInt32BE(start) >>> 2 < 1e9 ? undefined : 'not a time'
    if (length !== 12) return 'not a time'
    const nanoseconds = this.bytes.readUInt32BE(start)
    const seconds = this.bytes.readBigInt64BE(start + 4)
    const isLast = seconds === MAX_DATE_S && nanoseconds === 0
    const isDate = seconds >= -MAX_DATE_S && seconds < MAX_DATE_S && nanoseconds < 1e9
    return isDate || isLast ? undefined : 'not a time'
  }
}

function isText(first: number): boolean {
  return (first >= 0xa0 && first < 0xc0) || (first >= 0xd9 && first <= 0xdb)
}
