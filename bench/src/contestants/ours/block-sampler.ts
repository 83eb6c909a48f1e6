/**
 * The longest time for which an event loop did nothing else: a timer of 1 ms that is set anew each time, and how late it came. Without what the operating system
 * let the thread wait for a core: more nodes than cores wait for each other, whatever they are made of.
 */
import { CoreWait } from '../linux.ts'

const INTERVAL_MS = 1

export class BlockSampler {
  private readonly coreWait = new CoreWait()
  private timer: NodeJS.Timeout
  private dueMs = 0
  private waitedMs = 0
  private longestMs = 0

  constructor() {
    this.timer = this.again()
  }

  /** Ends it, and says how late it came at most. What is blocked until now counts. */
  stop(): number {
    clearTimeout(this.timer)
    this.look()
    this.coreWait.close()
    return this.longestMs
  }

  private again(): NodeJS.Timeout {
    this.waitedMs = this.coreWait.ms()
    this.dueMs = performance.now() + INTERVAL_MS
    return setTimeout(() => {
      this.look()
      this.timer = this.again()
    }, INTERVAL_MS)
  }

  private look(): void {
    const lateMs = performance.now() - this.dueMs
    if (lateMs > this.longestMs)
      this.longestMs = Math.max(this.longestMs, lateMs - (this.coreWait.ms() - this.waitedMs))
  }
}
