/**
 * Walks over the bytes of a term before they are decoded, and lets through only what wire/term.ts encodes: a decoder for all of CBOR and its
 * extensions offers a hostile peer more than we want to answer for. Makes no objects.
 */
import { PidmeshError } from '../errors.ts'

export const TAG_PID = 40_501
export const TAG_REF = 40_502
/** Milliseconds since 1970, NaN for an invalid date: the seconds of CBOR's own tag lose the milliseconds of distant dates. */
export const TAG_DATE = 40_503

const TAG_POSITIVE_BIGINT = 2
const TAG_NEGATIVE_BIGINT = 3
const TAG_SET = 258
const TAG_MAP = 259

/** What the sender's limit of 1,024 bits comes to. */
const MAX_BIGINT_BYTES = 129

const ALLOWED_TAGS: ReadonlySet<number> = new Set([
  TAG_DATE,
  TAG_POSITIVE_BIGINT,
  TAG_NEGATIVE_BIGINT,
  TAG_SET,
  TAG_MAP,
  TAG_PID,
  TAG_REF,
])

export interface ScanLimits {
  readonly maxDepth: number
  readonly maxItems: number
}

export interface Scan {
  /** Whether a value is among them that wire/term.ts puts into a tag of ours. */
  readonly hasOurTags: boolean
}

/** @throws PidmeshError `ERR_BAD_TERM` unless the bytes are exactly one term within the limits. */
export function scanTerm(bytes: Uint8Array, limits: ScanLimits): Scan {
  const scanner = new Scanner(bytes, limits)
  scanner.item(0)
  if (scanner.position !== bytes.length) throw bad('bytes are left over')
  return { hasOurTags: scanner.hasOurTags }
}

class Scanner {
  position = 0
  hasOurTags = false
  private readonly bytes: Uint8Array
  private readonly limits: ScanLimits
  private items = 0

  constructor(bytes: Uint8Array, limits: ScanLimits) {
    this.bytes = bytes
    this.limits = limits
  }

  item(depth: number): void {
    // A tag and what it holds are two levels here and one at the sender: hence twice the depth.
    if (depth > this.limits.maxDepth * 2 + 2) throw bad('nested too deep')
    // A value of the sender's is six items here at most: its key, its tag, the array that the tag holds, and the three parts of a pid.
    if (++this.items > this.limits.maxItems * 6) throw bad('too many values')
    const head = this.byte()
    const major = head >> 5
    const info = head & 0x1f
    switch (major) {
      case 0:
      case 1:
        this.argument(info)
        return
      case 2:
      case 3:
        this.skip(this.argument(info))
        return
      case 4:
        this.sequence(this.argument(info), depth)
        return
      case 5:
        this.sequence(this.argument(info) * 2, depth)
        return
      case 6:
        this.tag(this.argument(info), depth)
        return
      default:
        this.simple(info)
    }
  }

  private tag(tag: number, depth: number): void {
    if (!ALLOWED_TAGS.has(tag)) throw bad(`the tag ${tag}`)
    if (tag >= TAG_PID) this.hasOurTags = true
    if (tag === TAG_POSITIVE_BIGINT || tag === TAG_NEGATIVE_BIGINT) {
      // Making a bigint takes time that grows with the square of its length.
      const head = this.byte()
      if (head >> 5 !== 2) throw bad('a bigint that is none')
      const length = this.argument(head & 0x1f)
      if (length > MAX_BIGINT_BYTES) throw bad(`a bigint of ${length} bytes`)
      this.skip(length)
      return
    }
    this.item(depth + 1)
  }

  private sequence(count: number, depth: number): void {
    // Each item takes a byte at least: a length that lies ends here, before anything is allocated for it.
    if (count > this.bytes.length - this.position) throw bad('a length past the end')
    for (let i = 0; i < count; i++) this.item(depth + 1)
  }

  private simple(info: number): void {
    if (info >= 20 && info <= 23) return
    if (info === 25) this.skip(2)
    else if (info === 26) this.skip(4)
    else if (info === 27) this.skip(8)
    else throw bad(`the simple value ${info}`)
  }

  private argument(info: number): number {
    if (info < 24) return info
    if (info > 27) throw bad('an indefinite length')
    let value = 0
    for (let left = 1 << (info - 24); left > 0; left--) value = value * 256 + this.byte()
    return value
  }

  private byte(): number {
    const byte = this.bytes[this.position]
    if (byte === undefined) throw bad('truncated')
    this.position++
    return byte
  }

  private skip(count: number): void {
    if (count > this.bytes.length - this.position) throw bad('a length past the end')
    this.position += count
  }
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_TERM', `undecodable message: ${problem}`)
}
