import { getHeapStatistics } from 'node:v8'
export type Load = 'ok' | 'refuse' | 'shed'
export interface HeapShares {
  readonly refuse: number
  readonly shed: number
}
export const DEFAULT_HEAP_SHARES: HeapShares = { refuse: 0.85, shed: 0.95 }
export function nextLoad(_load: Load, share: number, { refuse, shed }: HeapShares): Load {
  return share >= shed ? 'shed' : share >= refuse ? 'refuse' : 'ok'
}
export function heapShareOfV8(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  return used / limit
}
