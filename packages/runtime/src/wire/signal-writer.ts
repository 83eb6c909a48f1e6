/**
 * Signals as bytes, one behind the other as they are sent: the `Data` of one frame after the other, in the form that dist.proto gives it.
 *
 * By hand and not with the generated code, whose objects and lists of operations take several times as long (docs/adr/0015): this is what each message to
 * another node goes through. That both agree is tested.
 */
import { assertNever } from '../assert-never.ts'
import { trimReason, isExitReason, type ExitReason } from '../reasons.ts'
import { MAX_REASON_BYTES, type Signal } from '../signals/signal.ts'
import { sliceOf, type Slice } from '../slice.ts'
import {
  ANSWER,
  DATA_TAG,
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
  varintBytes,
} from './protobuf.ts'
import type { TermCodec } from './term.ts'

/** What stands before the signals of a frame at most: the tag of the layer, and a length. */
const HEADER_BYTES = 6
const INITIAL_BYTES = 4 * 1024
/** A buffer that has grown beyond this for one large signal is let go. */
const KEPT_BYTES = 256 * 1024
/** Fields of a double: their tag, and eight bytes. */
const DOUBLE_BYTES = 9
/** From here on bytes are copied by a call into native code; below, by words of four. */
const SHORT = 128

/** A signal that has a payload. */
type SentMessage = Pick<Extract<Signal, { readonly payload: Slice }>, 'payload' | 'context'>

export class SignalWriter {
  private readonly terms: TermCodec
  private buffer = new Uint8Array(INITIAL_BYTES)
  private view = new DataView(this.buffer.buffer)
  private position = HEADER_BYTES
  /** What was copied from last: many payloads stand in one block of the writer of terms. */
  private source: Uint8Array = NO_BYTES.bytes
  private sourceView = new DataView(NO_BYTES.bytes.buffer)

  constructor(terms: TermCodec) {
    this.terms = terms
  }

  /** Bytes of the signals that are waiting to be taken. */
  get length(): number {
    return this.position - HEADER_BYTES
  }

  /** Returns the length that there was before it. (Code of the user's may run first, and append something itself: a getter of an exit reason.) */
  append(signal: Signal): number {
    const { type } = signal
    const hasReason = type === 'exit' || type === 'link_exit' || type === 'down'
    const reason = hasReason ? this.encodeReason(signal.reason) : NO_BYTES
    const start = this.length
    this.write(signal, reason)
    return start
  }

  /** Takes back what was appended since the length was this, as the `Data` of a frame of its own. */
  takeFrom(length: number): Uint8Array {
    const data = this.buffer.slice(HEADER_BYTES + length, this.position)
    this.position = HEADER_BYTES + length
    this.shrink()
    return data
  }

  /** Appends what `takeFrom` has taken. */
  appendData(data: Uint8Array): void {
    this.reserve(data.length)
    this.buffer.set(data, this.position)
    this.position += data.length
  }

  /** All signals that are waiting as one frame. */
  takeFrame(): Uint8Array {
    const { length } = this
    const start = HEADER_BYTES - 1 - varintBytes(length)
    this.buffer[start] = DATA_TAG
    writeVarint(this.buffer, start + 1, length)
    const frame = this.buffer.slice(start, this.position)
    this.position = HEADER_BYTES
    this.shrink()
    return frame
  }

  private write(signal: Signal, reason: Slice): void {
    switch (signal.type) {
      case 'send':
        this.send(SEND, signal)
        return
      case 'send_alias':
        this.send(SEND_ALIAS, signal)
        return
      case 'answer':
        this.send(ANSWER, signal)
        return
      case 'send_name': {
        const nameBytes = utf8Bytes(signal.name)
        this.open(SEND_NAME, DOUBLE_BYTES + lengthDelimited(nameBytes) + messageBytes(signal))
        this.double(1, signal.from)
        this.text(2, signal.name, nameBytes)
        this.message(3, signal)
        return
      }
      case 'send_many':
        this.sendMany(signal)
        return
      case 'exit':
        this.exit(EXIT, signal, reason)
        return
      case 'link_exit':
        this.exit(LINK_EXIT, signal, reason)
        return
      case 'link':
        this.open(LINK, 2 * DOUBLE_BYTES)
        this.double(1, signal.from)
        this.double(2, signal.to)
        return
      case 'unlink':
        this.unlink(UNLINK, signal)
        return
      case 'unlink_ack':
        this.unlink(UNLINK_ACK, signal)
        return
      case 'monitor':
        this.monitor(MONITOR, signal, undefined)
        return
      case 'request':
        this.monitor(REQUEST, signal, signal)
        return
      case 'demonitor':
        this.open(DEMONITOR, 2 * DOUBLE_BYTES)
        this.double(1, signal.ref)
        this.double(2, signal.from)
        return
      case 'down': {
        // A number that is zero is left out.
        const isOfProcess = signal.from !== 0
        this.open(DOWN, (isOfProcess ? 2 : 1) * DOUBLE_BYTES + fieldBytes(reason))
        this.double(1, signal.ref)
        this.bytes(2, reason)
        if (isOfProcess) this.double(3, signal.from)
        return
      }
      default:
        assertNever(signal)
    }
  }

  private send(kind: number, signal: Signal & { type: 'send' | 'send_alias' | 'answer' }): void {
    this.open(kind, 2 * DOUBLE_BYTES + messageBytes(signal))
    this.double(1, signal.from)
    this.double(2, signal.to)
    this.message(3, signal)
  }

  /** The payload as a field of this number, and the context, if there is any, as the next. */
  private message(field: number, { payload, context }: SentMessage): void {
    this.bytes(field, payload)
    if (context !== undefined) this.bytes(field + 1, context)
  }

