/**
 * When a server is dialed again that takes connections and is too slow to greet.
 *
 *   a handshake is broken off ─▶ a pause: longer with each, up to LAST_PAUSE_MS, of random length ─▶ dialed again
 *   one that was begun before that is, too ─▶ the pause stays as it is: ten calls that dialed at once say no more than one
 *   one succeeds ─▶ all is forgotten
 *
 * A server counts handshakes that were broken off, and after `max_connect_errors` of them, 100 if nobody has said otherwise, it lets nobody in from this host until somebody has it flush its hosts. Whom nobody
 * listens to, or can reach, counts nothing, and is dialed at each call.
 */
import { StoreError } from '@pidmesh/via-kit'

const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 15_000

export class DialPause {
  private readonly random: () => number
  private broken = 0
  /** When the first of them was broken off. */
  private sinceMs = 0
  private pauses = 0
  /** When the last pause began. */
  private pausedAtMs = -Infinity
  private untilMs = -Infinity

  /** @param random From 0 to 1 */
  constructor(random: () => number) {
    this.random = random
  }

  /** One at a time is dialed then. */
  get isWary(): boolean {
    return this.broken > 0
  }

  /** @throws StoreError `ERR_STORE_UNAVAILABLE` during a pause */
  check(nowMs: number): void {
    if (nowMs >= this.untilMs) return
    const [since, until] = [nowMs - this.sinceMs, this.untilMs - nowMs].map((ms) => Math.ceil(ms))
    throw new StoreError(
      'ERR_STORE_UNAVAILABLE',
      `it takes connections, and has not greeted in time since ${since} ms, ${this.broken} times: it is dialed again in ${until} ms`,
    )
  }

  /** @param begunMs When the handshake was begun */
  brokenOff(nowMs: number, begunMs: number): void {
    if (this.broken === 0) this.sinceMs = nowMs
    this.broken++
    if (begunMs < this.pausedAtMs) return
    const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** this.pauses, LAST_PAUSE_MS)
    this.pauses++
    this.pausedAtMs = nowMs
    this.untilMs = nowMs + longestMs * (0.5 + this.random() / 2)
  }

  succeeded(): void {
    this.broken = 0
    this.pauses = 0
    this.pausedAtMs = -Infinity
    this.untilMs = -Infinity
  }
}
