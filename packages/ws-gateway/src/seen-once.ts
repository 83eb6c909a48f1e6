/**
 * Which keys have been seen before, for a while: bounded in time and number.
 */
const MAX_KEYS = 4_096

export class SeenOnce {
  private readonly untilMs: number
  private readonly keys: Set<string>

  constructor(untilMs: number, seen: readonly string[] = []) {
    this.untilMs = untilMs
    this.keys = new Set(seen.slice(-MAX_KEYS))
  }

  all(nowMs: number): readonly string[] {
    return nowMs >= this.untilMs ? [] : [...this.keys]
  }

  /** Whether it has been seen. After the time is over nothing has. */
  isAgain(key: string, nowMs: number): boolean {
    if (nowMs >= this.untilMs) {
      this.keys.clear()
      return false
    }
    if (this.keys.has(key)) return true
    if (this.keys.size >= MAX_KEYS) {
      const [oldest] = this.keys
      if (oldest !== undefined) this.keys.delete(oldest)
    }
    this.keys.add(key)
    return false
  }
}
