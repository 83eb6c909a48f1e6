/**
 * Keeps in one part of the store what this node has there, and nothing else.
 *
 *   round, every third of the ttl ─▶ rows that were to be given back ─▶ names that the node has there, in groups ─▶ sweep
 *   a group has failed ─▶ the others go on; then it is tried in halves: one row that can't be written must not keep the others from it
 *   some have failed, alone or since the store is away ─▶ those once more, soon
 *
 * State: rows that were given up while the store did not answer: they are forgotten when their time is over, since nobody refreshes them. And the names that were not refreshed by the last round.
 * When there is a round, of which names, and how many rows there may be is of name-upkeep.ts.
 */
import { RateLimitedLog, type Clock, type Logger, type Random, type TimerHandle } from '@pidmesh/runtime'
import type { LocationRow } from './location-store.ts'
import type { NameStore } from './name-store.ts'

/** What has failed is tried again after so long. */
const RETRY_MS = 1_000
/** When so many groups have failed, one after the other, the store is away. */
const MAX_FAILED = 4

export interface PartUpkeepOptions<Entry> {
  readonly store: NameStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Of one that has ended meanwhile nothing is written. Rejects if the store doesn't answer. */
  readonly refresh: (entry: Entry) => Promise<void>
}

interface Unreleased {
  readonly row: LocationRow
  readonly untilMs: number
}

export class PartUpkeep<Entry> {
  private readonly options: PartUpkeepOptions<Entry>
  private readonly log: RateLimitedLog
  private unreleased: Unreleased[] = []
  /** Those of them that are just being given back. */
  private releasing: readonly Unreleased[] = []
  /** Names that the last round has not refreshed. */
  private stale: readonly Entry[] = []
  /** Names of a round that has not begun. */
  private due: readonly Entry[] | undefined = undefined
  private timer: TimerHandle | undefined = undefined
  private goesOnMs = Infinity
  private isRunning = false
  /** Rows for which it is just tried, for the first time. */
  private given = 0
  private isStopped = false

  constructor(options: PartUpkeepOptions<Entry>) {
    this.options = options
    this.log = new RateLimitedLog(options.log, options.clock)
  }

  /** Rows that are to be given back. */
  get size(): number {
    return this.unreleased.length + this.releasing.length
  }

  /** Something is to be done, or is being done. */
  get isBusy(): boolean {
    return this.isRunning || this.due !== undefined || this.given > 0 || this.size > 0 || this.stale.length > 0
  }

  /** Refreshes those, and no others from then on: at once, or when what is under way is done. */
  round(entries: readonly Entry[]): void {
    this.due = entries
    this.goOnAt(this.nowMs)
  }

  /** @returns the rows that are still to be given back */
  stop(): readonly LocationRow[] {
    this.isStopped = true
    this.timer?.cancel()
    const rows = [...this.releasing, ...this.unreleased].map(({ row }) => row)
    this.releasing = []
    this.unreleased = []
    return rows
  }

  /** Gives back a row of a name that this node has had: now, or when the store answers again. Resolves when it was tried. Never rejects. */
  async release(row: LocationRow): Promise<void> {
    const untilMs = this.nowMs + this.options.store.ttlMs
    this.given++
    const isReleased = await this.isReleased(row)
    this.given--
    if (!isReleased) this.keep({ row, untilMs })
  }

  /** A row that may have been written, though the store has not said so. */
  releaseLater(row: LocationRow): void {
    this.keep({ row, untilMs: this.nowMs + this.options.store.ttlMs })
  }

  private keep(one: Unreleased): void {
    if (this.isStopped) return
    this.unreleased.push(one)
    this.goOnAt(this.nowMs + this.retryMs)
  }

  private isReleased(row: LocationRow): Promise<boolean> {
    return this.options.store.release(row).then(
      () => true,
      () => false,
    )
  }

  private get nowMs(): number {
    return this.options.clock.monotonicMs()
  }

  private get refreshMs(): number {
    return this.options.store.ttlMs / 3
  }

  private get retryMs(): number {
    return Math.min(RETRY_MS, this.refreshMs)
  }

  /** Not later than that. */
  private goOnAt(atMs: number): void {
    if (this.isStopped || this.isRunning || this.goesOnMs <= atMs) return
    this.timer?.cancel()
    this.goesOnMs = atMs
    this.timer = this.options.clock.setTimer(Math.max(0, atMs - this.nowMs), () => void this.goOn())
  }

  private async goOn(): Promise<void> {
    this.isRunning = true
    this.goesOnMs = Infinity
    const { due } = this
    this.due = undefined
    const startMs = this.nowMs
    await this.releaseAgain()
    await this.refresh(due ?? this.stale)
    if (due !== undefined) await this.endRound(startMs)
    this.isRunning = false
    if (this.due !== undefined) this.goOnAt(this.nowMs)
    else if (this.stale.length > 0 || this.unreleased.length > 0)
      this.goOnAt(this.nowMs + this.retryMs * jitter(this.options.random))
  }

  private async releaseAgain(): Promise<void> {
    this.releasing = this.unreleased.filter(({ untilMs }) => untilMs > this.nowMs)
    this.unreleased = []
    const failed = await this.inGroups(this.releasing, ({ row }) => this.isReleased(row))
    this.releasing = []
    for (const one of failed) this.keep(one)
  }

  private async refresh(entries: readonly Entry[]): Promise<void> {
    this.stale = await this.inGroups(entries, (entry) =>
      this.options.refresh(entry).then(
        () => true,
        () => false,
      ),
    )
  }

  private async endRound(startMs: number): Promise<void> {
    const { store } = this.options
    await store.sweep()
    const tookMs = this.nowMs - startMs
    if (this.stale.length === 0 && tookMs > this.refreshMs)
      this.log.warn(
        { tookMs: Math.round(tookMs), ttlMs: store.ttlMs },
        'the store takes so long that names may end before they are refreshed: give it a longer ttl',
      )
  }

  /** One group after the other, so that what comes in between has its turn. Gives those that have failed. */
  private async inGroups<T>(all: readonly T[], each: (one: T) => Promise<boolean>): Promise<readonly T[]> {
    const { batchSize } = this.options.store
    const groups: (readonly T[])[] = []
    for (let start = 0; start < all.length; start += batchSize) groups.push(all.slice(start, start + batchSize))
    const failed: T[] = []
    let failedInARow = 0
    for (let group = groups.shift(); group !== undefined && !this.isStopped; group = groups.shift()) {
      const done = await Promise.all(group.map(each))
      const lost = group.filter((_, index) => done[index] !== true)
      const isLost = lost.length === group.length
      failedInARow = isLost ? failedInARow + 1 : 0
      if (failedInARow === MAX_FAILED) return [...failed, ...group, ...groups.flat()]
      if (isLost && group.length > 1) groups.push(...halvesOf(group))
      else failed.push(...lost)
    }
    return failed
  }
}

/** So that the nodes of a cluster don't all ask at once. */
export function jitter(random: Random): number {
  return 0.9 + 0.2 * random.fraction()
}

function halvesOf<T>(group: readonly T[]): readonly (readonly T[])[] {
  const middle = group.length >> 1
  return [group.slice(0, middle), group.slice(middle)]
}
