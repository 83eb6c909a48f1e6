/**
 * A clock that stands still until it is told to go on. Timers fire in the order of their due time, and of their making if that is equal.
 *
 * The timers are a heap. A cancelled one, as most are in the end, stays in it as a mark until it would be due, or until the marks are more than half of it.
 */
import type { Clock, TimerHandle } from '../ports.ts'

interface Timer {
  readonly dueMs: number
  readonly sequence: number
  /** `undefined` once it has fired or been cancelled. */
  fire: (() => void) | undefined
}

/** A heap with fewer marks than this isn't swept. */
const SWEPT_FROM = 256

export class VirtualClock implements Clock {
  private nowMs = 0
  private sequence = 0
  private heap: Timer[] = []
  private marks = 0
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
        if (timer.fire === undefined) return
        timer.fire = undefined
        this.marks++
        if (this.marks >= SWEPT_FROM && this.marks * 2 > this.heap.length) this.sweep()
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
      if (fire === undefined) {
        this.marks--
        continue
      }
      timer.fire = undefined
      this.nowMs = Math.max(this.nowMs, dueMs)
      fire()
      return true
    }
  }

  /** Goes on to a moment without firing anything. */
  passTo(ms: number): void {
    this.nowMs = Math.max(this.nowMs, ms)
  }

  private sweep(): void {
    // A sorted array is a heap.
    this.heap = this.heap.filter(({ fire }) => fire !== undefined).sort((a, b) => (isBefore(a, b) ? -1 : 1))
    this.marks = 0
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
