/**
 * Whether the node has room for more sockets, by the share of its heap that is used: a pure state with hysteresis, and the reading.
 *
 *   ok ──refuseAt──▶ refuse ──shedAt──▶ shed            new sockets are refused; then the slowest are closed, too
 *      ◀──────────         ◀──────────                  only once the share is `margin` below the threshold
 *
 * Without the margin a node at the threshold would open and shut its door with each garbage collection.
 */
import { getHeapStatistics } from 'node:v8'

export type Load = 'ok' | 'refuse' | 'shed'

export interface LoadThresholds {
  readonly refuseAt: number
  readonly shedAt: number
  readonly margin: number
}

export const DEFAULT_THRESHOLDS: LoadThresholds = { refuseAt: 0.85, shedAt: 0.95, margin: 0.05 }

/** @param share Used of the limit, from 0 to 1 */
export function nextLoad(load: Load, share: number, thresholds: LoadThresholds = DEFAULT_THRESHOLDS): Load {
  const { refuseAt, shedAt, margin } = thresholds
  if (share >= shedAt || (load === 'shed' && share >= shedAt - margin)) return 'shed'
  if (share >= refuseAt || (load !== 'ok' && share >= refuseAt - margin)) return 'refuse'
  return 'ok'
}

/** Garbage that is not collected yet counts as used. Buffers are outside of this heap, and have limits of their own. */
export function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  return used / limit
}
