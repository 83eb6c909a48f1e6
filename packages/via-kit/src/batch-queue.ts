/**
 * Calls to one part of a store, put together: what is asked while one call is under way goes with the next.
 *
 *   push ─▶ waiting ─▶ one batch at a time, of one kind ─▶ settled
 *              └─ behind one that was settled, and their key has gone to another part ─▶ onGone
 *
 * Invariants: of one key what was asked first is carried out first, so that what one process sends to a name stays in order; the first of all goes with the next batch. None waits for longer than two calls
 * take: what then has not gone along fails. How many may wait is who pushes' business (batches.ts).
 */
import type { Clock } from '@pidmesh/runtime'
import { StoreError } from './errors.ts'

export interface Waiting<Kind, Item, Answer> {
  readonly kind: Kind
  readonly item: Item
  /** When it is too late to carry it out; `Infinity` if it never is. */
  readonly untilMs: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export interface BatchQueueOptions<Kind, Item, Answer> {
  readonly clock: Clock
  readonly batchSize: number
  /** What is to stay in order: items of one key. */
  readonly keyOf: (item: Item) => string
  /** As many answers as items, in their order. An item has failed if a StoreError is in place of its answer. */
  readonly run: (kind: Kind, items: readonly Item[]) => Promise<readonly (Answer | StoreError)[]>
  /** Whether what waits of a key belongs to another queue now. Asked when a call of it was settled, and none is under way. */
  readonly isGone: (key: string) => boolean
  /** It is not here any more. In the order in which it was asked. */
  readonly onGone: (one: Waiting<Kind, Item, Answer>) => void
  /** Nothing waits, and nothing is under way. */
  readonly onIdle: () => void
}

export class BatchQueue<Kind, Item, Answer> {
  private readonly options: BatchQueueOptions<Kind, Item, Answer>
  private waiting: Waiting<Kind, Item, Answer>[] = []
  private isRunning = false
  private readonly idlers: (() => void)[] = []
  /** How many of those that wait may be too late once. */
  patient = 0

  constructor(options: BatchQueueOptions<Kind, Item, Answer>) {
    this.options = options
  }

  /** How many wait. */
  get size(): number {
    return this.waiting.length
  }

  push(one: Waiting<Kind, Item, Answer>): void {
    this.waiting.push(one)
    if (canBeLate(one)) this.patient++
    if (this.isRunning) return
    this.isRunning = true
    // What else is asked in this turn goes along.
    this.options.clock.setTimer(0, () => void this.runAll())
  }

  /** What waits, and is of such a kind, fails. */
  reject(error: Error, isMeant: (kind: Kind) => boolean): void {
    this.rejectThose(error, ({ kind }) => isMeant(kind))
  }

  /** Resolves when nothing waits, and nothing is under way. */
  async idle(): Promise<void> {
    if (this.isRunning) await new Promise<void>((resolve) => this.idlers.push(resolve))
  }

  private async runAll(): Promise<void> {
    while (this.waiting.length > 0) {
      try {
        const batch = this.takeBatch()
        await this.runOne(batch)
        this.passOn([...batch, ...this.rejectLate()])
      } catch (error) {
        // Whoever waits is told, and what comes later goes: a queue that has died would keep all of them waiting for ever.
        this.rejectThose(error, () => true)
      }
    }
    this.isRunning = false
    this.options.onIdle()
    for (const resolve of this.idlers.splice(0)) resolve()
  }

  /** @returns those who were */
  private rejectLate(): readonly Waiting<Kind, Item, Answer>[] {
    const nowMs = this.options.clock.monotonicMs()
    const isLate = ({ untilMs }: { readonly untilMs: number }): boolean => untilMs <= nowMs
    if (!this.waiting.some(isLate)) return []
    return this.rejectThose(new StoreError('ERR_STORE_UNAVAILABLE', 'the store did not come to it in time'), isLate)
  }

  private rejectThose(
    error: unknown,
    isMeant: (one: Waiting<Kind, Item, Answer>) => boolean,
  ): readonly Waiting<Kind, Item, Answer>[] {
    const meant = this.remove(isMeant)
    for (const { reject } of meant) reject(error)
    return meant
  }

  /** All that wait of a key, or none: so they stay in order. */
  private passOn(settled: readonly Waiting<Kind, Item, Answer>[]): void {
    if (this.waiting.length === 0) return
    const { keyOf, isGone, onGone } = this.options
    const gone = new Set(settled.map(({ item }) => keyOf(item)).filter(isGone))
    if (gone.size === 0) return
    for (const one of this.remove(({ item }) => gone.has(keyOf(item)))) onGone(one)
  }

  private remove(isMeant: (one: Waiting<Kind, Item, Answer>) => boolean): readonly Waiting<Kind, Item, Answer>[] {
    const meant = this.waiting.filter(isMeant)
    this.waiting = this.waiting.filter((one) => !isMeant(one))
    this.patient = this.waiting.filter(canBeLate).length
    return meant
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
      if (one.kind === kind && !keys.has(key)) {
        batch.push(one)
        if (canBeLate(one)) this.patient--
      } else {
        passed.push(one)
        keys.add(key)
      }
    }
    // Not by `splice`, which takes no more than some 100,000 at once.
    this.waiting = passed.concat(waiting.slice(end))
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

function canBeLate({ untilMs }: { readonly untilMs: number }): boolean {
  return untilMs !== Infinity
}
