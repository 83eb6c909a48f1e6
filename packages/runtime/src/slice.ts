/**
 * A stretch of bytes within others: what a view is, at a tenth of its cost. Never written to once it is made.
 */
export interface Slice {
  readonly bytes: Uint8Array
  /** Where it begins in `bytes`. */
  readonly start: number
  /** Where it ends: the first that is no more of it. */
  readonly end: number
}

export function sliceOf(bytes: Uint8Array): Slice {
  return { bytes, start: 0, end: bytes.length }
}
