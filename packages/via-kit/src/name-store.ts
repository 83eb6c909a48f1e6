/**
 * What a node asks the store, in batches, and whether that answers.
 *
 *   put, refresh, take, release ─▶ one queue, in order ─▶ store
 *   find ───────────────────────▶ another one ─────────▶ store
 *
 * Invariants: what is asked first is carried out first. Of what others ask no more waits than `maxPending`. What the node itself has to do, refresh and release, always goes: it is bounded by the
 * names that it has.
 */
import { RateLimitedLog, type Clock, type Logger } from '@pidmesh/runtime'
import { Batches } from './batches.ts'
import { StoreError } from './errors.ts'
import type { Answer, LocationRow, LocationStore, TakenLocation } from './location-store.ts'
import { StoreHealth } from './store-health.ts'

type Write = 'put' | 'take' | 'release'
type Written = boolean | TakenLocation | undefined

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
  private readonly store: LocationStore
  private readonly clock: Clock
  private readonly log: RateLimitedLog
  private readonly health: StoreHealth
  private readonly writes: Batches<Write, LocationRow, Written>
  private readonly lookups: Batches<'find', string, Uint8Array | undefined>
  private isClosing = false
  /** It has not answered since it is to be left: nothing more is tried. */
  private isGivenUp = false

  constructor({ store, clock, log, maxPending }: NameStoreOptions) {
    const { ttlMs, batchSize, timeoutMs, kind } = store
    this.store = store
    this.clock = clock
    this.ttlMs = ttlMs
    this.batchSize = batchSize
    this.log = new RateLimitedLog(log, clock)
    this.health = new StoreHealth(log, kind)
    const limits = { clock, batchSize, maxWaiting: maxPending, maxWaitMs: timeoutMs }
    this.writes = new Batches({ ...limits, run: (kind, rows) => this.asked(() => this.write(kind, rows)) })
    this.lookups = new Batches({ ...limits, run: (_kind, names) => this.asked(() => this.findAll(names)) })
  }

  /** Calls that wait. */
  get pending(): number {
    return this.writes.size + this.lookups.size
  }

  /** The last call has succeeded. */
  get isAvailable(): boolean {
    return this.health.isAvailable
  }

  get failures(): number {
    return this.health.failures
  }

  /** @throws StoreError by rejection */
  start(): Promise<void> {
    return this.store.start()
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
    try {
      await this.store.sweep?.()
    } catch (error) {
      this.log.warn({ problem: String(error) }, 'names whose time is over are not removed from the store')
    }
  }

  /** Gives rows back, and leaves the store. What else waits fails. Never rejects. */
  async close(rows: readonly LocationRow[]): Promise<void> {
    this.isClosing = true
    const stopped = new StoreError('ERR_STORE_UNAVAILABLE', 'this way of keeping names was stopped')
    this.writes.reject(stopped, (kind) => kind !== 'release')
    this.lookups.reject(stopped)
    for (const row of rows) this.release(row).catch(() => undefined)
    await Promise.race([this.writes.idle(), this.pass(CLOSE_WITHIN_MS)])
    this.writes.reject(stopped)
    try {
      await this.store.stop()
    } catch (error) {
      this.log.warn({ problem: String(error) }, 'the store of names was not left in order')
    }
  }

  private async write(kind: Write, rows: readonly LocationRow[]): Promise<readonly Answer<Written>[]> {
    if (kind === 'put') return this.store.put(rows)
    if (kind === 'take') return this.store.take(rows)
    await this.store.release(rows)
    return rows.map(() => undefined)
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

  private async asked<T>(ask: () => Promise<readonly Answer<T>[]>): Promise<readonly Answer<T>[]> {
    if (this.isGivenUp) throw new StoreError('ERR_STORE_UNAVAILABLE', `${this.store.kind} did not answer any more`)
    try {
      const answers = await ask()
      const failed = answers.find((answer) => answer instanceof StoreError)
      if (failed === undefined) this.health.succeeded()
      else this.health.failed(failed)
      return answers
    } catch (error) {
      this.isGivenUp = this.isClosing
      this.health.failed(error)
      throw error instanceof StoreError
        ? error
        : new StoreError('ERR_STORE_UNAVAILABLE', `the driver of ${this.store.kind} has failed`, { cause: error })
    }
  }

  private pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(ms, resolve))
  }
}
