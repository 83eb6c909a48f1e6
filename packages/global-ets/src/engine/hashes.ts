/**
 * Hashes of what a row says, the same on every node: of them the sums are made that nodes compare.
 */
import type { KeyWords } from './key-words.ts'

const FNV_BASIS = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** FNV-1a over code units, and its bits mixed: its lowest alone depend on the lowest of the text alone. */
export function hashOfKey(key: KeyWords): number {
  // The units of a short key are its bytes.
  if (key.isShort) return hashOfBytes(key.bytes, 1, 1 + (key.bytes[0] as number))
  const { text } = key
  let hash = FNV_BASIS
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME)
  return mixed(hash)
}

/** As `hashOfKey`, of bytes. */
export function hashOfBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_BASIS
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), FNV_PRIME)
  return mixed(hash)
}

/** A hash of all that a row says, the same on every node. */
export function hashOfRow(keyHash: number, id: number, epoch: number, metaHash: number): number {
  let hash = Math.imul(keyHash ^ metaHash, 0x9e3779b1)
  hash = Math.imul(hash ^ (id | 0) ^ Math.imul(Math.floor(id / 2 ** 32), 0x85ebca6b), 0xc2b2ae35)
  hash = Math.imul(hash ^ (epoch | 0) ^ Math.imul(Math.floor(epoch / 2 ** 32), 0x27d4eb2f), 0x165667b1)
  return mixed(hash)
}

/** The last step of MurmurHash3 (Appleby): each bit of the input changes each of the output. */
function mixed(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
