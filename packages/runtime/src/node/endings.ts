/**
 * What libraries have to do when a node stops, since they keep something outside of it.
 *
 *   add ─▶ run, once, while processes live ─▶ all have settled, or the time is over
 */
import type { Clock, Logger, TimerHandle } from '../ports.ts'
import { formatReason, reasonOfThrown } from '../reasons.ts'

/** What is done at a node's end has so long. */
const WITHIN_MS = 15_000

export class Endings {
  private readonly clock: Clock
  private readonly log: Logger
  private readonly all = new Set<() => Promise<unknown>>()

  constructor(clock: Clock, log: Logger) {
    this.clock = clock
    this.log = log
  }

  /** @returns what takes it back */
  add(end: () => Promise<unknown>): () => void {
    // Its own, also if the same function is given twice.
    const ending = (): Promise<unknown> => end()
    this.all.add(ending)
    return () => void this.all.delete(ending)
  }

  /** Never rejects. */
  async run(): Promise<void> {
    if (this.all.size === 0) return
    const ended = Promise.all([...this.all].map((end) => this.settled(end)))
    let timer: TimerHandle | undefined
    const late = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(WITHIN_MS, () => {
        this.log.error({ afterMs: WITHIN_MS }, 'what was to be done at the end of the node is not done')
        resolve()
      })
    })
    await Promise.race([ended, late])
    timer?.cancel()
  }

  private async settled(end: () => Promise<unknown>): Promise<void> {
    try {
      await end()
    } catch (thrown) {
      const reason = formatReason(reasonOfThrown(thrown))
      this.log.error({ reason }, 'what was to be done at the end of the node has failed')
    }
  }
}
