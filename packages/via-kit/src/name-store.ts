/**
 * What a node asks the store, in batches, and whether that answers.
 *
 *   put, refresh, take, release ─▶ a queue for each part, in order ─▶ store
 *   find ───────────────────────▶ another one for each part ───────▶ store
 *
 * Invariants: what is asked of one part of the store waits for none of the others, and no judgement of one is made for the others. Of one name what is asked first is carried out first. Of what others ask no more waits than `maxPending`. What the node itself has to do, refresh and release, always goes: it is bounded by the
 * names that it has.
 */
import { PidmeshError, RateLimitedLog, type Clock, type Logger } from '@pidmesh/runtime'
import { Batches, WHOLE } from './batches.ts'
import { DriverUse, storeErrorOf } from './driver-use.ts'
import { StoreError } from './errors.ts'
import { inTime, LATE } from './in-time.ts'
import type { Answer, LocationRow, LocationStore, TakenLocation } from './location-store.ts'
import { StoreHealth } from './store-health.ts'

type Write = 'put' | 'take' | 'release'
type Written = boolean | TakenLocation

export interface NameStoreOptions {
  readonly store: LocationStore
  readonly clock: Clock
  readonly log: Logger
  readonly maxPending: number
}

/** So long it is tried to give names back before the store is left. */
const CLOSE_WITHIN_MS = 10_000

export class NameStore {
  readonly ttlMs: number
  readonly batchSize: number
  /** How long a call takes at most. */
  readonly timeoutMs: number
  private readonly store: LocationStore
  private readonly clock: Clock
  private readonly log: RateLimitedLog
  private readonly health: StoreHealth
  private readonly use: DriverUse
  private readonly writes: Batches<Write, LocationRow, Written>
  private readonly lookups: Batches<'find', string, Uint8Array | undefined>
  /** Of rows whose writing has failed: until when it may be carried out yet. The first that is over stands first. */
  private readonly unsure = new Map<string, number>()
  private isClosing = false
  /** Rows that calls are just writing. */
  private readonly underWay = new Set<readonly LocationRow[]>()
  /** Parts that have not answered since the store is to be left: nothing more is tried there. */
  private readonly givenUp = new Set<string>()
  /** Of a store in parts: which one has the name. */
  private readonly partOfName: ((name: string) => string) | undefined

  constructor({ store, clock, log, maxPending }: NameStoreOptions) {
    const { ttlMs, batchSize, timeoutMs, kind } = store
    this.store = store
    this.clock = clock
    this.ttlMs = ttlMs
    this.timeoutMs = timeoutMs
    this.batchSize = batchSize
    this.log = new RateLimitedLog(log, clock)
    this.use = new DriverUse(store, log)
    this.health = new StoreHealth({ clock, log }, 'the store of names', kind)
    this.partOfName = store.partOf === undefined ? undefined : (name) => partIn(store, name)
    const limits = { clock, batchSize, partOf: this.partOfName, maxWaiting: maxPending, maxWaitMs: timeoutMs }
    this.writes = new Batches({
      ...limits,
      keyOf: ({ name }) => name,
      run: (kind, rows, part) => this.asked(part, () => this.write(kind, rows)),
    })
    this.lookups = new Batches({
      ...limits,
      keyOf: (name) => name,
      run: (_kind, names, part) => this.asked(part, () => this.findAll(names)),
    })
  }

  /** Calls that wait. */
  get pending(): number {
    return this.writes.size + this.lookups.size
  }

  get isInParts(): boolean {
    return this.partOfName !== undefined
  }

  /** Which part of the store has the name, as it is now. */
  partOf(name: string): string {
    return this.partOfName?.(name) ?? WHOLE
  }

  /** The last call has succeeded: the last one to each part. */
  get isAvailable(): boolean {
    return this.health.isAvailable
  }

  get failures(): number {
    return this.health.failures
  }

  /** @throws StoreError by rejection */
  start(): Promise<void> {
    return this.use.start(() => this.store.start())
  }

  /** Whether the row is written: `false` if the name is another's. @throws StoreError by rejection; it may be written then, too */
  async put(row: LocationRow): Promise<boolean> {
    return (await this.writes.add('put', row)) === true
  }

  /** As `put`, of a name that this node has. */
  async refresh(row: LocationRow): Promise<boolean> {
    return (await this.writes.add('put', row, 'always')) === true
  }

  /** @throws StoreError by rejection; it may be written then, too */
  async take(row: LocationRow): Promise<TakenLocation> {
    const taken = await this.writes.add('take', row)
    if (typeof taken !== 'object') throw new StoreError('ERR_STORE_UNFIT', 'the store does not say what it has taken')
    return taken
  }

