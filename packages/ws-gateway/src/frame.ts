/**
 * WebSocket frames from server to client (RFC 6455, section 5.2): whole messages, unmasked, so that one Buffer can go to any number of sockets.
 *
 *   FIN + opcode │ length 7, 7+16 or 7+64 bits │ payload
 */
const TEXT = 0x81
const BINARY = 0x82

/**
 * @param isKept whether it will be kept for long: then it gets memory of its own, since a slice of Node's pool keeps 8 KiB alive
 */
export function frameOf(payload: string | Uint8Array, isKept: boolean): Buffer {
  const isText = typeof payload === 'string'
  const length = isText ? Buffer.byteLength(payload) : payload.length
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = isKept ? Buffer.allocUnsafeSlow(start + length) : Buffer.allocUnsafe(start + length)
  frame[0] = isText ? TEXT : BINARY
  if (start === 2) frame[1] = length
  else if (start === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  // A text of as many bytes as characters is ASCII, which is copied without being looked at.
  if (isText) frame.write(payload, start, length === payload.length ? 'latin1' : 'utf8')
  else frame.set(payload, start)
  return frame
}

/** The payload of a frame that `frameOf` has made. */
export function payloadOf(frame: Buffer): Buffer {
  const length = frame[1] ?? 0
  return frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10)
}
