/**
 * Keeps in the store what this node has, and nothing else.
 *
 *   every third of the ttl, from the begin of one round to the next ─▶ rows that were to be given back ─▶ names that the node has, in batches ─▶ sweep
 *   a batch has failed ─▶ the others go on, and the next round comes soon
 *
 * State: rows that were given up while the store did not answer: names that the node has had, and as many as `maxPending` that it may have got without hearing of it. They are forgotten when their time is
 * over: nobody refreshes them.
 */
import { RateLimitedLog, type Clock, type Logger, type Random, type TimerHandle } from '@pidmesh/runtime'
import type { LocationRow } from './location-store.ts'
import type { NameStore } from './name-store.ts'

/** When the store has not answered it is asked again after so long. */
const RETRY_MS = 1_000

export interface UpkeepOptions<Entry> {
  readonly store: NameStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Rows that are kept to be given back though this node has never had the name for sure. One more stands until its time is over. */
  readonly maxPending: number
  readonly held: () => Iterable<Entry>
  /** Rejects if the store doesn't answer. */
  readonly refresh: (entry: Entry) => Promise<void>
}

interface Unreleased {
  readonly row: LocationRow
  readonly untilMs: number
}

export class NameUpkeep<Entry> {
  private readonly options: UpkeepOptions<Entry>
  private readonly log: RateLimitedLog
  /** By name: mostly one. */
  private readonly unreleased = new Map<string, readonly Unreleased[]>()
  private count = 0
  private timer: TimerHandle | undefined = undefined
  private isStopped = false

  constructor(options: UpkeepOptions<Entry>) {
    this.options = options
    this.log = new RateLimitedLog(options.log, options.clock)
  }

  /** Rows that are to be given back. */
  get size(): number {
    return this.count
  }

  start(): void {
    this.roundAfter(this.refreshMs * this.options.random.fraction())
  }

  stop(): void {
    this.isStopped = true
    this.timer?.cancel()
    this.unreleased.clear()
    this.count = 0
  }

  /** Gives back a row of a name that this node has had: now, or when the store answers again. Says whether it was now. Never rejects. */
  async release(row: LocationRow, untilMs: number = this.nowMs + this.options.store.ttlMs): Promise<boolean> {
    try {
      await this.options.store.release(row)
      return true
    } catch {
      this.keep({ row, untilMs })
      return false
    }
  }

  /** A row that may have been written, though the store has not said so. */
  releaseLater(row: LocationRow): void {
    if (this.count < this.options.maxPending) this.keep({ row, untilMs: this.nowMs + this.options.store.ttlMs })
  }

  /** Gives back what is left of a name on this node, before what is asked next. */
  releaseLeftOf(name: string): void {
    for (const one of this.unreleased.get(name) ?? []) void this.releaseAgain(one)
  }

  private keep(one: Unreleased): void {
    if (this.isStopped) return
    const { name } = one.row
    this.unreleased.set(name, [...(this.unreleased.get(name) ?? []), one])
    this.count++
  }

  /** `false` if it was not there any more. */
  private forget(one: Unreleased): boolean {
    const { name } = one.row
    const all = this.unreleased.get(name) ?? []
    const left = all.filter((other) => other !== one)
    if (left.length === all.length) return false
    if (left.length === 0) this.unreleased.delete(name)
    else this.unreleased.set(name, left)
    this.count--
    return true
  }

  /** Says whether nothing is left of it. */
  private releaseAgain(one: Unreleased): Promise<boolean> {
    const { row, untilMs } = one
    // What was asked for meanwhile, as somebody wanted the name, is under way.
    if (!this.forget(one) || untilMs <= this.nowMs) return Promise.resolve(true)
    return this.release(row, untilMs)
  }

  private get nowMs(): number {
    return this.options.clock.monotonicMs()
  }

  private get refreshMs(): number {
    return this.options.store.ttlMs / 3
  }

  private roundAfter(delayMs: number): void {
    if (!this.isStopped) this.timer = this.options.clock.setTimer(delayMs, () => void this.round())
  }

  private async round(): Promise<void> {
    const { store, random, held, refresh } = this.options
    const startMs = this.nowMs
    const areReleased = await this.inBatches([...this.unreleased.values()].flat(), (one) => this.releaseAgain(one))
    const areFresh = await this.inBatches([...held()], (entry) =>
      refresh(entry).then(
        () => true,
        () => false,
      ),
    )
    await store.sweep()
    const tookMs = this.nowMs - startMs
    if (areFresh && tookMs > this.refreshMs)
      this.log.warn(
        { tookMs: Math.round(tookMs), ttlMs: store.ttlMs },
        'the store takes so long that names may end before they are refreshed: give it a longer ttl',
      )
    const pauseMs = areReleased && areFresh ? this.refreshMs - tookMs : Math.min(RETRY_MS, this.refreshMs)
    this.roundAfter(Math.max(pauseMs, this.refreshMs / 10) * (0.9 + 0.2 * random.fraction()))
  }

  /** One batch after the other, so that what comes in between has its turn. Says whether all have succeeded. */
  private async inBatches<T>(all: readonly T[], each: (one: T) => Promise<boolean>): Promise<boolean> {
    const { batchSize } = this.options.store
    let haveAll = true
    for (let start = 0; start < all.length && !this.isStopped; start += batchSize) {
      const done = await Promise.all(all.slice(start, start + batchSize).map(each))
      haveAll &&= done.every((isDone) => isDone)
    }
    return haveAll
  }
}
