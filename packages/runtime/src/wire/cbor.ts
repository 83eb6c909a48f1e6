/**
 * The part of CBOR (RFC 8949) that terms are made of: what wire/term-writer.ts writes and wire/term-reader.ts takes. All else is not ours to answer for.
 *
 *   null, booleans, undefined        simple values 20 to 23
 *   numbers                          integers of at most 32 bits, else 64-bit floats
 *   texts, bytes, arrays, objects    major types 3, 2, 4, 5, of known lengths
 *   bigints, sets, maps              tags 2 and 3, 258, 259
 *   dates, pids, references          tags of ours: CBOR's seconds lose the milliseconds of distant dates
 */

/** Major types, in the upper three bits of a head. */
export const UNSIGNED = 0x00
export const NEGATIVE = 0x20
export const BYTES = 0x40
export const TEXT = 0x60
export const ARRAY = 0x80
export const OBJECT = 0xa0
export const TAG = 0xc0

export const FALSE = 0xf4
export const TRUE = 0xf5
export const NULL = 0xf6
export const UNDEFINED = 0xf7
export const FLOAT = 0xfb

/** In the lower five bits of a head: the argument stands in the next one, two or four bytes. */
export const ONE_BYTE = 24
export const TWO_BYTES = 25
export const FOUR_BYTES = 26

export const TAG_POSITIVE_BIGINT = 2
export const TAG_NEGATIVE_BIGINT = 3
export const TAG_SET = 258
export const TAG_MAP = 259
/** [node, incarnation, id] */
export const TAG_PID = 40_501
/** [node, incarnation, id] */
export const TAG_REF = 40_502
/** An id: a process of the node that sends the message. */
export const TAG_SENDERS_PID = 40_504
/** An id: a reference of the node that sends the message. */
export const TAG_SENDERS_REF = 40_505
/** Milliseconds since 1970, NaN for an invalid date. */
export const TAG_DATE = 40_503

/** Making a bigint takes time that grows with the square of its length. */
export const MAX_BIGINT_BYTES = 129

export interface TermLimits {
  /** @default 8 MiB */
  readonly maxBytes: number
  /** Values inside values. @default 100 */
  readonly maxDepth: number
  /** Values in one term, keys of maps among them. @default 1,000,000 */
  readonly maxItems: number
}

export const DEFAULT_TERM_LIMITS: TermLimits = { maxBytes: 8 * 1024 * 1024, maxDepth: 100, maxItems: 1_000_000 }
