/**
 * Way 1: a location database. A store knows which process has a name; who sends to the name looks there, and then sends to the process.
 *
 *   registerName ─▶ store.put ─▶ held here ─▶ refreshed every third of the ttl, restored if the store has lost it
 *   send ─▶ held here? ─ no ─▶ store.find ─▶ over the mesh, or over the channel of the node that has it
 *   takeover ─▶ store.take ─▶ who had it is told to look again, and gives way
 *
 * Invariants:
 * - The store decides who has a name. A process of this node that has lost it ends with `{ name_conflict: … }`.
 * - A name ends with its process: at once if its node lives, and otherwise when its time is over. Until then it is a ghost, and what is sent to it is lost.
 * - What one process sends to a name goes out in that order.
 * - Nothing waits for the store for longer than its driver lets it, and no more waits than `maxPending`.
 */
import {
  handler,
  hasType,
  Pid,
  PidmeshError,
  TermCodec,
  type ExitReason,
  type NameMeta,
  type Node,
  type SendStatus,
  type TimerHandle,
  type Via,
  type ViaCapabilities,
} from '@pidmesh/runtime'
import { Batches } from './batches.ts'
import { bad, checkMeta, checkName, checkNumber, checkPid } from './checks.ts'
import { Envelopes, type Place } from './envelope.ts'
import { StoreError } from './errors.ts'
import { HeldNames, type Held } from './held-names.ts'
import type { LocationRow, LocationStore, TakenLocation } from './location-store.ts'
import type { MessageBroker } from './message-broker.ts'
import { StoreHealth } from './store-health.ts'

export interface LocationViaOptions {
  readonly store: LocationStore
  /** How a push goes to another node: over the mesh that the nodes make, or over a broker, for nodes that are not connected with each other. @default the mesh */
  readonly channel?: MessageBroker
  /** Names and sends that may wait for the store. @default 10,000 */
  readonly maxPending?: number
  /** The same on all nodes whose names belong together. @default `default` */
  readonly scope?: string
}

export interface LocationStats {
  /** Names of this node. */
  readonly names: number
  /** Calls that wait for the store. */
  readonly pending: number
  /** Names that were given up while it was away, and that are to be given back. */
  readonly unreleased: number
  /** The last call to the store has succeeded. */
  readonly isAvailable: boolean
  readonly storeFailures: number
  readonly sent: number
  /** Sends that were not made: the store or the node was not to be reached, or too many waited. */
  readonly failed: number
  /** Names that were lost to others. */
  readonly lost: number
}

/** A name of this node, as it stands in the store. */
interface Entry extends Held {
  readonly row: LocationRow
}

type Write = 'put' | 'take' | 'release'

/** What one node tells another of a name or a process, over the mesh or a channel. */
type Told =
  | { readonly type: 'taken'; readonly name: string }
  | { readonly type: 'send'; readonly to: Pid; readonly message: unknown }

/** Who has lost a name and lives on is killed after so long: as in the replicated table. */
const LOSER_GRACE_MS = 5_000
/** When the store does not answer it is asked again after so long. */
const RETRY_MS = 1_000
/** Longer ones stand in the row as their hash would; node names are shorter in practice. */
const MAX_OWNER = 200

export class LocationVia implements Via {
  private readonly owner: Node
  private readonly store: LocationStore
  private readonly channel: MessageBroker | undefined
  private readonly scope: string
  private readonly envelopes = new Envelopes()
  private readonly terms = new TermCodec()
  private readonly health: StoreHealth
  private readonly writes: Batches<Write, LocationRow, boolean | TakenLocation | undefined>
  private readonly lookups: Batches<'find', string, Uint8Array | undefined>
  private readonly held: HeldNames<Entry>
  /** Names that were given up while the store was away. */
  private readonly unreleased = new Map<string, LocationRow>()
  private readonly registering = new Set<string>()
  private readonly maxPending: number
  private timer: TimerHandle | undefined = undefined
  private registrar: Pid | undefined = undefined
  private readonly onNodeEnd = (): void => void this.stop()
  private isStopped = false
  private counts = { sent: 0, failed: 0, lost: 0 }

