/**
 * WebSocket frames (RFC 6455) as far as a cheap client needs them: what a server sends is cut into frames, what a client sends is masked with zeros. No
 * fragments, no extensions: the servers that are measured send neither.
 */

export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const

/** Of a frame's `data`, which is lent for the call only, the payload is from `start` up to `end`. */
export type OnFrame = (opcode: number, data: Buffer, start: number, end: number) => void

/** No server sends larger ones here: more is a reader that has lost its place. */
const MAX_PAYLOAD_BYTES = 1024 * 1024

/** Cuts the bytes of one connection into frames. */
export class FrameReader {
  private readonly onFrame: OnFrame
  /** The begin of a frame whose end has not come yet. */
  private rest: Buffer | undefined = undefined

  constructor(onFrame: OnFrame) {
    this.onFrame = onFrame
  }

  /** `chunk` may be used again after this. */
  read(chunk: Buffer): void {
    const data = this.rest === undefined ? chunk : Buffer.concat([this.rest, chunk])
    let at = 0
    while (data.length - at >= 2) {
      const { start, length } = headerAt(data, at)
      if (length > MAX_PAYLOAD_BYTES) throw new Error(`a frame of ${length} bytes`)
      const end = start + length
      if (end > data.length) break
      this.onFrame(data.readUInt8(at) & 0x0f, data, start, end)
      at = end
    }
    this.rest = at === data.length ? undefined : Buffer.from(data.subarray(at))
  }
}

/** A frame with a short payload, as a client sends it: with a mask, of zeros. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  if (payload.length > 125) throw new Error('a client sends short frames only')
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}

/** Where the payload begins, and how long it is; of a header that isn't there as a whole, behind what is there. */
function headerAt(data: Buffer, at: number): { readonly start: number; readonly length: number } {
  const short = data.readUInt8(at + 1) & 0x7f
  if (short < 126) return { start: at + 2, length: short }
  const start = at + (short === 126 ? 4 : 10)
  if (start > data.length) return { start, length: 0 }
  return { start, length: short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2)) }
}
