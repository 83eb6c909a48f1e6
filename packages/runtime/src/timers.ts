/**
 * The timers of one node. A timer to a pid dies with the process; a timer to a name looks the name up when it fires.
 */
import { PidmeshError } from './errors.ts'
import type { Clock, TimerHandle } from './ports.ts'
import type { Process } from './process/process.ts'

interface Timer {
  readonly handle: TimerHandle
  readonly dueMs: number
  readonly owner: Process | undefined
}

export class Timers {
  private readonly clock: Clock
  private readonly timers = new Map<number, Timer>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  get size(): number {
    return this.timers.size
  }

  /**
   * Calls `fire` after `delayMs` unless cancelled, or unless `owner` ends first.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if the delay isn't a number of milliseconds from 0 on.
   */
  start(id: number, delayMs: number, owner: Process | undefined, fire: () => void): void {
    checkDuration('delayMs', delayMs)
    const handle = this.clock.setTimer(delayMs, () => {
      this.forget(id)
      fire()
    })
    this.timers.set(id, { handle, dueMs: this.clock.monotonicMs() + delayMs, owner })
    if (owner !== undefined) (owner.timers ??= new Set()).add(id)
  }

  /** Milliseconds that were left, or `undefined` if there is no such timer (any more). After it, the timer's message does not arrive. */
  cancel(id: number): number | undefined {
    const leftMs = this.read(id)
    this.timers.get(id)?.handle.cancel()
    this.forget(id)
    return leftMs
  }

  /** Milliseconds left, or `undefined` if there is no such timer (any more). */
  read(id: number): number | undefined {
    const timer = this.timers.get(id)
    return timer === undefined ? undefined : Math.max(0, timer.dueMs - this.clock.monotonicMs())
  }

  /** The process has ended. */
  release(process: Process): void {
    if (process.timers === undefined) return
    for (const id of [...process.timers]) this.cancel(id)
    process.timers = undefined
  }

  stop(): void {
    for (const id of [...this.timers.keys()]) this.cancel(id)
  }

  private forget(id: number): void {
    this.timers.get(id)?.owner?.timers?.delete(id)
    this.timers.delete(id)
  }
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` if `value` isn't a number of milliseconds from 0 on. */
export function checkDuration(name: string, value: number): void {
  if (typeof value !== 'number' || !(value >= 0)) {
    throw new PidmeshError(
      'ERR_BAD_ARGUMENT',
      `${name} must be a number of milliseconds, 0 or more, not ${String(value)}`,
    )
  }
}
