/**
 * A discovery that asks again and again: a file, a name server.
 *
 *   start ─▶ watch, ask ──▶ addresses ─▶ found ──▶ after `everyMs`, or soon if the watch tells of a change ─▶ watch, ask …
 *                      ├──▶ 'unsettled' ─▶ asks again soon
 *                      └──▶ fails ─▶ what was found stays
 *
 * Invariants: one question at a time; a failure takes nothing back; the first of a row of failures is logged, and the end of the row, nothing between.
 */
import { assertNever } from '../assert-never.ts'
import { PidmeshError, shown } from '../errors.ts'
import type { LogFields, TimerHandle } from '../ports.ts'
import type { Discovery, DiscoveryContext } from './discovery.ts'

/** After a change was noticed, or half of one was seen. Changes come in bursts. */
const SOON_MS = 100

export type Answer =
  | { readonly type: 'addresses'; readonly addresses: readonly string[] }
  /** What was seen may be half of a change: ask again soon. */
  | { readonly type: 'unsettled' }

/** What is asked, by one node. */
export interface Source {
  /** For log lines. */
  readonly what: LogFields
  /** Pause from an answer to the next question; up to a quarter of it is added or taken off, so that many nodes don't ask in step. */
  readonly everyMs: number
  /** Rejects if it can't be told now. */
  ask(): Promise<Answer>
  /** Calls `wake` when it is worth to ask. Laid anew before each question: what it watches may not have been there, or be another by now. Never throws. */
  watch?(wake: () => void): () => void
  /** Ends a question that is under way. */
  cancel?(): void
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkRefreshMs(refreshMs: number): number {
  if (Number.isFinite(refreshMs) && refreshMs >= SOON_MS) return refreshMs
  throw new PidmeshError(
    'ERR_BAD_OPTION',
    `refreshMs must be a number of milliseconds, ${SOON_MS} or more, not ${shown(refreshMs)}`,
  )
}

/** `open` makes the source that one node asks. */
export function asked(open: (context: DiscoveryContext) => Source): Discovery {
  return {
    start: (found, context) => {
      const asking = new Asking(open(context), found, context)
      asking.ask()
      return () => asking.stop()
    },
  }
}

class Asking {
  private readonly source: Source
  private readonly found: (addresses: readonly string[]) => void
  private readonly context: DiscoveryContext
  private timer: TimerHandle | undefined = undefined
  private unwatch: (() => void) | undefined = undefined
  private isAsking = false
  /** A change was noticed that no question has asked about yet. */
  private isWoken = false
  private isFailing = false
  private stopped = false

  constructor(source: Source, found: (addresses: readonly string[]) => void, context: DiscoveryContext) {
    this.source = source
    this.found = found
    this.context = context
  }

  ask(): void {
    this.isAsking = true
    this.isWoken = false
    this.unwatch?.()
    this.unwatch = this.source.watch?.(() => this.wake())
    this.source.ask().then(
      (answer) => this.onAnswer(answer),
      (error: unknown) => this.onFailure(error),
    )
  }

  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.timer?.cancel()
    this.unwatch?.()
    this.source.cancel?.()
  }

  private wake(): void {
    if (this.stopped || this.isWoken) return
    this.isWoken = true
    if (!this.isAsking) this.askAfter(SOON_MS)
  }

  private onAnswer(answer: Answer): void {
    if (this.stopped) return
    if (this.isFailing) this.context.log.info(this.source.what, 'discovery works again')
    this.isFailing = false
    switch (answer.type) {
      case 'addresses':
        this.askLater()
        this.found(answer.addresses)
        return
      case 'unsettled':
        this.askAfter(SOON_MS)
        return
      default:
        assertNever(answer)
    }
  }

  private onFailure(error: unknown): void {
    if (this.stopped) return
    if (!this.isFailing) {
      const problem = error instanceof Error ? error.message : shown(error)
      this.context.log.warn({ ...this.source.what, problem }, 'discovery fails; what it has found stays')
    }
    this.isFailing = true
    this.askLater()
  }

  private askLater(): void {
    this.askAfter(this.isWoken ? SOON_MS : this.source.everyMs * (0.75 + this.context.random.fraction() / 2))
  }

  private askAfter(delayMs: number): void {
    this.isAsking = false
    this.timer?.cancel()
    this.timer = this.context.clock.setTimer(delayMs, () => this.ask())
  }
}
