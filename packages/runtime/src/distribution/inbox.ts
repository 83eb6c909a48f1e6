/**
 * Puts the parts of large signals together again: the other end of distribution/outbox.ts.
 *
 * What it holds is bounded: `MAX_TRANSFERS` signals, each of a size that a signal may have, in parts that aren't small.
 */
import { PidmeshError } from '../errors.ts'
import { MAX_TRANSFERS } from './outbox.ts'

/** Of a part that isn't the last: each is kept as it is, and costs more than its bytes. */
const LEAST_BYTES = 4 * 1024

interface Incoming {
  readonly parts: Uint8Array[]
  bytes: number
}

export class Inbox {
  private readonly maxSignalBytes: number
  private readonly incoming = new Map<number, Incoming>()

  constructor(maxSignalBytes: number) {
    this.maxSignalBytes = maxSignalBytes
  }

  /**
   * Takes a part; gives the whole when it was the last one.
   * @throws PidmeshError `ERR_BAD_TERM` for what no honest node sends
   */
  add(transfer: number, bytes: Uint8Array, last: boolean): Uint8Array | undefined {
    if (!(transfer >= 0 && transfer < MAX_TRANSFERS)) throw bad('a part of an unknown transfer')
    if (bytes.length < (last ? 1 : LEAST_BYTES)) throw bad(`a part of ${bytes.length} bytes`)
    const incoming = this.incoming.get(transfer) ?? { parts: [], bytes: 0 }
    incoming.bytes += bytes.length
    if (incoming.bytes > this.maxSignalBytes) throw bad(`a signal of more than ${this.maxSignalBytes} bytes`)
    // A copy: it is part of its frame, which may be much larger.
    incoming.parts.push(Uint8Array.from(bytes))
    if (!last) {
      this.incoming.set(transfer, incoming)
      return undefined
    }
    this.incoming.delete(transfer)
    return Buffer.concat(incoming.parts, incoming.bytes)
  }
}

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_TERM', `undecodable frame: ${problem}`)
}
