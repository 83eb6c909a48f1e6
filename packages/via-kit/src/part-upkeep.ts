/**
 * Keeps in one part of the store what this node has there, and nothing else.
 *
 *   round, every third of the ttl ─▶ rows that were to be given back ─▶ names that the node has there, in groups ─▶ sweep
 *   a group has failed ─▶ the others go on; then it is tried in parts: one row that can't be written must not keep the others from it
 *   some have failed, alone or since the store is away ─▶ those once more, soon, behind those of which nothing is known, and with no more others than may be
 *
 * State: rows that were given up while the store did not answer, or when a call of theirs that had failed could still be carried out; then they are given back again until it can't. They are forgotten when their time is over, since nobody refreshes them. And the names that were not refreshed by the last round.
 * When there is a round, of which names, and how many rows there may be is of name-upkeep.ts.
 */
import { RateLimitedLog, type Clock, type Logger, type Random, type TimerHandle } from '@pidmesh/runtime'
import type { LocationRow } from './location-store.ts'
import type { NameStore } from './name-store.ts'

/** What has failed is tried again after so long. */
const RETRY_MS = 1_000
/** When so many groups have failed, one after the other, the store may be away: it is asked. */
const MAX_FAILED = 4
/** A group that has failed is tried in so many parts. */
const PARTS = 8
/** When so many have failed in all, the rest is left for later. */
const MAX_FAILED_OF_ALL = 64

interface Named {
  readonly name: string
}

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

export class PartUpkeep<Entry extends Named> {
  private readonly options: PartUpkeepOptions<Entry>
  private readonly log: RateLimitedLog
  private unreleased: Unreleased[] = []
  /** Those of them that are just being given back. */
  private releasing: readonly Unreleased[] = []
  /** Names that the last round has not refreshed. */
  private stale: readonly Entry[] = []
  /** Names that have failed: with how many they are tried again, until they have succeeded. Those that were tried last stand last. */
  private readonly limits = new Map<string, number>()
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
    const isReleased = await this.isReleased({ row, untilMs })
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

  private async isReleased({ row, untilMs }: Unreleased): Promise<boolean> {
    const { store } = this.options
    const wasSure = store.isSure(row)
    try {
      await store.release(row)
    } catch {
      return false
    }
    // A call that was under way already, before which nothing is given back, may have failed only since.
    if (!wasSure || !store.isSure(row)) this.keep({ row, untilMs })
    return true
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
    const rows = this.releasing.map(({ row, untilMs }) => ({ name: row.name, row, untilMs }))
    const failed = await this.inGroups(rows, new Map(), (one) => this.isReleased(one))
    this.releasing = []
    for (const { row, untilMs } of failed) this.keep({ row, untilMs })
  }

  private async refresh(entries: readonly Entry[]): Promise<void> {
    const { limits } = this
    if (limits.size > 0) {
      const names = new Set(entries.map(({ name }) => name))
      for (const name of limits.keys()) if (!names.has(name)) limits.delete(name)
    }
    this.stale = await this.inGroups(entries, limits, (entry) =>
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

  /**
   * One group after the other, so that what comes in between has its turn: those first of which nothing is known. What has failed is tried in parts, and for no longer than a third of
   * the ttl: names that can be refreshed are waiting for their next round.
   * @param limits Of how many a name may be tried with, where that is known; it is known better afterwards
   * @returns those that have failed, or were not tried
   */
  private async inGroups<T extends Named>(
    all: readonly T[],
    limits: Map<string, number>,
    each: (one: T) => Promise<boolean>,
  ): Promise<readonly T[]> {
    const { batchSize } = this.options.store
    const wholes = groupsOf(
      all.filter(({ name }) => !limits.has(name)),
      batchSize,
    )
    const parts = partsOf(all, limits)
    const failed: T[] = []
    const endMs = this.nowMs + this.refreshMs
    let failures = 0
    let inARow = 0
    /** That have failed since the store has last done anything: while it is away that says nothing of them. */
    let unsure: (readonly T[])[] = []
    const limitThose = (): void => {
      for (const group of unsure) limit(limits, group)
      unsure = []
    }
    for (;;) {
      const group = wholes.shift() ?? (this.nowMs < endMs ? parts.shift() : undefined)
      if (group === undefined || this.isStopped) break
      const done = await Promise.all(group.map(each))
      const lost = group.filter((_, index) => done[index] !== true)
      if (lost.length < group.length) {
        limitThose()
        for (const { name } of group) limits.delete(name)
        failed.push(...lost)
        inARow = 0
        continue
      }
      unsure.push(group)
      if (group.length > 1) parts.push(...groupsOf(group, partOf(group)))
      else failed.push(...group)
      if (++failures === MAX_FAILED_OF_ALL) break
      if (++inARow % MAX_FAILED > 0) continue
      if (!(await this.answers(group))) break
      limitThose()
    }
    if (unsure.length > 0 && !this.isStopped && (await this.answers(unsure[0] ?? []))) limitThose()
    return [...failed, ...[...wholes, ...parts].flat()]
  }

  /** Whether the store answers a question, where it has not written. */
  private async answers([one]: readonly Named[]): Promise<boolean> {
    if (one === undefined) return true
    try {
      await this.options.store.find(one.name)
      return true
    } catch {
      return false
    }
  }
}

/** So that the nodes of a cluster don't all ask at once. */
export function jitter(random: Random): number {
  return 0.9 + 0.2 * random.fraction()
}

/** How many of a group that has failed are tried together the next time. */
function partOf(group: readonly unknown[]): number {
  return Math.ceil(group.length / PARTS)
}

/** They stand behind those that were not tried for longer. */
function limit(limits: Map<string, number>, group: readonly Named[]): void {
  for (const { name } of group) {
    limits.delete(name)
    limits.set(name, partOf(group))
  }
}

/** Those that are limited: with others of the same limit, the largest first, and of those who have waited longest. */
function partsOf<T extends Named>(all: readonly T[], limits: ReadonlyMap<string, number>): (readonly T[])[] {
  const order = new Map([...limits.keys()].map((name, index) => [name, index]))
  const limited = all.filter(({ name }) => limits.has(name))
  limited.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0))
  const ofLimit = (limit: number): readonly T[] => limited.filter(({ name }) => limits.get(name) === limit)
  return [...new Set(limits.values())].toSorted((a, b) => b - a).flatMap((limit) => groupsOf(ofLimit(limit), limit))
}

function groupsOf<T>(all: readonly T[], size: number): (readonly T[])[] {
  const groups: (readonly T[])[] = []
  for (let start = 0; start < all.length; start += size) groups.push(all.slice(start, start + size))
  return groups
}