  private exit(kind: number, { from, to }: Signal & { type: 'exit' | 'link_exit' }, reason: Slice): void {
    this.open(kind, 2 * DOUBLE_BYTES + fieldBytes(reason))
    this.double(1, from)
    this.double(2, to)
    this.bytes(3, reason)
  }

  private unlink(kind: number, { from, to, id }: Signal & { type: 'unlink' | 'unlink_ack' }): void {
    this.open(kind, 3 * DOUBLE_BYTES)
    this.double(1, from)
    this.double(2, to)
    this.double(3, id)
  }

  private monitor(
    kind: number,
    { from, ref, to }: Signal & { type: 'monitor' | 'request' },
    message: SentMessage | undefined,
  ): void {
    const nameBytes = typeof to === 'string' ? utf8Bytes(to) : 0
    const targetBytes = typeof to === 'string' ? lengthDelimited(nameBytes) : DOUBLE_BYTES
    this.open(kind, 2 * DOUBLE_BYTES + targetBytes + (message === undefined ? 0 : messageBytes(message)))
    this.double(1, from)
    this.double(2, ref)
    if (typeof to === 'string') this.text(4, to, nameBytes)
    else this.double(3, to)
    if (message !== undefined) this.message(5, message)
  }

  private sendMany(signal: Signal & { type: 'send_many' }): void {
    const { from, to } = signal
    const toBytes = to.length * 8
    this.open(SEND_MANY, DOUBLE_BYTES + 1 + varintBytes(toBytes) + toBytes + messageBytes(signal))
    this.double(1, from)
    this.buffer[this.position++] = (2 << 3) | LENGTH_DELIMITED
    this.position = writeVarint(this.buffer, this.position, toBytes)
    for (const id of to) {
      this.view.setFloat64(this.position, id, true)
      this.position += 8
    }
    this.message(3, signal)
  }

  /** An exit reason that can't be sent, or is very large, must not keep a `DOWN` from being sent. */
  private encodeReason(reason: ExitReason): Slice {
    try {
      const encoded = isExitReason(reason) ? this.terms.encode(trimReason(reason)) : undefined
      if (encoded !== undefined && encoded.end - encoded.start <= MAX_REASON_BYTES) return encoded
    } catch {
      // Told below.
    }
    return this.terms.encode('unsendable_reason')
  }

  /** Begins a signal, whose message of `kind` has so many bytes, and makes room for them. */
  private open(kind: number, bytes: number): void {
    const signalBytes = 1 + varintBytes(bytes) + bytes
    this.reserve(6 + signalBytes)
    this.buffer[this.position++] = SIGNALS_TAG
    this.position = writeVarint(this.buffer, this.position, signalBytes)
    this.buffer[this.position++] = (kind << 3) | LENGTH_DELIMITED
    this.position = writeVarint(this.buffer, this.position, bytes)
  }

  private double(field: number, value: number): void {
    this.buffer[this.position] = (field << 3) | DOUBLE
    this.view.setFloat64(this.position + 1, value, true)
    this.position += DOUBLE_BYTES
  }

  private bytes(field: number, { bytes, start, end }: Slice): void {
    const { buffer } = this
    buffer[this.position++] = (field << 3) | LENGTH_DELIMITED
    const at = writeVarint(buffer, this.position, end - start)
    if (end - start < SHORT) {
      this.lookAt(bytes)
      const { view, sourceView } = this
      let from = start
      let to = at
      for (; from + 4 <= end; from += 4, to += 4) view.setUint32(to, sourceView.getUint32(from, true), true)
      for (; from < end; from++, to++) buffer[to] = bytes[from] ?? 0
    } else {
      buffer.set(bytes.subarray(start, end), at)
    }
    this.position = at + end - start
  }

  private lookAt(source: Uint8Array): void {
    if (source === this.source) return
    this.source = source
    this.sourceView = new DataView(source.buffer, source.byteOffset, source.length)
  }

  private text(field: number, text: string, bytes: number): void {
    const { buffer } = this
    buffer[this.position++] = (field << 3) | LENGTH_DELIMITED
    const at = writeVarint(buffer, this.position, bytes)
    if (bytes === text.length) for (let index = 0; index < bytes; index++) buffer[at + index] = text.charCodeAt(index)
    else utf8.encodeInto(text, buffer.subarray(at, at + bytes))
    this.position = at + bytes
  }

  private reserve(bytes: number): void {
    if (this.position + bytes > this.buffer.length) this.moveTo((this.position + bytes) * 2)
  }

  private shrink(): void {
    if (this.buffer.length > KEPT_BYTES && this.position <= KEPT_BYTES) this.moveTo(KEPT_BYTES)
  }

  private moveTo(bytes: number): void {
    const old = this.buffer
    this.buffer = new Uint8Array(bytes)
    this.view = new DataView(this.buffer.buffer)
    this.buffer.set(old.subarray(0, this.position))
  }
}

const NO_BYTES: Slice = sliceOf(new Uint8Array(0))
const utf8 = new TextEncoder()

/** A text of ASCII is as long in bytes as it is in characters. */
function utf8Bytes(text: string): number {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text)
  return text.length
}

function fieldBytes({ start, end }: Slice): number {
  return lengthDelimited(end - start)
}

function messageBytes({ payload, context }: SentMessage): number {
  return fieldBytes(payload) + (context === undefined ? 0 : fieldBytes(context))
}

/** Bytes of a field of so many bytes: its tag, the length, and they. */
function lengthDelimited(bytes: number): number {
  return 1 + varintBytes(bytes) + bytes
}

/** Returns the position behind it. */
function writeVarint(buffer: Uint8Array, position: number, value: number): number {
  while (value >= 0x80) {
    buffer[position++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  buffer[position++] = value
  return position
}
