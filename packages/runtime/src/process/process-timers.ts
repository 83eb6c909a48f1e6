/**
 * The timers that processes start and know by a reference. A timer to a pid dies with the process; a timer to a name looks the name up when it fires.
 */
import type { Timer, Timers } from '../timers.ts'
import type { Process } from './process.ts'

interface ProcessTimer {
  readonly timer: Timer
  readonly owner: Process | undefined
}

export class ProcessTimers {
  private readonly timers: Timers
  private readonly byRef = new Map<number, ProcessTimer>()

  constructor(timers: Timers) {
    this.timers = timers
  }

  get size(): number {
    return this.byRef.size
  }

  /**
   * Calls `fire` after `delayMs` unless cancelled, or unless `owner` ends first.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if the delay isn't a finite number of milliseconds from 0 on.
   */
  start(refId: number, delayMs: number, owner: Process | undefined, fire: () => void): void {
    const timer = this.timers.start(delayMs, () => {
      this.forget(refId)
      fire()
    })
    this.byRef.set(refId, { timer, owner })
    if (owner !== undefined) (owner.timers ??= new Set()).add(refId)
  }

  /** Milliseconds that were left, or `undefined` if there is no such timer (any more). After it, the timer does not fire. */
  cancel(refId: number): number | undefined {
    const entry = this.byRef.get(refId)
    if (entry === undefined) return undefined
    this.forget(refId)
    return this.timers.cancel(entry.timer)
  }

  /** Milliseconds left, or `undefined` if there is no such timer (any more). */
  read(refId: number): number | undefined {
    const entry = this.byRef.get(refId)
    return entry === undefined ? undefined : this.timers.leftMs(entry.timer)
  }

  /** The process has ended. */
  release(process: Process): void {
    const { timers } = process
    process.timers = undefined
    if (timers !== undefined) for (const refId of timers) this.cancel(refId)
  }

  private forget(refId: number): void {
    this.byRef.get(refId)?.owner?.timers?.delete(refId)
    this.byRef.delete(refId)
  }
}
