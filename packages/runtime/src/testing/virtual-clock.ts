/**
 * A clock that stands still until it is told to go on. Timers fire in the order of their due time, and of their making if that is equal.
 */
import type { Clock, TimerHandle } from '../ports.ts'

interface Timer {
  readonly dueMs: number
  readonly sequence: number
  readonly fire: () => void
}

export class VirtualClock implements Clock {
  private nowMs = 0
  private sequence = 0
  private timers: Timer[] = []
  private readonly wallStartMs: number

  constructor(wallStartMs: number = Date.UTC(2026, 0, 1)) {
    this.wallStartMs = wallStartMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  wallMs(): number {
    return this.wallStartMs + this.nowMs
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timer: Timer = { dueMs: this.nowMs + delayMs, sequence: ++this.sequence, fire }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer)
      },
    }
  }

  /** Goes on to the next timer if it is due at `limitMs` or before, and fires it. Says whether there was one. */
  fireNext(limitMs: number): boolean {
    const timer = this.next()
    if (timer === undefined || timer.dueMs > limitMs) return false
    this.timers = this.timers.filter((other) => other !== timer)
    this.nowMs = Math.max(this.nowMs, timer.dueMs)
    timer.fire()
    return true
  }

  /** Goes on to a moment without firing anything. */
  passTo(ms: number): void {
    this.nowMs = Math.max(this.nowMs, ms)
  }

  private next(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.timers) {
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.sequence < first.sequence)
      )
        first = timer
    }
    return first
  }
}
