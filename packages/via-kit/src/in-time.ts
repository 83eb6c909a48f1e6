/**
 * What is waited for, and not for ever.
 */
import type { Clock, TimerHandle } from '@pidmesh/runtime'

/** It has not come in time. It may come later. */
export const LATE: unique symbol = Symbol('late')

/** What the promise comes to, or `LATE` after so long. */
export async function inTime<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | typeof LATE> {
  let timer: TimerHandle | undefined
  const late = new Promise<typeof LATE>((resolve) => {
    timer = clock.setTimer(ms, () => resolve(LATE))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    timer?.cancel()
  }
}
