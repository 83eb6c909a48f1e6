/**
 * A clock that stands still until it is told to go on. Timers fire in the order of their due time, and of their making if that is equal.
 *
 * The timers are a heap. A cancelled one stays in it, as a mark, until it would be due: most are.
 */
import type { Clock, TimerHandle } from '../ports.ts'

interface Timer {
  readonly dueMs: number
  readonly sequence: number
  /** `undefined` once it has been cancelled. */
  fire: (() => void) | undefined
}

export class VirtualClock implements Clock {
  private nowMs = 0
  private sequence = 0
  private readonly heap: Timer[] = []
  private readonly wallStartMs: number

  constructor(wallStartMs: number = Date.UTC(2026, 0, 1)) {
    this.wallStartMs = wallStartMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  /** Whole milliseconds, as the system's. */
  wallMs(): number {
    return this.wallStartMs + Math.floor(this.nowMs)
  }

  setTimer(delayMs: number, fire: () => void): TimerHandle {
    const timer: Timer = { dueMs: this.nowMs + delayMs, sequence: ++this.sequence, fire }
    this.push(timer)
    return {
      cancel: () => {
        timer.fire = undefined
      },
    }
  }

  /** Goes on to the next timer if it is due at `limitMs` or before, and fires it. Says whether there was one. */
  fireNext(limitMs: number): boolean {
    for (;;) {
      const [timer] = this.heap
      if (timer === undefined) return false
      const { dueMs, fire } = timer
      if (fire !== undefined && dueMs > limitMs) return false
      this.removeFirst()
      if (fire === undefined) continue
      this.nowMs = Math.max(this.nowMs, dueMs)
      fire()
      return true
    }
  }

  /** Goes on to a moment without firing anything. */
  passTo(ms: number): void {
    this.nowMs = Math.max(this.nowMs, ms)
  }

  private push(timer: Timer): void {
    const { heap } = this
    let at = heap.length
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || isBefore(parent, timer)) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = timer
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = heap[at * 2 + 1]
      if (left === undefined) break
      const right = heap[at * 2 + 2]
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (isBefore(last, child)) break
      heap[at] = child
      at = at * 2 + (isRight ? 2 : 1)
    }
    heap[at] = last
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence)
}
