/**
 * A message to clients, and its frame in each subprotocol: made once, whoever it goes to.
 */
import type { Codec } from './codec/codec.ts'
import { frameOf } from './frame.ts'

export class Outgoing {
  readonly message: unknown
  /** By codec. `undefined`: it has no form in it. */
  private readonly frames = new Map<Codec, Buffer | undefined>()

  constructor(message: unknown) {
    this.message = message
  }

  frame(codec: Codec): Buffer | undefined {
    if (this.frames.has(codec)) return this.frames.get(codec)
    const frame = encodeFrame(codec, this.message)
    this.frames.set(codec, frame)
    return frame
  }
}

/** The frame of one message; `undefined` if it has no form in the codec. */
export function encodeFrame(codec: Codec, message: unknown): Buffer | undefined {
  const payload = codec.encodeMessage(message)
  // Sessions of the bare protocol keep nothing.
  return payload === undefined ? undefined : frameOf(payload, codec.isBinary, codec.name !== 'bare')
}
