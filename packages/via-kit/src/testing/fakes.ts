/**
 * A store and a broker in memory, with the faults of real ones: what the ways of keeping names do with them is tested here, and the drivers in their own packages.
 */
import type { Clock } from '@pidmesh/runtime'
import { StoreError } from '../errors.ts'
import type { Answer, LocationRow, LocationStore, TakenLocation } from '../location-store.ts'
import type { MessageBroker, OnMessage } from '../message-broker.ts'

interface Row {
  readonly owner: string
  readonly value: Uint8Array
  readonly epoch: number
  readonly untilMs: number
}

const LATENCY_MS = 1

/** What all drivers of one store share. */
export class FakeServer {
  readonly rows: Map<string, Row> = new Map()
  readonly brokers: Set<FakeBroker> = new Set()
  readonly clock: Clock
  isAway = false
  /** Of a store in parts: whether the one with this name is away. */
  isNameAway: (name: string) => boolean = () => false
  calls = 0
  /** What it was asked since it stands still. */
  private held: (() => unknown)[] | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Everything that it had is lost. */
  lose(): void {
    this.rows.clear()
  }

  rowOf(name: string): Row | undefined {
    const row = this.rows.get(name)
    return row !== undefined && row.untilMs > this.clock.monotonicMs() ? row : undefined
  }

  /** From now on it does nothing, and who asks is told so when its time is over. @returns lets it go on, with all that it was asked meanwhile */
  standStill(): () => void {
    this.held = []
    return () => {
      const held = this.held ?? []
      this.held = undefined
      for (const answer of held) {
        try {
          answer()
        } catch {
          // Nobody waits for it any more.
        }
      }
    }
  }

  async ask<T>(answer: () => T, timeoutMs: number = 1_000): Promise<T> {
    this.calls++
    await this.pass(LATENCY_MS)
    if (this.held !== undefined) {
      this.held.push(answer)
      await this.pass(timeoutMs - LATENCY_MS)
      throw new StoreError('ERR_STORE_UNAVAILABLE', 'the store has not answered in time')
    }
    if (this.isAway) throw new StoreError('ERR_STORE_UNAVAILABLE', 'the store is away')
    const answered = answer()
    await this.pass(LATENCY_MS)
    return answered
  }

  private pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.setTimer(ms, resolve))
  }
}

export class FakeStore implements LocationStore {
  readonly kind = 'memory'
  readonly ttlMs: number = 3_000
  readonly timeoutMs: number = 1_000
  readonly batchSize = 50
  readonly server: FakeServer
  isStopped = false
  private isStarted = false
  sweeps = 0

  constructor(server: FakeServer) {
    this.server = server
  }

  async start(): Promise<void> {
    this.isStarted = started(this.isStarted)
    this.isStopped = false
    await this.server.ask(() => undefined)
  }

  async stop(): Promise<void> {
    this.isStarted = false
    this.isStopped = true
  }

  put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.write(rows, (row) => {
      const known = this.server.rowOf(row.name)
      if (known !== undefined && known.owner !== row.owner) return false
      this.keep(row, known?.epoch ?? 1)
      return true
    })
  }

  take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.write(rows, (row) => {
      const known = this.server.rowOf(row.name)
      const epoch = (known?.epoch ?? 0) + 1
      this.keep(row, epoch)
      return { epoch, former: known === undefined || known.owner === row.owner ? undefined : known.value }
    })
  }

  release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    return this.each(rows, ({ name, owner }) => {
      if (this.server.rows.get(name)?.owner === owner) this.server.rows.delete(name)
      return true as const
    })
  }

  find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    return this.each(
      names.map((name) => ({ name })),
      ({ name }) => this.server.rowOf(name)?.value,
    )
  }

  async sweep(): Promise<number> {
    this.sweeps++
    return 0
  }

  /** Not later than its caller waits for it. */
  private write<T>(rows: readonly LocationRow[], answer: (row: LocationRow) => T): Promise<readonly Answer<T>[]> {
    const { clock } = this.server
    const untilMs = clock.monotonicMs() + this.timeoutMs
    return this.each(rows, (row) => {
      if (clock.monotonicMs() >= untilMs) throw new StoreError('ERR_STORE_UNAVAILABLE', 'it comes too late')
      return answer(row)
    })
  }

  private async each<Row extends { readonly name: string }, T>(
    rows: readonly Row[],
    answer: (row: Row) => T,
  ): Promise<readonly Answer<T>[]> {
    if (rows.length > this.batchSize) throw new Error('more than a batch')
    if (this.isStopped) throw new StoreError('ERR_STORE_UNAVAILABLE', 'the store was left')
    const { server } = this
    const away = new StoreError('ERR_STORE_UNAVAILABLE', 'a part of the store is away')
    return server.ask(() => rows.map((row) => (server.isNameAway(row.name) ? away : answer(row))), this.timeoutMs)
  }

  private keep({ name, owner, value }: LocationRow, epoch: number): void {
    this.server.rows.set(name, { owner, value, epoch, untilMs: this.server.clock.monotonicMs() + this.ttlMs })
  }
}

export class FakeBroker implements MessageBroker {
  readonly kind = 'memory'
  readonly countsListeners: boolean
  readonly channels: Set<string> = new Set()
  private readonly server: FakeServer
  private onMessage: OnMessage = () => undefined
  private isStarted = false

  constructor(server: FakeServer, countsListeners: boolean) {
    this.server = server
    this.countsListeners = countsListeners
  }

  async start(onMessage: OnMessage): Promise<void> {
    this.isStarted = started(this.isStarted)
    this.onMessage = onMessage
    await this.server.ask(() => this.server.brokers.add(this))
  }

  async stop(): Promise<void> {
    this.isStarted = false
    this.server.brokers.delete(this)
  }

  async listen(channel: string): Promise<void> {
    await this.server.ask(() => this.channels.add(channel))
  }

  async unlisten(channel: string): Promise<void> {
    await this.server.ask(() => this.channels.delete(channel))
  }

  publish(channel: string, bytes: Uint8Array): Promise<number | undefined> {
    return this.server.ask(() => {
      const listeners = [...this.server.brokers].filter(
        ({ channels }) => !this.countsListeners || channels.has(channel),
      )
      for (const broker of listeners) broker.onMessage(Uint8Array.from(bytes))
      return this.countsListeners ? listeners.length : undefined
    })
  }
}

/** @throws StoreError `ERR_ALREADY_STARTED`: as with real drivers, one is for one user */
function started(is: boolean): true {
  if (is) throw new StoreError('ERR_ALREADY_STARTED', 'this driver is in use')
  return true
}
