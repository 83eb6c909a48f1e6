/**
 * Which partition a channel is in: the same one on every node, and for good, as what is in one partition is in order.
 */

/** FNV-1a of the channel's UTF-8, and mixed, so that names that differ at their end only are spread as well. */
export function partitionOf(channel: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(channel)) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions
}
