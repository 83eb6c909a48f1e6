/**
 * The bytes of metadata as they were sent first: a snapshot must say again what the log has said, as its rows are summed by their bytes.
 *
 * Metadata that is frozen through and through is encoded again when it is needed. What can't be frozen (a Map, bytes, a date) may have been changed by who has looked
 * it up; of such the bytes are kept, as long as the metadata is there.
 */
import { Pid, Ref, type TermCodec } from '@pidmesh/runtime'
import type { Meta } from './claim.ts'
import { NO_META, type EncodedMeta } from './ops.ts'

export class MetaBytes {
  private readonly terms: TermCodec
  private readonly kept = new WeakMap<Meta, Uint8Array>()

  constructor(terms: TermCodec) {
    this.terms = terms
  }

  /** Of metadata that goes into the log. */
  keep({ meta, bytes }: EncodedMeta): void {
    if (bytes.length > 0 && !canBeFrozen(meta)) this.kept.set(meta, bytes)
  }

  of(meta: Meta): Uint8Array {
    if (meta === NO_META.meta) return NO_META.bytes
    const kept = this.kept.get(meta)
    if (kept !== undefined) return kept
    const { bytes, start, end } = this.terms.encode(meta)
    return bytes.subarray(start, end)
  }
}

function canBeFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Pid || value instanceof Ref) return true
  return (
    (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) &&
    Object.values(value).every((part) => canBeFrozen(part))
  )
}
