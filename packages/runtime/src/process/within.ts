/**
 * A promise that isn't waited for longer than so many milliseconds, nor by a process that has ended: for answers that come from outside of processes.
 *
 *   within ── it settles ─▶ value, or its rejection
 *         ├── timer ──────▶ timeout
 *         └── the process ends ─▶ rejects: ProcessExited
 */
import { withItem, withoutItem } from '../few.ts'
import type { Timer, Timers } from '../timers.ts'
import type { ExitHook, Process } from './process.ts'

export type Within<T> = { readonly type: 'value'; readonly value: T } | { readonly type: 'timeout' }

export function within<T>(
  timers: Timers,
  process: Process,
  promise: Promise<T>,
  timeoutMs: number,
): Promise<Within<T>> {
  const waited = new Promise<Within<T>>((resolve, reject) => {
    let timer: Timer | undefined
    const over = (): void => {
      if (timer !== undefined) timers.drop(timer)
      process.exitHooks = withoutItem(process.exitHooks, hook)
    }
    const fail = (error: Error): void => {
      over()
      reject(error)
    }
    const hook: ExitHook = { onExit: fail }
    process.exitHooks = withItem(process.exitHooks, hook)
    if (timeoutMs !== Infinity) {
      timer = timers.start(timeoutMs, () => {
        over()
        resolve({ type: 'timeout' })
      })
    }
    promise.then((value) => {
      over()
      resolve({ type: 'value', value })
    }, fail)
  })
  // As of a request: one who is killed while he waits takes nobody with him.
  waited.catch(() => undefined)
  return waited
}
