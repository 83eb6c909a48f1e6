/**
 * `pidmesh.msgpack.1`: MessagePack in binary frames, an array of messages or a control, which is a map.
 *
 * Forms: what JSON has, and besides bytes (Uint8Array) and dates (as timestamps, the extension -1). `undefined` in an object is left out, as in JSON; a function
 * or a symbol anywhere makes a message one without a form, and so does a key `__proto__`. Integers beyond 2^53 are floats to clients, and refused from them; BigInts have no form. What clients
 * may send is in msgpack-scan.ts.
 *
 * State: the buffer of the encoder, 64 KiB at most between two messages.
 */
import {
  Decoder,
  Encoder,
  EXT_TIMESTAMP,
  ExtensionCodec,
  decodeTimestampExtension,
  encodeTimestampExtension,
} from '@msgpack/msgpack'
import { PidmeshError } from '@pidmesh/runtime'
import { contentsOf, malformed, MAX_DEPTH, type Codec, type Decoded } from './codec.ts'
import { holdsCast, mayHoldCast } from './disguise.ts'
import { scanMsgpack } from './msgpack-scan.ts'

const MAX_KEPT_BYTES = 64 * 1024
/** Deeper than anything but a cycle: what goes to a client has passed no other limit yet. */
const MAX_ENCODED_DEPTH = 100
const PROTO = '__proto__'
const HALF_PAIRS = /\p{Surrogate}/gu

export class MsgpackCodec implements Codec {
  readonly name = 'msgpack'
  readonly isBinary = true
  private readonly extensions = timestamps()
  private readonly decoder = new Decoder({ extensionCodec: this.extensions })
  private encoder = this.newEncoder()

  encodeMessage(message: unknown): Buffer | undefined {
    if (message === undefined) return undefined
    try {
      const frame = this.asUtf8(this.encode([message]))
      // Decoders refuse such a key, ours too: the client would take the frame for a broken one, come back, be sent it again, and so on.
      if (frame.includes(PROTO)) this.decoder.decode(frame)
      return frame
    } catch {
      return undefined
    }
  }

  encodeControl(control: object): Buffer {
    try {
      return this.encode(control)
    } catch (error) {
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'a control that has no form in MessagePack', { cause: error })
    }
  }

  decode(data: Buffer): Decoded {
    const scan = scanMsgpack(data, MAX_DEPTH + 1)
    if ('problem' in scan) return malformed(scan.problem)
    // Bytes in a message are a part of what is decoded: of a copy, or they would hold a whole chunk of the socket, and be Buffers.
    const bytes = scan.hasBinary ? Uint8Array.from(data) : new Uint8Array(data.buffer, data.byteOffset, data.length)
    let value: unknown
    try {
      value = this.decoder.decode(bytes)
    } catch {
      return malformed('a key __proto__')
    }
    return mayHoldCast(data) && holdsCast(value) ? malformed('a cast') : contentsOf(value)
  }

  /** The encoder writes a half of a pair, which a client may send in JSON, as if it had a form in UTF-8: decoders of other languages fail at that. */
  private asUtf8(frame: Buffer): Buffer {
    return mayHoldHalfPair(frame) ? this.encode(wellFormed(this.decoder.decode(frame))) : frame
  }

  private encode(value: unknown): Buffer {
    try {
      const { buffer, byteLength } = this.encoder.encode(value)
      if (byteLength > MAX_KEPT_BYTES / 2) this.encoder = this.newEncoder()
      return Buffer.from(buffer, 0, byteLength)
    } catch (error) {
      // It may have grown before it failed.
      this.encoder = this.newEncoder()
      throw error
    }
  }

  private newEncoder(): Encoder {
    return new Encoder({ extensionCodec: this.extensions, ignoreUndefined: true, maxDepth: MAX_ENCODED_DEPTH })
  }
}

/** Whether it is worth looking: hardly ever. In UTF-8 no such byte stands after 0xed. */
function mayHoldHalfPair(frame: Buffer): boolean {
  for (let at = frame.indexOf(0xed); at >= 0; at = frame.indexOf(0xed, at + 1))
    if ((frame[at + 1] ?? 0) >= 0xa0) return true
  return false
}

/** What was decoded, with U+FFFD for halves of pairs: that is what the encoder writes in long texts. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(HALF_PAIRS, '\ufffd')
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [wellFormed(key), wellFormed(part)]))
}

function timestamps(): ExtensionCodec {
  const codec = new ExtensionCodec()
  codec.register({
    type: EXT_TIMESTAMP,
    encode: (value) => {
      // It would become the year 1970.
      if (value instanceof Date && Number.isNaN(value.getTime())) throw new TypeError('an invalid date')
      return encodeTimestampExtension(value)
    },
    decode: decodeTimestampExtension,
  })
  return codec
}
