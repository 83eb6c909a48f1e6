/**
 * Names in keys and channels.
 *
 * Two names never become the same key: lone surrogates, which have no UTF-8, are written out. And no name has a hash tag: `{` is written out, too, so that a name does not
 * choose its place in a cluster. A prefix may: `{pidmesh}:` puts everything on one node.
 */

/** ASCII. What is usual in names stays as it is, so that a human finds them in Redis. */
export function encodeName(name: string): string {
  if (/^[\w:./@-]*$/.test(name)) return name
  return Array.from(name, encodeCharacter).join('')
}

function encodeCharacter(character: string): string {
  if (/[\w:./@-]/.test(character)) return character
  if (/\p{Surrogate}/u.test(character)) return `%u${character.charCodeAt(0).toString(16).toUpperCase()}`
  return encodeURIComponent(character)
}

const SLOTS = 16_384

/** The slot of a key or channel. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model */
export function slotOf(key: string): number {
  const from = key.indexOf('{')
  const to = from < 0 ? -1 : key.indexOf('}', from)
  return crc16(Buffer.from(to > from + 1 ? key.slice(from + 1, to) : key)) % SLOTS
}

/** CRC-16/XMODEM. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) & 0xff_ff) ^ (CRC_OF_BYTE[(crc >> 8) ^ byte] ?? 0)
  return crc
}

/** What each byte adds. */
const CRC_OF_BYTE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x80_00 ? 0x10_21 : 0)) & 0xff_ff
  return crc
})
