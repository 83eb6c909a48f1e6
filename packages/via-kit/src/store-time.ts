/**
 * What a driver knows of the clock of its store: so it can say in the store's own time until when a call may be carried out.
 *
 *   an answer, with the store's time ─▶ learn ─▶ at(moment): what the clock of the store shows then, or will show, at the least
 *
 * - The store has said its time before it was learned. So its clock is ahead of what is known, by as long as the answer was on its way, and what is said is never later than the moment that is meant.
 * - No two clocks go at the same rate: of each second since it was learned one ms is not counted, which is more than clocks that are kept right differ by. What is a minute old is not known any more.
 * - As long as nothing is known every moment is the year 1970: the store finds that too late, does nothing, and says its time. No question is needed for it. A clock that was put forward is found out in the same way. One that was put back is
 *   not, before the next answer: what is said until then is later by as much.
 */
const PART_COUNTED = 0.999
const MAX_AGE_MS = 60_000

export class StoreTime {
  private storeMs = 0
  private learnedAtMs = -Infinity

  /** @param nowMs Of the clock of this process that never goes back, as all moments here; not earlier than the answer */
  learn(storeMs: number, nowMs: number): void {
    this.storeMs = storeMs
    this.learnedAtMs = nowMs
  }

  /** In ms; 0 if it is not known. */
  at(momentMs: number, nowMs: number): number {
    if (nowMs - this.learnedAtMs > MAX_AGE_MS) return 0
    return this.storeMs + (momentMs - this.learnedAtMs) * PART_COUNTED
  }
}