  /** Whether nothing that has failed can be carried out any more: what is given back from now on stays so. */
  isSure({ owner }: LocationRow): boolean {
    return (this.unsure.get(owner) ?? -Infinity) <= this.clock.monotonicMs()
  }

  /** @throws StoreError by rejection */
  async release(row: LocationRow): Promise<void> {
    await this.writes.add('release', row, 'always')
  }

  /** @throws StoreError by rejection */
  find(name: string): Promise<Uint8Array | undefined> {
    return this.lookups.add('find', name)
  }

  /** Has the store remove what is over. Without it nothing but room is lost: it never rejects. */
  async sweep(): Promise<void> {
    if (this.isClosing) return
    try {
      // It must not hold up what is done after it.
      const swept = await inTime(this.clock, 2 * this.timeoutMs, Promise.resolve(this.store.sweep?.()))
      if (swept === LATE) throw new StoreError('ERR_STORE_UNAVAILABLE', 'it takes too long')
    } catch (error) {
      const { message } = storeErrorOf(error, this.store.kind)
      this.log.warn({ problem: message }, 'names whose time is over are not removed from the store')
    }
  }

  /** Gives rows back, and those that are just being written, and leaves the store. What else waits fails. Never rejects. */
  async close(rows: readonly LocationRow[]): Promise<void> {
    this.isClosing = true
    const stopped = new PidmeshError('ERR_NODE_STOPPED', 'this way of keeping names was stopped')
    this.writes.reject(stopped, (kind) => kind !== 'release')
    this.lookups.reject(stopped)
    for (const row of new Set([...rows, ...[...this.underWay].flat()])) this.release(row).catch(() => undefined)
    await inTime(this.clock, CLOSE_WITHIN_MS, this.writes.idle())
    this.writes.reject(stopped)
    await this.use.stop()
  }

  private async write(kind: Write, rows: readonly LocationRow[]): Promise<readonly Answer<Written>[]> {
    if (kind === 'release') return this.store.release(rows)
    this.underWay.add(rows)
    try {
      const answers = await (kind === 'put' ? this.store.put(rows) : this.store.take(rows))
      this.doubt(rows.filter((_, index) => answers[index] instanceof StoreError))
      return answers
    } catch (error) {
      this.doubt(rows)
      throw error
    } finally {
      this.underWay.delete(rows)
    }
  }

  /** A connection may be lost at once, and what was sent over it arrive in the time that the call had. */
  private doubt(rows: readonly LocationRow[]): void {
    const { unsure, timeoutMs } = this
    const nowMs = this.clock.monotonicMs()
    for (const { owner } of rows) {
      unsure.delete(owner)
      unsure.set(owner, nowMs + timeoutMs)
    }
    for (const [owner, untilMs] of unsure) {
      if (untilMs > nowMs) break
      unsure.delete(owner)
    }
  }

  /** Each name is asked for once. */
  private async findAll(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    const asked = [...new Set(names)]
    const found = await this.store.find(asked)
    if (found.length !== asked.length)
      throw new StoreError('ERR_STORE_UNFIT', 'the store has answered less, or more, than it was asked')
    const answers = new Map(asked.map((name, index) => [name, found[index]]))
    return names.map((name) => answers.get(name))
  }

  private async asked<T>(part: string, ask: () => Promise<readonly Answer<T>[]>): Promise<readonly Answer<T>[]> {
    const { store, clock, timeoutMs, health } = this
    if (this.givenUp.has(part)) throw new StoreError('ERR_STORE_UNAVAILABLE', `${store.kind} did not answer any more`)
    const startMs = clock.monotonicMs()
    try {
      // A driver is in time by itself; one that is not must not hold up all others.
      const answers = await inTime(clock, 2 * timeoutMs, ask())
      if (answers === LATE) throw new StoreError('ERR_STORE_UNAVAILABLE', `the driver of ${store.kind} is not in time`)
      const failed = answers.find((answer) => answer instanceof StoreError)
      if (failed === undefined) health.succeeded(part)
      else health.failed(failed, part)
      return answers
    } catch (error) {
      if (this.isClosing && clock.monotonicMs() - startMs >= timeoutMs) this.givenUp.add(part)
      health.failed(error, part)
      throw storeErrorOf(error, store.kind)
    }
  }
}

/** A driver that doesn't know, or fails at it, has one part for all such names: they must not be without upkeep for it. */
function partIn(store: LocationStore, name: string): string {
  try {
    const part: unknown = store.partOf?.(name)
    return typeof part === 'string' ? part : WHOLE
  } catch {
    return WHOLE
  }
}
