/**
 * How many restarts there were within the last period: a pure record of when they were. One more than the intensity is too many.
 *
 * A restart that is exactly a period old still counts, as in OTP (which counts in seconds, and here it is milliseconds).
 * Holds `intensity` times that count at most, and no more than as many that don't any more: a restart costs the same, however many there were.
 */
import type { CheckedLimits } from './flags.ts'

export class RestartWindow {
  private readonly limits: CheckedLimits
  /** The oldest first. */
  private restartsMs: number[] = []
  /** Those before it don't count any more. */
  private first = 0

  constructor(limits: CheckedLimits) {
    this.limits = limits
  }

  /** There is to be a restart, at `nowMs`: says whether there may be. */
  add(nowMs: number): boolean {
    const { intensity, periodMs } = this.limits
    while (nowMs > (this.restartsMs[this.first] ?? Infinity) + periodMs) this.first++
    if (this.first * 2 > this.restartsMs.length) {
      this.restartsMs = this.restartsMs.slice(this.first)
      this.first = 0
    }
    if (this.restartsMs.length - this.first >= intensity) return false
    this.restartsMs.push(nowMs)
    return true
  }
}
