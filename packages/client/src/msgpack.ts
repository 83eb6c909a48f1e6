/**
 * MessagePack in binary frames: smaller than JSON, and with bytes (`Uint8Array`) and dates.
 *
 * `undefined` in an object is left out, as in JSON.
 */
import { decode, encode } from '@msgpack/msgpack'
import { notSendable, type Codec } from './codec.ts'

export const msgpack: Codec = {
  subprotocol: 'pidmesh.msgpack.1',
  encode: (message) => {
    if (message === undefined) throw notSendable(undefined)
    try {
      return encode(message, { ignoreUndefined: true })
    } catch (error) {
      // A cycle, a function, a symbol, a BigInt.
      throw notSendable(error)
    }
  },
  frame: (messages) => {
    const parts = [arrayHeader(messages.length), ...(messages as readonly Uint8Array<ArrayBuffer>[])]
    const frame = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      frame.set(part, at)
      at += part.length
    }
    return frame
  },
  control: (control) => encode(control, { ignoreUndefined: true }),
  decode: (data) => decode(new Uint8Array(data as ArrayBuffer)),
}

/** Of an array with less than 65,536 items: a frame has far fewer. */
function arrayHeader(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(length < 16 ? [0x90 | length] : [0xdc, length >> 8, length & 0xff])
}
