/**
 * What is to be done when a node stops: trees of processes are stopped, and libraries end what they keep outside of it.
 *
 *   add ─▶ run, once ─▶ all have settled, or the time is over
 */
import type { Clock, Logger, TimerHandle } from '../ports.ts'
import { formatReason, reasonOfThrown } from '../reasons.ts'

export interface EndingsOptions {
  readonly clock: Clock
  readonly log: Logger
  /** One after the other, the one that was added last first; or all at once. */
  readonly order: 'last_first' | 'together'
  /** What they are, for the log. */
  readonly what: string
}

export class Endings {
  private readonly options: EndingsOptions
  private readonly all = new Set<() => Promise<unknown>>()

  constructor(options: EndingsOptions) {
    this.options = options
  }

  get size(): number {
    return this.all.size
  }

  /** @returns what takes it back */
  add(end: () => Promise<unknown>): () => void {
    // Its own, also if the same function is given twice.
    const ending = (): Promise<unknown> => end()
    this.all.add(ending)
    return () => void this.all.delete(ending)
  }

  /** Never rejects. What is still to be done after so many milliseconds is left. */
  async run(timeoutMs: number): Promise<void> {
    if (this.size === 0) return
    const { clock, log, order, what } = this.options
    let isLate = false
    const ended =
      order === 'together'
        ? Promise.all([...this.all].map((end) => this.settled(end)))
        : this.oneAfterTheOther(() => isLate)
    let timer: TimerHandle | undefined
    const late = new Promise<void>((resolve) => {
      if (timeoutMs === Infinity) return
      timer = clock.setTimer(timeoutMs, () => {
        isLate = true
        log.error({ afterMs: timeoutMs }, `${what}: not done in time`)
        resolve()
      })
    })
    await Promise.race([ended, late])
    timer?.cancel()
  }

  /** Those that are added meanwhile, too. */
  private async oneAfterTheOther(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const end = [...this.all].at(-1)
      if (end === undefined) return
      this.all.delete(end)
      await this.settled(end)
    }
  }

  private async settled(end: () => Promise<unknown>): Promise<void> {
    try {
      await end()
    } catch (thrown) {
      const { log, what } = this.options
      log.error({ reason: formatReason(reasonOfThrown(thrown)) }, `${what}: one has failed`)
    }
  }
}
