/**
 * A message to clients, and its frame in each subprotocol: made once, whoever it goes to.
 */
import type { Codec } from './codec/codec.ts'
import { frameOf, type Frame } from './frame.ts'

export class Outgoing {
  readonly message: unknown
  /** The first codec that asked, which is the only one for most messages. */
  private codec: Codec | undefined = undefined
  private first: Frame | undefined = undefined
  private others: Map<Codec, Frame | undefined> | undefined = undefined

  constructor(message: unknown) {
    this.message = message
  }

  /** `undefined`: it has no form in the codec. */
  frame(codec: Codec): Frame | undefined {
    if (this.codec === codec) return this.first
    if (this.codec === undefined) {
      this.codec = codec
      this.first = encodeFrame(codec, this.message)
      return this.first
    }
    this.others ??= new Map()
    if (!this.others.has(codec)) this.others.set(codec, encodeFrame(codec, this.message))
    return this.others.get(codec)
  }
}

/** The frame of one message; `undefined` if it has no form in the codec. */
export function encodeFrame(codec: Codec, message: unknown): Frame | undefined {
  const payload = codec.encodeMessage(message)
  // Sessions of the bare protocol keep nothing.
  return payload === undefined ? undefined : frameOf(payload, codec.name !== 'bare')
}
