/**
 * Who holds all others up: which code ran between two looks at the clock, and for how long.
 *
 *   begin ─▶ note(process, message) ─▶ code runs ─▶ is a look due? ─▶ look ─▶ … ─▶ end
 *
 * A look costs more than to handle a message. So the clock is looked at after every message for the first `SINGLE_LOOKS` of a turn and after a slow one,
 * and after up to `MAX_STRIDE` of them in a long turn of quick ones (docs/adr/0012). What took longer than `longScheduleMs` is reported with its process and
 * message, or with the few processes one of which it was.
 *
 * The code of a plain process runs on in microtasks after the turn in which its receive was resolved. Who that was is kept for the next turn, which comes
 * behind those microtasks.
 */
import type { LongSchedule } from '../observe/reports.ts'
import type { Clock } from '../ports.ts'
import type { Process } from './process.ts'

/** Messages between two looks at the clock, at most. */
const MAX_STRIDE = 32
/** Looks after single messages, at the start of a turn and after a slow message, before the stride doubles. */
const SINGLE_LOOKS = 16
/** Messages that took less than this since the last look are fast. */
const FAST_MS = 0.1

export interface LongScheduleOptions {
  readonly clock: Clock
  /** Milliseconds from which on a run without a pause is reported. */
  readonly longScheduleMs: number
  readonly onLongSchedule: (report: LongSchedule) => void
}

export class LongScheduleWatch {
  private readonly options: LongScheduleOptions
  private readonly clock: Clock
  private lookedAtMs = 0
  private stride = 1
  private singleLooksLeft = SINGLE_LOOKS
  /** Whose code ran since the last look: the first `ranCount`. */
  private readonly ran: (Process | undefined)[] = new Array<undefined>(MAX_STRIDE).fill(undefined)
  private ranCount = 0
  /** What the one of them got, if it is one. To note the message of each would cost a tenth of all. */
  private ranMessage: unknown = undefined
  /** How much of `ran` is in use since the turn began. */
  private ranWidth = 1
  /** Plain processes whose code runs on after this turn, and what they got: the first `resumedCount`, though there may be more. */
  private readonly resumed: (Process | undefined)[] = new Array<undefined>(MAX_STRIDE).fill(undefined)
  private readonly resumedBy: unknown[] = new Array<undefined>(MAX_STRIDE).fill(undefined)
  private resumedCount = 0

  constructor(options: LongScheduleOptions) {
    this.options = options
    this.clock = options.clock
  }

  /** Code of plain processes is to run on in microtasks. */
  get hasResumed(): boolean {
    return this.resumedCount > 0
  }

  get isLookDue(): boolean {
    return this.ranCount >= this.stride
  }

  /** A turn begins; `nowMs` is the clock's time. */
  begin(nowMs: number): void {
    if (this.resumedCount > 0) this.lookAtResumed(nowMs)
    this.lookedAtMs = nowMs
    this.stride = 1
    this.singleLooksLeft = SINGLE_LOOKS
  }

  /** Something is about to run. */
  note(process: Process, message: unknown): void {
    if (this.ranCount === 0) this.ranMessage = message
    this.ran[this.ranCount++] = process
  }

  /** The receive of a plain process has been resolved. */
  noteResumed(process: Process, message: unknown): void {
    const index = this.resumedCount++
    if (index >= MAX_STRIDE) return
    this.resumed[index] = process
    this.resumedBy[index] = message
  }

  /** Looks at the clock, and says what it shows. */
  look(): number {
    const nowMs = this.clock.monotonicMs()
    const tookMs = nowMs - this.lookedAtMs
    if (tookMs >= this.options.longScheduleMs) this.reportRan(tookMs)
    this.ranCount = 0
    this.lookedAtMs = nowMs
    if (tookMs >= FAST_MS) {
      this.stride = 1
      this.singleLooksLeft = SINGLE_LOOKS
    } else if (this.singleLooksLeft > 0) {
      this.singleLooksLeft--
    } else if (this.stride < MAX_STRIDE) {
      this.stride *= 2
      this.ranWidth = Math.max(this.ranWidth, this.stride)
    }
    return nowMs
  }

  /** The turn ends. Nothing that is over is held on to. */
  end(): void {
    if (this.ranCount > 0) this.look()
    for (let index = 0; index < this.ranWidth; index++) this.ran[index] = undefined
    this.ranWidth = 1
    this.ranMessage = undefined
  }

  private reportRan(tookMs: number): void {
    const suspects = new Set<Process>()
    for (const process of this.ran.slice(0, this.ranCount)) if (process !== undefined) suspects.add(process)
    const isKnown = this.ranCount === 1
    this.options.onLongSchedule({
      tookMs,
      suspects: [...suspects].map((process) => (isKnown ? { process, message: this.ranMessage } : { process })),
      others: 0,
    })
  }

  /** The code that the last turn has resumed has run on meanwhile. */
  private lookAtResumed(nowMs: number): void {
    const tookMs = nowMs - this.lookedAtMs
    if (tookMs >= this.options.longScheduleMs) this.reportResumed(tookMs)
    for (let index = 0; index < Math.min(this.resumedCount, MAX_STRIDE); index++) {
      this.resumed[index] = undefined
      this.resumedBy[index] = undefined
    }
    this.resumedCount = 0
  }

  private reportResumed(tookMs: number): void {
    const suspects: { process: Process; message: unknown }[] = []
    for (const [index, process] of this.resumed.entries())
      if (process !== undefined) suspects.push({ process, message: this.resumedBy[index] })
    this.options.onLongSchedule({ tookMs, suspects, others: this.resumedCount - suspects.length })
  }
}
