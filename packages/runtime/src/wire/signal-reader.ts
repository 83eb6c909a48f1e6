/**
 * Signals from the bytes of a `Data`, as dist.proto describes it and wire/signal-writer.ts writes it. Whatever a peer sends, the outcome is signals or
 * `ERR_BAD_TERM`: a field that no signal has, a length that lies, a number that no id can be.
 *
 * A payload, and the context that goes with it, is not copied: it is a slice of the frame.
 */
import { PidmeshError } from '../errors.ts'
import { isPositiveInteger } from '../ids.ts'
import { isExitReason, type ExitReason } from '../reasons.ts'
import { MAX_CONTEXT_BYTES, MAX_RECEIVERS, type Signal } from '../signals/signal.ts'
import { sliceOf, type Slice } from '../slice.ts'
import {
  ANSWER,
  DEMONITOR,
  DOUBLE,
  DOWN,
  EXIT,
  LENGTH_DELIMITED,
  LINK,
  LINK_EXIT,
  MONITOR,
  REQUEST,
  SEND,
  SEND_ALIAS,
  SEND_MANY,
  SEND_NAME,
  SIGNALS_TAG,
  UNLINK,
  UNLINK_ACK,
} from './protobuf.ts'
import type { TermCodec } from './term.ts'
import { TextCache } from './text-cache.ts'

const NO_BYTES: Slice = sliceOf(new Uint8Array(0))

type Slices = [Slice | undefined, Slice | undefined, Slice | undefined, Slice | undefined, Slice | undefined]

export class SignalReader {
  private readonly terms: TermCodec
  private bytes: Uint8Array = NO_BYTES.bytes
  private view = new DataView(NO_BYTES.bytes.buffer)
  private position = 0
  private readonly texts = new TextCache()
  /** Of the signal that is being read: its fields of doubles, by number. */
  private readonly doubles: [number, number, number] = [0, 0, 0]
  /** Its fields of bytes, those that have the numbers 2 to 6. */
  private readonly slices: Slices = [undefined, undefined, undefined, undefined, undefined]

  constructor(terms: TermCodec) {
    this.terms = terms
  }

  /**
   * The signals of a frame, whose layer is data by its first byte.
   * @throws PidmeshError `ERR_BAD_TERM`
   */
  readFrame(bytes: Uint8Array): Signal[] {
    this.bytes = bytes
    this.position = 1
    const end = this.lengthWithin(bytes.length)
    if (end !== bytes.length) throw bad('a frame with something behind it')
    return this.read({ bytes, start: this.position, end })
  }

  /**
   * The signals of a `Data`.
   * @throws PidmeshError `ERR_BAD_TERM`
   */
  read({ bytes, start, end }: Slice): Signal[] {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.position = start
    const signals: Signal[] = []
    while (this.position < end) {
      if (bytes[this.position++] !== SIGNALS_TAG) throw bad('an unknown field of data')
      signals.push(this.signal(this.lengthWithin(end)))
    }
    // The frame is not for this reader to keep.
    this.bytes = NO_BYTES.bytes
    return signals
  }

  private signal(end: number): Signal {
    const tag = this.position < end ? (this.bytes[this.position++] ?? 0) : 0
    if ((tag & 7) !== LENGTH_DELIMITED || tag > 0x7f) throw bad('an unknown signal')
    if (this.lengthWithin(end) !== end) throw bad('a signal with something behind it')
    this.fields(end)
    const { doubles, slices } = this
    switch (tag >> 3) {
      case SEND:
        return {
          type: 'send',
          from: id(doubles[0]),
          to: id(doubles[1]),
          payload: slices[1] ?? NO_BYTES,
          context: contextOf(slices[2]),
        }
      case SEND_ALIAS:
        return {
          type: 'send_alias',
          from: id(doubles[0]),
          to: id(doubles[1]),
          payload: slices[1] ?? NO_BYTES,
          context: contextOf(slices[2]),
        }
      case ANSWER:
        return { type: 'answer', from: id(doubles[0]), to: id(doubles[1]), payload: slices[1] ?? NO_BYTES }
      case SEND_NAME:
        return {
          type: 'send_name',
          from: id(doubles[0]),
          name: this.name(slices[0]),
          payload: slices[1] ?? NO_BYTES,
          context: contextOf(slices[2]),
        }
      case SEND_MANY:
        return {
          type: 'send_many',
          from: id(doubles[0]),
          to: this.ids(slices[0]),
          payload: slices[1] ?? NO_BYTES,
          context: contextOf(slices[2]),
        }
      case EXIT:
        return { type: 'exit', from: id(doubles[0]), to: id(doubles[1]), reason: this.reason(slices[1]) }
      case LINK:
        return { type: 'link', from: id(doubles[0]), to: id(doubles[1]) }
      case LINK_EXIT:
        return { type: 'link_exit', from: id(doubles[0]), to: id(doubles[1]), reason: this.reason(slices[1]) }
      case UNLINK:
        return { type: 'unlink', from: id(doubles[0]), to: id(doubles[1]), id: id(doubles[2]) }
      case UNLINK_ACK:
        return { type: 'unlink_ack', from: id(doubles[0]), to: id(doubles[1]), id: id(doubles[2]) }
      case MONITOR:
        return { type: 'monitor', from: id(doubles[0]), ref: id(doubles[1]), to: this.target() }
      case REQUEST:
        return {
          type: 'request',
          from: id(doubles[0]),
          ref: id(doubles[1]),
          to: this.target(),
          payload: slices[3] ?? NO_BYTES,
          context: contextOf(slices[4]),
        }
      case DEMONITOR:
        return { type: 'demonitor', ref: id(doubles[0]), from: id(doubles[1]) }
      case DOWN:
        return { type: 'down', ref: id(doubles[0]), reason: this.reason(slices[0]), from: idOrNone(doubles[2]) }
      default:
        throw bad('an unknown signal')
    }
  }