  private constructor(owner: Node, { store, channel, maxPending = 10_000, scope = 'default' }: LocationViaOptions) {
    const { clock } = owner
    this.owner = owner
    this.store = store
    this.channel = channel
    this.scope = scope
    this.maxPending = checkNumber('maxPending', maxPending, 1, 1_000_000)
    this.health = new StoreHealth(owner.log, store.kind)
    this.held = new HeldNames<Entry>(owner.self, ({ row }) => void this.release(row))
    this.writes = new Batches({
      clock,
      batchSize: store.batchSize,
      maxWaiting: maxPending,
      run: (kind, rows) => this.asked(() => this.write(kind, rows)),
    })
    this.lookups = new Batches({
      clock,
      batchSize: store.batchSize,
      maxWaiting: maxPending,
      run: (_kind, names) => this.asked(() => store.find([...new Set(names)])).then((found) => inOrder(names, found)),
    })
  }

  /**
   * Connects with the store. It ends with its node, or with `stop`.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE` if the store can't be reached, `ERR_STORE_UNFIT`; PidmeshError `ERR_BAD_OPTION`
   */
  static async start(node: Node, options: LocationViaOptions): Promise<LocationVia> {
    const names = new LocationVia(node, options)
    try {
      await names.store.start()
      await names.listen()
    } catch (error) {
      await names.stop()
      throw error
    }
    names.refreshAfter(names.refreshMs * node.random.fraction())
    return names
  }

  get capabilities(): ViaCapabilities {
    return {
      resolve: 'store',
      holders: 'one',
      newestWins: true,
      order: 'unless_moved',
      purge: 'ttl',
      knowsAbsence: true,
      reachesPids: this.channel === undefined,
    }
  }

  get stats(): LocationStats {
    const { held, writes, lookups, health, counts } = this
    return {
      names: held.size,
      pending: writes.size + lookups.size,
      unreleased: this.unreleased.size,
      isAvailable: health.isAvailable,
      storeFailures: health.failures,
      ...counts,
    }
  }

  /**
   * @returns `no` if the name is taken, by the same process as well, or the process is dead or not of this node
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; StoreError by rejection, and then it is not registered
   */
  async registerName(name: string, pid: Pid, meta: NameMeta = {}): Promise<'yes' | 'no'> {
    const row = this.checkedRow(name, pid, meta)
    if (this.held.of(name).length > 0 || this.registering.has(name) || !this.held.watch(pid)) return 'no'
    this.registering.add(name)
    try {
      if ((await this.writes.add('put', row)) !== true) return 'no'
      return this.keep({ name, pid, meta, row }) ? 'yes' : 'no'
    } catch (error) {
      // It may have been written all the same.
      this.releaseLater(row)
      throw error
    } finally {
      this.registering.delete(name)
    }
  }

  /** Resolves when the store has it, or can't be reached: then the name is free when its time is over. */
  async unregisterName(name: string, pid?: Pid): Promise<'ok'> {
    for (const { row } of this.held.remove(name, pid)) await this.release(row)
    return 'ok'
  }

  /** Processes of this node only: what other nodes have only the store knows. */
  whereisName(name: string): Pid | undefined {
    return this.held.of(name)[0]?.pid
  }

  /** @throws StoreError by rejection */
  async resolveName(name: string): Promise<Pid | undefined> {
    checkName(name)
    return this.whereisName(name) ?? (await this.find(name))?.pid
  }

  /**
   * What is known with a name, on whatever node.
   * @throws StoreError by rejection
   */
  async lookup(name: string): Promise<Place | undefined> {
    checkName(name)
    return this.held.of(name)[0] ?? this.find(name)
  }

  /**
   * Sends over the mesh, or over the channel of the node that has the name. A message must not be changed until the promise is settled. `noconnection`: the store or that node can't be reached, or too many wait.
   * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`
   */
  async send(name: string, message: unknown): Promise<SendStatus | 'noproc'> {
    checkName(name)
    const here = this.whereisName(name)
    if (here !== undefined && this.lookups.size === 0) return this.sent(this.owner.send(here, message))
    try {
      const place = here === undefined ? await this.find(name) : { pid: here }
      if (place === undefined) return 'noproc'
      return this.sent(await this.deliver(place.pid, message))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return this.sent('noconnection')
    }
  }

