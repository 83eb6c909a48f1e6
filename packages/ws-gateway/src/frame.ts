/**
 * WebSocket frames from server to client (RFC 6455, section 5.2): whole messages, unmasked, so that one frame can go to any number of sockets.
 *
 *   FIN + opcode │ length 7, 7+16 or 7+64 bits │ payload
 *
 * Those of a text that isn't long are texts themselves, of a character for each byte: several are one by being added, which makes no copy, and the system's write copies
 * them once. All others are Buffers.
 */
const TEXT = 0x81
const BINARY = 0x82
/** What is longer is kept once, whoever it goes to: each write of a text copies it. */
const MAX_TEXT_BYTES = 4_096
const SHORT = 126
/** What stands before a short text. */
const SHORT_HEADERS: readonly string[] = Array.from({ length: SHORT }, (_, length) =>
  headerOf(TEXT, length).toString('latin1'),
)

/** A text has a character for each byte (latin1). Its `length` is that in bytes in both cases. */
export type Frame = string | Buffer

/**
 * @param isKept whether it will be kept for long: then a Buffer gets memory of its own, since a slice of Node's pool keeps 8 KiB alive
 */
export function frameOf(payload: string | Uint8Array, isKept: boolean): Frame {
  const isText = typeof payload === 'string'
  const length = isText ? Buffer.byteLength(payload) : payload.length
  if (isText && length <= MAX_TEXT_BYTES) {
    const header = SHORT_HEADERS[length] ?? headerOf(TEXT, length).toString('latin1')
    // A text of as many bytes as characters is ASCII, whose bytes are its characters.
    return header + (length === payload.length ? payload : Buffer.from(payload, 'utf8').toString('latin1'))
  }
  const header = headerOf(isText ? TEXT : BINARY, length)
  const start = header.length
  const frame = isKept ? Buffer.allocUnsafeSlow(start + length) : Buffer.allocUnsafe(start + length)
  frame.set(header)
  if (isText) frame.write(payload, start, length === payload.length ? 'latin1' : 'utf8')
  else frame.set(payload, start)
  return frame
}

/** The bytes of a frame. */
export function bytesOf(frame: Frame): Buffer {
  return typeof frame === 'string' ? Buffer.from(frame, 'latin1') : frame
}

/** The payload of a frame that `frameOf` has made. */
export function payloadOf(frame: Frame): Buffer {
  const bytes = bytesOf(frame)
  const length = bytes[1] ?? 0
  return bytes.subarray(length < SHORT ? 2 : length === SHORT ? 4 : 10)
}

/** The bytes of that payload. */
export function payloadLength({ length }: Frame): number {
  return length - (length < SHORT + 2 ? 2 : length < 65_536 + 4 ? 4 : 10)
}

function headerOf(first: number, length: number): Buffer {
  if (length < SHORT) return Buffer.from([first, length])
  const isLong = length >= 65_536
  const header = Buffer.allocUnsafe(isLong ? 10 : 4)
  header[0] = first
  header[1] = isLong ? 127 : SHORT
  if (isLong) header.writeBigUInt64BE(BigInt(length), 2)
  else header.writeUInt16BE(length, 2)
  return header
}
