/**
 * How many restarts there were within the last period: a pure record of when they were. One more than the intensity is too many.
 *
 * A restart that is exactly a period old still counts, as in OTP (which counts in seconds, and here it is milliseconds).
 * Holds `intensity` times at most.
 */
import type { RestartLimits } from './flags.ts'

export class RestartWindow {
  private readonly limits: Required<RestartLimits>
  /** The oldest first. */
  private restartsMs: number[] = []

  constructor(limits: Required<RestartLimits>) {
    this.limits = limits
  }

  /** There is to be a restart, at `nowMs`: says whether there may be. */
  add(nowMs: number): boolean {
    const { intensity, periodMs } = this.limits
    this.restartsMs = this.restartsMs.filter((thenMs) => nowMs <= thenMs + periodMs)
    if (this.restartsMs.length >= intensity) return false
    this.restartsMs.push(nowMs)
    return true
  }
}