  /** Who is to be watched. */
  private target(): number | string {
    const { doubles, slices } = this
    return slices[2] === undefined ? id(doubles[2]) : this.name(slices[2])
  }

  /** Reads the fields of the message that ends there. */
  private fields(end: number): void {
    const { doubles, slices } = this
    doubles[0] = 0
    doubles[1] = 0
    doubles[2] = 0
    slices[0] = undefined
    slices[1] = undefined
    slices[2] = undefined
    slices[3] = undefined
    slices[4] = undefined
    while (this.position < end) {
      const tag = this.bytes[this.position++] ?? 0
      const field = tag >> 3
      if ((tag & 7) === DOUBLE && field >= 1 && field <= 3) {
        if (end - this.position < 8) throw bad('a signal that is cut short')
        doubles[(field - 1) as 0 | 1 | 2] = this.view.getFloat64(this.position, true)
        this.position += 8
      } else if ((tag & 7) === LENGTH_DELIMITED && field >= 2 && field <= 6) {
        const sliceEnd = this.lengthWithin(end)
        slices[(field - 2) as 0 | 1 | 2 | 3 | 4] = { bytes: this.bytes, start: this.position, end: sliceEnd }
        this.position = sliceEnd
      } else {
        throw bad('an unknown field of a signal')
      }
    }
  }

  /** Reads a length, and returns where what has it ends. */
  private lengthWithin(end: number): number {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      if (this.position >= end) throw bad('a malformed length')
      const byte = this.bytes[this.position++] ?? 0
      // It would be 2 GiB.
      if (shift === 28 && byte > 7) throw bad('a malformed length')
      // By a shift, whose result is a small integer. A power's is a double, even of 1, and by way of positions and slices all arithmetic of the wire would be.
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (length > end - this.position) throw bad('a length past the end')
    return this.position + length
  }

  private name(slice: Slice | undefined): string {
    if (slice === undefined) throw bad('no name')
    const { bytes, start, end } = slice
    return this.texts.read(bytes, start, end - start) ?? utf8.decode(bytes.subarray(start, end))
  }

  private ids(slice: Slice | undefined): number[] {
    const { start, end } = slice ?? NO_BYTES
    if ((end - start) % 8 !== 0 || end - start > MAX_RECEIVERS * 8) throw bad('malformed ids')
    const ids: number[] = []
    for (let at = start; at < end; at += 8) ids.push(id(this.view.getFloat64(at, true)))
    return ids
  }

  private reason(slice: Slice | undefined): ExitReason {
    const reason = this.terms.decode(slice ?? NO_BYTES)
    if (isExitReason(reason)) return reason
    throw bad('an exit reason that is neither a text nor an object')
  }
}

/** Whatever is in it: who has no use for it doesn't look. */
function contextOf(slice: Slice | undefined): Slice | undefined {
  if (slice !== undefined && slice.end - slice.start > MAX_CONTEXT_BYTES) throw bad('a context that is too large')
  return slice
}

function id(value: number): number {
  // As a small integer, not a double, if it is one: what looks it up is faster.
  const small = value | 0
  if (small === value && small > 0) return small
  if (!isPositiveInteger(value)) throw bad('a malformed id')
  return value
}

function idOrNone(value: number): number {
  return value === 0 ? 0 : id(value)
}

// A byte order mark is a character of a name as any other.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_TERM', `undecodable frame: ${problem}`)
}
