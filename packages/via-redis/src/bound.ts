/**
 * How much may wait for a Redis that is slow or away. What would be more is refused at once, so that memory is bounded, whatever Redis does.
 */
import { StoreError } from '@pidmesh/via-kit'

export const MAX_CALLS: number = 10_000
export const MAX_BYTES: number = 64 * 1024 * 1024

export class Bound {
  private calls = 0
  private bytes = 0

  /**
   * @returns what gives it back
   * @throws StoreError `ERR_STORE_OVERLOADED`
   */
  take(place: string, bytes: number): () => void {
    // One that is larger than all may be goes when nothing else does.
    if (this.calls >= MAX_CALLS || (this.calls > 0 && this.bytes + bytes > MAX_BYTES))
      throw new StoreError('ERR_STORE_OVERLOADED', `${this.calls} calls wait for Redis at ${place}: more may not`)
    this.calls++
    this.bytes += bytes
    return () => {
      this.calls--
      this.bytes -= bytes
    }
  }
}
