/**
 * The codec of user payloads: structured data as CBOR, of which only the part in wire/cbor.ts is written and taken.
 *
 * Sendable: undefined, null, boolean, number, bigint, string, Uint8Array, Date, Map, Set, arrays, plain objects, Pid, Ref; an Error goes as plain
 * data (`{ name, message, stack }`). Not sendable: functions, symbols, instances of other classes, cycles, the key `__proto__`.
 */
import type { NodeIdentity } from '../ids.ts'
import type { Slice } from '../slice.ts'
import { DEFAULT_TERM_LIMITS, type TermLimits } from './cbor.ts'
import { TermReader } from './term-reader.ts'
import { TermWriter } from './term-writer.ts'

export { DEFAULT_TERM_LIMITS, type TermLimits } from './cbor.ts'

export class TermCodec {
  private readonly writer: TermWriter
  private readonly reader: TermReader

  constructor(limits: TermLimits = DEFAULT_TERM_LIMITS) {
    this.writer = new TermWriter(limits)
    this.reader = new TermReader(limits)
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  encode(term: unknown): Slice {
    return this.writer.write(term)
  }

  /** @throws PidmeshError `ERR_BAD_TERM` */
  decode(slice: Slice): unknown {
    return this.reader.read(slice)
  }
}

/**
 * Terms that go from one node to another. Most pids and references in them are of the node that sends, and whoever reads them knows which that is: they go as their
 * ids alone (docs/adr/0100).
 */
export class MessageCodec {
  private readonly writer: TermWriter
  private readonly reader = new TermReader(DEFAULT_TERM_LIMITS)

  /** @param self the node whose messages it encodes */
  constructor(self: NodeIdentity) {
    this.writer = new TermWriter(DEFAULT_TERM_LIMITS, self)
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  encode(message: unknown): Slice {
    return this.writer.write(message)
  }

  /**
   * @param sender the node that has sent it, as it was authenticated
   * @throws PidmeshError `ERR_BAD_TERM`
   */
  decode(slice: Slice, sender: NodeIdentity): unknown {
    return this.reader.read(slice, sender)
  }
}

/**
 * How many bytes a value takes in a message to another node, as the limit of 8 MiB counts them. Pids and references of the node that sends it take less on the way.
 * @throws PidmeshError `ERR_NOT_SENDABLE` if it can't be sent; the message says where in the value the reason stands. `ERR_MESSAGE_TOO_LARGE`
 */
export function encodedBytes(term: unknown): number {
  const { start, end } = new TermWriter(DEFAULT_TERM_LIMITS).write(term)
  return end - start
}
