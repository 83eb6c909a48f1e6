/**
 * When a client's token expires, and when the client is told so before: once, a minute before, or at half of the time that was left when it came.
 */
const EXPIRING_MS = 60_000

export class TokenExpiry {
  private readonly atMs: number
  private readonly toldBeforeMs: number
  private isTold = false

  /** Both in milliseconds since 1970. */
  constructor(atMs: number, nowMs: number) {
    this.atMs = atMs
    this.toldBeforeMs = Math.min(EXPIRING_MS, this.leftMs(nowMs) / 2)
  }

  leftMs(nowMs: number): number {
    return Math.max(0, Math.round(this.atMs - nowMs))
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.atMs
  }

  /** Whether the client is to be told now. It counts as told then. */
  tellNow(nowMs: number): boolean {
    if (this.isTold || this.atMs - nowMs > this.toldBeforeMs) return false
    this.isTold = true
    return true
  }
}
