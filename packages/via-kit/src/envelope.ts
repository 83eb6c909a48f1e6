/**
 * The bytes of what goes through a store or a broker.
 *
 *   value of a name   term [pid, metadata, which registration of the process it is]
 *   owner of its row  the process and that registration, as text
 *   a push            length of the name, 2 bytes; the name; term: the message
 *
 * The name stands in front so that a node that doesn't have it need not read the rest.
 */
import { Pid, PidmeshError, TermCodec, type NameMeta } from '@pidmesh/runtime'
import { bad } from './checks.ts'

/** As in the replicated table: a session can change from one way to another. */
const MAX_META_BYTES = 1_024

export interface Place {
  readonly pid: Pid
  readonly meta: NameMeta
}

/** As it stands in the store. */
export interface WrittenPlace extends Place {
  /** Tells registrations of one process apart: no other one of it has the same. */
  readonly registration: string
}

/** Of the row of a name. */
export function ownerOf({ pid, registration }: Pick<WrittenPlace, 'pid' | 'registration'>): string {
  return `${pid.toString()}#${registration}`
}

/** A name, and where the message begins that was sent to it. */
export interface Envelope {
  readonly name: string
  readonly bytes: Uint8Array
  readonly start: number
}

export class Envelopes {
  private readonly terms = new TermCodec()

  /**
   * Metadata as it will come to others: what the caller does with its object later changes nothing.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  meta(meta: unknown): NameMeta {
    if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) throw bad('metadata is an object')
    let bytes: Uint8Array
    try {
      bytes = this.encode(meta)
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause)
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        `metadata can't be sent: ${problem.replace(/^message\b/, 'metadata')}`,
        { cause },
      )
    }
    if (bytes.length > MAX_META_BYTES) throw bad(`metadata has ${bytes.length} bytes, over ${MAX_META_BYTES}`)
    return this.decode(bytes, 0) as NameMeta
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  place({ pid, meta, registration }: WrittenPlace): Uint8Array {
    return this.encode([pid, meta, registration])
  }

  /** `undefined` for what is no place: somebody else has written it. */
  readPlace(bytes: Uint8Array): WrittenPlace | undefined {
    const term = this.decode(bytes, 0)
    if (!Array.isArray(term)) return undefined
    const [pid, meta, registration] = term as readonly unknown[]
    if (!(pid instanceof Pid) || typeof meta !== 'object' || meta === null || typeof registration !== 'string')
      return undefined
    return { pid, meta: meta as NameMeta, registration }
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  seal(name: string, message: unknown): Uint8Array {
    const { bytes, start, end } = this.terms.encode(message)
    const nameBytes = Buffer.from(name)
    const sealed = new Uint8Array(2 + nameBytes.length + end - start)
    new DataView(sealed.buffer).setUint16(0, nameBytes.length)
    sealed.set(nameBytes, 2)
    sealed.set(bytes.subarray(start, end), 2 + nameBytes.length)
    return sealed
  }

  /** `undefined` for what is no envelope. */
  open(bytes: Uint8Array): Envelope | undefined {
    if (bytes.length < 2) return undefined
    const start = 2 + new DataView(bytes.buffer, bytes.byteOffset, 2).getUint16(0)
    if (start > bytes.length) return undefined
    return { name: Buffer.from(bytes.buffer, bytes.byteOffset + 2, start - 2).toString(), bytes, start }
  }

  /** @throws PidmeshError `ERR_BAD_TERM` */
  messageIn({ bytes, start }: Envelope): unknown {
    return this.terms.decode({ bytes, start, end: bytes.length })
  }

  private encode(term: unknown): Uint8Array {
    const { bytes, start, end } = this.terms.encode(term)
    // Its own: the codec writes over its buffer.
    return Uint8Array.prototype.slice.call(bytes, start, end)
  }

  private decode(bytes: Uint8Array, start: number): unknown {
    try {
      return this.terms.decode({ bytes, start, end: bytes.length })
    } catch (error) {
      if (error instanceof PidmeshError) return undefined
      throw error
    }
  }
}
