/**
 * The longest time for which an event loop did nothing else: a timer of 1 ms that is set anew each time, and how late it came.
 */
const INTERVAL_MS = 1

export class BlockSampler {
  private timer: NodeJS.Timeout
  private dueMs: number
  private longestMs = 0

  constructor() {
    this.dueMs = performance.now() + INTERVAL_MS
    this.timer = setTimeout(() => this.sample(), INTERVAL_MS)
  }

  /** Ends it, and says how late it came at most. What is blocked until now counts. */
  stop(): number {
    clearTimeout(this.timer)
    this.look()
    return this.longestMs
  }

  private sample(): void {
    this.look()
    this.dueMs = performance.now() + INTERVAL_MS
    this.timer = setTimeout(() => this.sample(), INTERVAL_MS)
  }

  private look(): void {
    this.longestMs = Math.max(this.longestMs, performance.now() - this.dueMs)
  }
}
