/**
 * Whether two nodes take turns: one asks, the other answers, and so on, one after the other. Then what comes next is so near that a node that goes to sleep is woken later than it comes: it does
 * better to wait for it awake, as `+sbwt` of `erl` does.
 *
 *   sent ─▶ some turns were taken ─▶ wait awake, for SOON_MS at most ─┬─ arrived ─▶ worth it
 *                                                                    └─ nothing has come: in vain ─▶ too often: sleep for some turns, each time for more
 *
 * Who only sends, or only receives, takes no turns. Pure: says when to wait, and doesn't.
 */

/** A turn is taken when something arrives so soon after something was sent. So long a node waits awake. */
const SOON_MS = 0.4
/** Turns that are taken asleep before the first wait, and after waits in vain; these, when they go on, four times as many each time. */
const FEWEST_TURNS = 16
const MOST_TURNS = 2_048
/** A wait in vain takes the credit of so many that were worth it: it costs the core up to SOON_MS, and they save a tenth of that each. */
const COST = 16
const FIRST_CREDIT = 32
const MOST_CREDIT = 128

export class TurnTaking {
  /** Something was sent, and nothing has arrived since. */
  private isSent = false
  private sentAtMs = 0
  private isAwake = false
  /** Turns to be taken asleep from now on. */
  private left = FEWEST_TURNS
  private credit = FIRST_CREDIT
  /** Turns to be taken asleep when the credit is used up. */
  private next = FEWEST_TURNS

  /** Says until when to wait awake; `undefined` for not at all, or no longer than was said. */
  sent(nowMs: number): number | undefined {
    if (this.isSent) {
      if (nowMs - this.sentAtMs <= SOON_MS) return undefined
      this.end(false)
    }
    this.isSent = true
    this.sentAtMs = nowMs
    this.isAwake = this.left === 0
    return this.isAwake ? nowMs + SOON_MS : undefined
  }

  /** Says whether that was waited for awake. */
  arrived(nowMs: number): boolean {
    if (!this.isSent) return false
    this.isSent = false
    const { isAwake } = this
    this.end(nowMs - this.sentAtMs <= SOON_MS)
    return isAwake
  }

  private end(isTurn: boolean): void {
    if (!this.isAwake) {
      this.left = isTurn ? Math.max(0, this.left - 1) : Math.max(this.left, FEWEST_TURNS)
    } else if (isTurn) {
      this.credit = Math.min(this.credit + 1, MOST_CREDIT)
      if (this.credit === MOST_CREDIT) this.next = FEWEST_TURNS
    } else {
      this.credit -= COST
      if (this.credit < 0) this.rest()
    }
  }

  private rest(): void {
    this.credit = FIRST_CREDIT
    this.left = this.next
    this.next = Math.min(this.next * 4, MOST_TURNS)
  }
}
