/**
 * The forms of Protocol Buffers that the layer `data` is made of: see dist.proto.
 */

/** Wire types, in the lower three bits of a tag. */
export const DOUBLE = 1
export const LENGTH_DELIMITED = 2

/** `Envelope.data` and `Data.signals`. */
export const DATA_TAG: number = (3 << 3) | LENGTH_DELIMITED
export const SIGNALS_TAG: number = (1 << 3) | LENGTH_DELIMITED

/** Fields of `Signal`. */
export const SEND = 1
export const SEND_NAME = 2
export const SEND_ALIAS = 3
export const EXIT = 4
export const LINK = 5
export const LINK_EXIT = 6
export const UNLINK = 7
export const UNLINK_ACK = 8
export const MONITOR = 9
export const DEMONITOR = 10
export const DOWN = 11
export const SEND_MANY = 12
export const REQUEST = 13
export const ANSWER = 14

/** Bytes that a number takes as a varint. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x200000) return 3
  return value < 0x10000000 ? 4 : 5
}
