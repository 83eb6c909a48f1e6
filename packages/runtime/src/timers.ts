/**
 * The timers of one node: a heap by due time behind a single timer of the clock.
 *
 * Most timers are timeouts of calls, which are cancelled a moment later: to start one is a push at the end of the heap, to cancel it a mark. Marked
 * timers are swept when they are more than half of the heap.
 *
 * Invariants: timers fire in the order of their due times, and of their starts if those are equal; never early; a cancelled one never; at most one
 * timer of the clock is armed, for the earliest due time in the heap or before.
 */
import { PidmeshError, shown } from './errors.ts'
import type { Clock, TimerHandle } from './ports.ts'

export interface Timer {
  readonly dueMs: number
  readonly sequence: number
  /** `undefined` once it has fired or been cancelled. */
  fire: (() => void) | undefined
}

/** A heap with fewer cancelled timers than this isn't swept. */
const SWEPT_FROM = 256
/** Timers that may fire before sockets get their turn. */
const FIRED_AT_ONCE = 1_000

export class Timers {
  private readonly clock: Clock
  private heap: Timer[] = []
  private cancelled = 0
  private lastSequence = 0
  private alarm: { readonly atMs: number; readonly handle: TimerHandle } | undefined = undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Timers that have neither fired nor been cancelled. */
  get size(): number {
    return this.heap.length - this.cancelled
  }

  /**
   * Calls `fire` once, `delayMs` from now, never within this call. Delays beyond 2^31 ms are honoured.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if the delay isn't a finite number of milliseconds from 0 on.
   */
  start(delayMs: number, fire: () => void): Timer {
    checkDelay('delayMs', delayMs)
    const timer: Timer = { dueMs: this.clock.monotonicMs() + delayMs, sequence: ++this.lastSequence, fire }
    this.heap.push(timer)
    this.rise(this.heap.length - 1)
    if (timer.dueMs < this.armedMs()) this.arm(timer.dueMs, delayMs)
    return timer
  }

  /** Milliseconds that were left, or `undefined` if it has fired or been cancelled. After it, the timer does not fire. */
  cancel(timer: Timer): number | undefined {
    const leftMs = this.leftMs(timer)
    this.drop(timer)
    return leftMs
  }

  /** As `cancel`, for those who don't care how much was left. */
  drop(timer: Timer): void {
    if (timer.fire === undefined) return
    timer.fire = undefined
    this.cancelled++
    if (this.cancelled >= SWEPT_FROM && this.cancelled * 2 > this.heap.length) this.sweep()
  }

  /** Whole milliseconds left, rounded up, or `undefined` if it has fired or been cancelled. */
  leftMs(timer: Timer): number | undefined {
    return timer.fire === undefined ? undefined : Math.max(0, Math.ceil(timer.dueMs - this.clock.monotonicMs()))
  }

  /** Cancels all. */
  stop(): void {
    for (const timer of this.heap) timer.fire = undefined
    this.heap = []
    this.cancelled = 0
    this.disarm()
  }

  private arm(atMs: number, delayMs: number): void {
    this.disarm()
    this.alarm = { atMs, handle: this.clock.setTimer(delayMs, () => this.ring()) }
  }

  private disarm(): void {
    this.alarm?.handle.cancel()
    this.alarm = undefined
  }

  private ring(): void {
    this.alarm = undefined
    const nowMs = this.clock.monotonicMs()
    try {
      this.fireDue(nowMs)
    } finally {
      this.dropCancelledFirst()
      const next = this.heap[0]
      if (next !== undefined && next.dueMs < this.armedMs()) this.arm(next.dueMs, Math.max(0, next.dueMs - nowMs))
    }
  }

  private fireDue(nowMs: number): void {
    for (let left = FIRED_AT_ONCE; left > 0; left--) {
      const first = this.heap[0]
      if (first === undefined || first.dueMs > nowMs) return
      this.removeFirst()
      const { fire } = first
      first.fire = undefined
      if (fire === undefined) this.cancelled--
      else fire()
    }
  }

  private armedMs(): number {
    return this.alarm?.atMs ?? Infinity
  }

  private dropCancelledFirst(): void {
    while (this.heap[0] !== undefined && this.heap[0].fire === undefined) {
      this.removeFirst()
      this.cancelled--
    }
  }

  private sweep(): void {
    // What is left keeps its order among itself once it is sorted, and a sorted array is a heap.
    this.heap = this.heap.filter((timer) => timer.fire !== undefined).sort(compare)
    this.cancelled = 0
  }

  private removeFirst(): void {
    const last = this.heap.pop()
    if (last === undefined || this.heap.length === 0) return
    this.heap[0] = last
    this.sink(0)
  }

  private rise(index: number): void {
    const { heap } = this
    const timer = heap[index]
    if (timer === undefined) return
    let at = index
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]
      if (parent === undefined || compare(parent, timer) <= 0) break
      heap[at] = parent
      at = parentAt
    }
    heap[at] = timer
  }

  private sink(index: number): void {
    const { heap } = this
    const timer = heap[index]
    if (timer === undefined) return
    let at = index
    for (;;) {
      let childAt = at * 2 + 1
      let child = heap[childAt]
      if (child === undefined) break
      const right = heap[childAt + 1]
      if (right !== undefined && compare(right, child) < 0) {
        child = right
        childAt++
      }
      if (compare(timer, child) <= 0) break
      heap[at] = child
      at = childAt
    }
    heap[at] = timer
  }
}

function compare(a: Timer, b: Timer): number {
  return a.dueMs - b.dueMs || a.sequence - b.sequence
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` if `value` isn't a number of milliseconds from 0 on, or `Infinity`. */
export function checkDuration(name: string, value: number): void {
  if (typeof value !== 'number' || !(value >= 0)) throw badDuration(name, 'a number of milliseconds, 0 or more', value)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` if `value` isn't a finite number of milliseconds from 0 on. */
export function checkDelay(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0) throw badDuration(name, 'a finite number of milliseconds, 0 or more', value)
}

function badDuration(name: string, wanted: string, value: number): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', `${name} must be ${wanted}, not ${shown(value)}`)
}
