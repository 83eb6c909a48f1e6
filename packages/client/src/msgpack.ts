/**
 * MessagePack in binary frames: smaller than JSON, and with bytes (`Uint8Array`) and dates.
 *
 * `undefined` in an object is left out, as in JSON.
 */
import { decode, encode } from '@msgpack/msgpack'
import { notSendable, type Codec } from './codec.ts'

/** What the gateway takes: docs/gateway-protocol.md. */
const MAX_LEVELS = 64
/** Has no form in UTF-8. JSON has one for it. */
const LONE_SURROGATE = /\p{Surrogate}/u

export const msgpack: Codec = {
  subprotocol: 'pidmesh.msgpack.1',
  encode: (message) => {
    if (message === undefined || !isTaken(message, MAX_LEVELS)) throw notSendable(undefined)
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

/** The gateway would close for good, or get something else: a Date that is none is 1970 in MessagePack. */
function isTaken(value: unknown, levels: number): boolean {
  if (typeof value === 'string') return !LONE_SURROGATE.test(value)
  if (value instanceof Date) return !Number.isNaN(value.getTime())
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true
  if (levels === 0) return false
  const parts: readonly (readonly [string, unknown])[] = Object.entries(value)
  return parts.every(([key, part]) => key !== '__proto__' && isTaken(key, 0) && isTaken(part, levels - 1))
}

/** Of an array with less than 65,536 items: a frame has far fewer. */
function arrayHeader(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(length < 16 ? [0x90 | length] : [0xdc, length >> 8, length & 0xff])
}
