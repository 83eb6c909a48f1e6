/**
 * Calls to a store, put together: what is asked while one call is under way goes with the next.
 *
 *   add ─▶ waiting ─▶ one batch at a time, of one kind ─▶ settled
 *
 * Invariants: of one key what was asked first is carried out first, so that what one process sends to a name stays in order; the first of all goes with the next batch. No more wait than may, and none for longer than two calls take: what then has not gone along fails.
 */
import type { Clock } from '@pidmesh/runtime'
import { StoreError } from './errors.ts'

interface Waiting<Kind, Item, Answer> {
  readonly kind: Kind
  readonly item: Item
  /** When it is too late to carry it out. */
  readonly untilMs: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export interface BatchesOptions<Kind, Item, Answer> {
  readonly clock: Clock
  readonly batchSize: number
  /** What is to stay in order: items of one key. */
  readonly keyOf: (item: Item) => string
  readonly maxWaiting: number
  /** Who has waited for so long does not go with the next call. */
  readonly maxWaitMs: number
  /** As many answers as items, in their order. An item has failed if a StoreError is in place of its answer. */
  readonly run: (kind: Kind, items: readonly Item[]) => Promise<readonly (Answer | StoreError)[]>
}

export class Batches<Kind, Item, Answer> {
  private readonly options: BatchesOptions<Kind, Item, Answer>
  private waiting: Waiting<Kind, Item, Answer>[] = []
  private isRunning = false
  private readonly onIdle: (() => void)[] = []

  constructor(options: BatchesOptions<Kind, Item, Answer>) {
    this.options = options
  }

  /** How many wait. */
  get size(): number {
    return this.waiting.length
  }

  /**
   * `always`: also if more waits than may, and however late, as its caller bounds it.
   * @throws StoreError by rejection: `ERR_STORE_OVERLOADED`, `ERR_STORE_UNAVAILABLE` if its turn did not come in time; what `run` throws
   */
  add(kind: Kind, item: Item, when?: 'always'): Promise<Answer> {
    const { clock, maxWaiting, maxWaitMs } = this.options
    if (when !== 'always' && this.waiting.length >= maxWaiting)
      return Promise.reject(new StoreError('ERR_STORE_OVERLOADED', `more than ${maxWaiting} calls wait for the store`))
    const untilMs = when === 'always' ? Infinity : clock.monotonicMs() + maxWaitMs
    return new Promise((resolve, reject) => {
      this.waiting.push({ kind, item, untilMs, resolve, reject })
      if (this.isRunning) return
      this.isRunning = true
      // What else is asked in this turn goes along.
      clock.setTimer(0, () => void this.runAll())
    })
  }

  /** What waits, and is of such a kind, fails. */
  reject(error: Error, isMeant: (kind: Kind) => boolean = () => true): void {
    const { waiting } = this
    this.waiting = waiting.filter(({ kind }) => !isMeant(kind))
    for (const { kind, reject } of waiting) if (isMeant(kind)) reject(error)
  }

  /** Resolves when nothing waits, and nothing is under way. */
  async idle(): Promise<void> {
    if (this.isRunning) await new Promise<void>((resolve) => this.onIdle.push(resolve))
  }

  private async runAll(): Promise<void> {
    while (this.waiting.length > 0) {
      await this.runOne(this.takeBatch())
      this.rejectLate()
    }
    this.isRunning = false
    for (const resolve of this.onIdle.splice(0)) resolve()
  }

  private rejectLate(): void {
    const nowMs = this.options.clock.monotonicMs()
    const isLate = ({ untilMs }: { readonly untilMs: number }): boolean => untilMs <= nowMs
    if (!this.waiting.some(isLate)) return
    const late = this.waiting.filter(isLate)
    this.waiting = this.waiting.filter((one) => !isLate(one))
    const error = new StoreError('ERR_STORE_UNAVAILABLE', 'the store did not come to it in time')
    for (const { reject } of late) reject(error)
  }

  /** As many of the first one's kind as may go, but for those that stand behind others of their key. */
  private takeBatch(): readonly Waiting<Kind, Item, Answer>[] {
    const { waiting, options } = this
    const kind = waiting[0]?.kind
    const batch: Waiting<Kind, Item, Answer>[] = []
    const passed: Waiting<Kind, Item, Answer>[] = []
    const keys = new Set<string>()
    let end = 0
    for (; end < waiting.length && batch.length < options.batchSize; end++) {
      const one = waiting[end] as Waiting<Kind, Item, Answer>
      const key = options.keyOf(one.item)
      if (one.kind === kind && !keys.has(key)) batch.push(one)
      else {
        passed.push(one)
        keys.add(key)
      }
    }
    waiting.splice(0, end, ...passed)
    return batch
  }

  private async runOne(batch: readonly Waiting<Kind, Item, Answer>[]): Promise<void> {
    const [first] = batch
    if (first === undefined) return
    try {
      const answers = await this.options.run(
        first.kind,
        batch.map(({ item }) => item),
      )
      batch.forEach(({ resolve, reject }, index) => {
        const answer =
          index < answers.length
            ? (answers[index] as Answer | StoreError)
            : new StoreError('ERR_STORE_UNFIT', 'the store has answered less than it was asked')
        if (answer instanceof StoreError) reject(answer)
        else resolve(answer)
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}