  /** @throws StoreError by rejection: then it may have happened, or not */
  async setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'> {
    const [entry] = this.held.of(name)
    if (entry === undefined) return 'error'
    const row = this.checkedRow(name, entry.pid, meta)
    if ((await this.writes.add('put', row)) !== true) {
      this.giveUp(entry)
      return 'error'
    }
    return this.held.find(name, entry.pid) !== undefined && this.keep({ ...entry, meta, row }) ? 'ok' : 'error'
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT`; StoreError by rejection: then it may have happened, or not */
  async takeover(
    name: string,
    pid: Pid,
    { meta = {} }: { readonly meta?: NameMeta } = {},
  ): Promise<number | undefined> {
    const row = this.checkedRow(name, pid, meta)
    if (!this.held.watch(pid)) return undefined
    const taken = await this.writes.add('take', row)
    if (typeof taken !== 'object') return undefined
    for (const entry of this.held.of(name)) if (!entry.pid.equals(pid)) this.giveUp(entry, pid)
    const isKept = this.keep({ name, pid, meta, row })
    const former = taken.former === undefined ? undefined : this.envelopes.readPlace(taken.former)
    // If that fails its next refresh tells it.
    if (former !== undefined && former.pid.node !== this.owner.name)
      await this.tell(former.pid, { type: 'taken', name }).catch(() => undefined)
    return isKept ? taken.epoch : undefined
  }

  /** Gives up all names, and leaves the store. Their processes live on. */
  async stop(): Promise<void> {
    if (this.isStopped) return
    this.isStopped = true
    this.timer?.cancel()
    this.owner.self.signal.removeEventListener('abort', this.onNodeEnd)
    const rows = [...this.held.all()].map(({ row }) => row)
    this.held.clear()
    if (this.registrar !== undefined && !this.owner.isStopping) this.owner.exit(this.registrar, 'shutdown')
    // In batches: with no more than one of them at once, and behind what waits already.
    for (let start = 0; start < rows.length && this.health.isAvailable; start += this.store.batchSize)
      await Promise.all(rows.slice(start, start + this.store.batchSize).map((row) => this.release(row)))
    await this.writes.idle()
    await Promise.allSettled([this.store.stop(), this.channel?.stop()])
  }

  // The store.

  private async write(
    kind: Write,
    rows: readonly LocationRow[],
  ): Promise<readonly (boolean | TakenLocation | undefined)[]> {
    if (kind === 'put') return this.store.put(rows)
    if (kind === 'take') return this.store.take(rows)
    await this.store.release(rows)
    return rows.map(() => undefined)
  }

  private async asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      const answer = await ask()
      this.health.succeeded()
      return answer
    } catch (error) {
      this.health.failed(error)
      throw error instanceof StoreError
        ? error
        : new StoreError('ERR_STORE_UNAVAILABLE', `the driver of ${this.store.kind} has failed`, { cause: error })
    }
  }

  private async find(name: string): Promise<Place | undefined> {
    const bytes = await this.lookups.add('find', name)
    const place = bytes === undefined ? undefined : this.envelopes.readPlace(bytes)
    // What is left of a process of this node that has ended.
    const isOver = place !== undefined && place.pid.node === this.owner.name && !this.owner.isProcessAlive(place.pid)
    return isOver ? undefined : place
  }

  private async release(row: LocationRow): Promise<void> {
    try {
      await this.writes.add('release', row)
    } catch {
      this.releaseLater(row)
    }
  }

  /** When the store is back. What is one too many ends when its time is over. */
  private releaseLater(row: LocationRow): void {
    if (this.unreleased.size < this.maxPending) this.unreleased.set(row.name, row)
  }

  // Names of this node.

  private checkedRow(name: string, pid: Pid, meta: NameMeta): LocationRow {
    checkName(name)
    checkPid(pid)
    checkMeta(meta)
    if (this.isStopped) throw new PidmeshError('ERR_NODE_STOPPED', 'this way of keeping names was stopped')
    const owner = pid.toString()
    if (owner.length > MAX_OWNER) throw bad(`the name of a node is too long for a store: ${owner}`)
    return { name, owner, value: this.envelopes.place({ pid, meta }) }
  }

  /** `false` if the process has ended meanwhile. */
  private keep(entry: Entry): boolean {
    this.unreleased.delete(entry.name)
    if (!this.isStopped && this.held.add(entry)) return true
    void this.release(entry.row)
    return false
  }

  /** Another process has the name. */
  private giveUp({ name, pid }: Entry, winner?: Pid): void {
    if (this.held.remove(name, pid).length === 0) return
    this.counts.lost++
    this.owner.log.info({ name, loser: pid.toString() }, 'another process has the name: the one here gives way')
    const conflict: ExitReason = { name_conflict: { name, winner, policy: 'newest' } }
    this.owner.exit(pid, conflict)
    this.owner.clock.setTimer(LOSER_GRACE_MS, () => {
      if (!this.owner.isStopping) this.owner.exit(pid, 'kill')
    })
  }

  private get refreshMs(): number {
    return this.store.ttlMs / 3
  }

  private refreshAfter(delayMs: number): void {
    if (!this.isStopped) this.timer = this.owner.clock.setTimer(delayMs, () => void this.refresh())
  }

  private async refresh(): Promise<void> {
    let nextMs = this.refreshMs
    try {
      for (const row of this.unreleased.values())
        if (this.held.of(row.name).length > 0) this.unreleased.delete(row.name)
      await this.inBatches([...this.unreleased.values()], async (row) => {
        await this.writes.add('release', row)
        this.unreleased.delete(row.name)
      })
      await this.inBatches([...this.held.all()], (entry) => this.refreshOne(entry))
      await this.store.sweep?.()
    } catch {
      // All from the beginning: the store may have lost what it had.
      nextMs = Math.min(RETRY_MS, this.refreshMs)
    }
    this.refreshAfter(nextMs * (0.9 + 0.2 * this.owner.random.fraction()))
  }

  private async refreshOne(entry: Entry): Promise<void> {
    if (this.held.find(entry.name, entry.pid) !== entry) return
    if ((await this.writes.add('put', entry.row)) === true) return
    // What has come in its place meanwhile is not meant.
    if (this.held.find(entry.name, entry.pid) === entry) this.giveUp(entry)
  }

  /** One batch after the other, so that what comes in between has its turn. */
  private async inBatches<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
    for (let start = 0; start < all.length && !this.isStopped; start += this.store.batchSize)
      await Promise.all(all.slice(start, start + this.store.batchSize).map(each))
  }

  // Other nodes.

  private async listen(): Promise<void> {
    const { owner, channel } = this
    this.registrar = owner.spawn(
      handler(() => (told: unknown) => this.onTold(told)),
      { name: this.registrarName, label: 'names in a store' },
    )
    owner.self.signal.addEventListener('abort', this.onNodeEnd, { once: true })
    if (channel === undefined) return
    await channel.start((bytes) => this.onBytes(bytes))
    await channel.listen(owner.name)
  }

  private get registrarName(): string {
    return `pidmesh_locations:${this.scope}`
  }

  private deliver(to: Pid, message: unknown): SendStatus | Promise<SendStatus> {
    if (this.channel === undefined || to.node === this.owner.name) return this.owner.send(to, message)
    return this.tell(to, { type: 'send', to, message })
  }

  private async tell({ node }: Pid, told: Told): Promise<SendStatus> {
    const { channel } = this
    if (channel === undefined) return this.owner.send({ name: this.registrarName, node }, told)
    const { bytes, start, end } = this.terms.encode(told)
    const listeners = await channel.publish(node, Uint8Array.prototype.slice.call(bytes, start, end))
    return listeners === 0 ? 'noconnection' : 'ok'
  }

  private onBytes(bytes: Uint8Array): void {
    try {
      this.onTold(this.terms.decode({ bytes, start: 0, end: bytes.length }))
    } catch (error) {
      this.owner.log.warn({ problem: String(error) }, 'what has come over the channel of this node can not be read')
    }
  }

  private onTold(told: unknown): void {
    if (hasType(told, 'taken') && 'name' in told && typeof told.name === 'string') {
      for (const entry of this.held.of(told.name)) this.refreshOne(entry).catch(() => undefined)
    } else if (hasType(told, 'send') && 'to' in told && 'message' in told && told.to instanceof Pid) {
      if (told.to.node === this.owner.name) this.owner.send(told.to, told.message)
    }
  }

  private sent(status: SendStatus): SendStatus {
    if (status === 'noconnection') this.counts.failed++
    else this.counts.sent++
    return status
  }
}

/** The answer to each of the names, where each was asked for once. */
function inOrder(
  names: readonly string[],
  found: readonly (Uint8Array | undefined)[],
): readonly (Uint8Array | undefined)[] {
  const asked = [...new Set(names)]
  if (found.length !== asked.length)
    throw new StoreError('ERR_STORE_UNFIT', 'the store has answered less, or more, than it was asked')
  const answers = new Map(asked.map((name, index) => [name, found[index]]))
  return names.map((name) => answers.get(name))
}
