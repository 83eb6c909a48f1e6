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
 * - No more waits for the store than `maxPending`; and no call for longer than two take.
 *
 * Not here: what the store is asked and how (name-store.ts), which rows of it are this node's (own-rows.ts), what is refreshed and given back when (name-upkeep.ts, part-upkeep.ts), how nodes reach each other
 * (node-channel.ts).
 */
import {
  PidmeshError,
  RateLimitedLog,
  type ExitReason,
  type NameMeta,
  type Node,
  type Pid,
  type SendStatus,
  type TimerHandle,
  type Via,
  type ViaCapabilities,
} from '@pidmesh/runtime'
import {
  checkBroker,
  checkName,
  checkNumber,
  checkOptions,
  checkPid,
  checkScope,
  checkStore,
  checkTakeover,
} from './checks.ts'
import { Envelopes, type Place } from './envelope.ts'
import { StoreError } from './errors.ts'
import { HeldNames, type Held } from './held-names.ts'
import { inTime } from './in-time.ts'
import type { LocationRow, LocationStore } from './location-store.ts'
import type { MessageBroker } from './message-broker.ts'
import { NameStore } from './name-store.ts'
import { NameUpkeep } from './name-upkeep.ts'
import { NodeChannel } from './node-channel.ts'
import { OwnRows } from './own-rows.ts'

export interface LocationViaOptions {
  readonly store: LocationStore
  /** How a push goes to another node: over the mesh that the nodes make, or over a broker, for nodes that are not connected with each other. @default the mesh */
  readonly channel?: MessageBroker | undefined
  /** Calls of others that may wait for the store: one more is refused. Of a store in parts each takes half of what is left of it at most. @default 10,000 */
  readonly maxPending?: number | undefined
  /** The same on all nodes whose names belong together; a node takes part in a scope once. What nodes tell each other is separate, the rows of a store are not: give it another prefix or table. @default `default` */
  readonly scope?: string | undefined
}

export interface LocationStats {
  /** Names of this node. */
  readonly names: number
  /** Calls that wait for the store. */
  readonly pending: number
  /** Names that were given up while it was away, and that are to be given back. */
  readonly unreleased: number
  /** The last call to the store has succeeded; of a store in parts, the last one to each. */
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

/** One that is under way. */
interface Registration {
  readonly pid: Pid
  /** Until the name is unregistered meanwhile. */
  isWanted: boolean
  /** Another node has said meanwhile that it has taken the name: perhaps after this was written, and before its answer has come. */
  isDoubted: boolean
}

interface Takeover extends Registration {
  /** The process has had the name before, and its metadata was changed since. */
  isChanged: boolean
}

/** Who has lost a name and lives on is killed after so long: as in the replicated table. */
const LOSER_GRACE_MS = 5_000
const OPTIONS = ['store', 'channel', 'maxPending', 'scope'] as const satisfies readonly (keyof LocationViaOptions)[]

export class LocationVia implements Via {
  private readonly owner: Node
  private readonly isOverMesh: boolean
  private readonly log: RateLimitedLog
  private readonly envelopes = new Envelopes()
  private readonly store: NameStore
  private readonly rows: OwnRows
  private readonly upkeep: NameUpkeep<Entry>
  private readonly channel: NodeChannel
  private readonly held: HeldNames<Entry>
  private readonly registering = new Map<string, Registration>()
  private readonly taking = new Map<string, Set<Takeover>>()
  /** Names of which another node has said that they may be another's: they are looked up, each once at a time. `again`: it has said so since. */
  private readonly lookedUp = new Map<string, 'once' | 'again'>()
  /** Of losers that have not ended yet. */
  private readonly kills = new Set<TimerHandle>()
  private forgetEnd: () => void = () => undefined
  private stopping: Promise<void> | undefined = undefined
  private counts = { sent: 0, failed: 0, lost: 0 }

  private constructor(owner: Node, options: LocationViaOptions) {
    checkOptions(options, OPTIONS)
    const { store, channel: broker, maxPending = 10_000, scope = 'default' } = options
    checkStore(store)
    if (broker !== undefined) checkBroker('channel', broker)
    checkNumber('maxPending', maxPending, 1, 1_000_000)
    checkScope(scope)
    const { clock, random, log } = owner
    this.owner = owner
    this.isOverMesh = broker === undefined
    this.log = new RateLimitedLog(log, clock)
    this.store = new NameStore({ store, clock, log, maxPending })
    this.held = new HeldNames<Entry>(owner.self, ({ row }) => void this.upkeep.release(row))
    this.rows = new OwnRows({
      owner,
      store: this.store,
      envelopes: this.envelopes,
      isHeld: (name, holder) => this.held.of(name).some(({ row }) => row.owner === holder),
    })
    this.upkeep = new NameUpkeep<Entry>({
      store: this.store,
      clock,
      random,
      log,
      maxPending,
      held: () => this.held.all(),
      refresh: (entry) => this.refresh(entry),
    })
    this.channel = new NodeChannel({ owner, scope, broker, onTaken: (name) => this.onTaken(name) })
  }

  /**
   * Connects with the store. It ends with its node, which gives all names back before its `stop` resolves, or with `stop`.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE` if the store can't be reached, `ERR_STORE_UNFIT`, `ERR_ALREADY_STARTED` if the node has one of this scope, or the driver is in use; PidmeshError
   * `ERR_BAD_OPTION`, `ERR_NODE_STOPPED`
   */
  static async start(node: Node, options: LocationViaOptions): Promise<LocationVia> {
    const names = new LocationVia(node, options)
    await names.startOnce()
    return names
  }

  private async startOnce(): Promise<void> {
    try {
      this.channel.open()
      await this.store.start()
      await this.channel.start()
      this.forgetEnd = this.owner.onStop(() => this.stop())
    } catch (error) {
      await this.stop()
      throw error
    }
    this.upkeep.start()
  }

  get capabilities(): ViaCapabilities {
    return {
      resolve: 'store',
      holders: 'one',
      newestWins: true,
      order: 'unless_moved',
      purge: 'ttl',
      knowsAbsence: true,
      reachesPids: this.isOverMesh,
    }
  }

  get stats(): LocationStats {
    const { held, store, upkeep, counts } = this
    return {
      names: held.size,
      pending: store.pending,
      unreleased: upkeep.size,
      isAvailable: store.isAvailable,
      storeFailures: store.failures,
      ...counts,
    }
  }

  /**
   * @returns `no` if the name is taken, by the same process as well, or the process is dead or not of this node
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; StoreError by rejection, and then it is not registered
   */
  async registerName(name: string, pid: Pid, given: NameMeta = {}): Promise<'yes' | 'no'> {
    const meta = this.check(name, pid, given)
    if (this.held.of(name).length > 0 || this.registering.has(name) || !this.held.watch(pid)) return 'no'
    const row = this.rows.make(name, { pid, meta })
    const registration = { pid, isWanted: true, isDoubted: false }
    this.registering.set(name, registration)
    try {
      if ((await this.rows.put(row)) !== 'ours') return 'no'
      if (registration.isWanted) return this.keep({ name, pid, meta, row }, registration) ? 'yes' : 'no'
      void this.upkeep.release(row)
      return 'no'
    } catch (error) {
      // It may have been written all the same.
      this.upkeep.releaseLater(row)
      throw error
    } finally {
      this.registering.delete(name)
    }
  }

  /**
   * Resolves when the store has it, or does not answer in time: it is told later then, as long as the name's time isn't over. A registration that is under way comes to nothing: it is
   * answered with `no`; and so does a takeover, with `undefined`.
   */
  async unregisterName(name: string, pid?: Pid): Promise<'ok'> {
    const registration = this.registering.get(name)
    if (registration !== undefined && (pid === undefined || registration.pid.equals(pid))) registration.isWanted = false
    for (const takeover of this.takeovers(name, pid)) takeover.isWanted = false
    const released = this.held.remove(name, pid).map(({ row }) => this.upkeep.release(row))
    await inTime(this.owner.clock, 2 * this.store.timeoutMs, Promise.all(released))
    return 'ok'
  }

  /** Processes of this node only: what other nodes have only the store knows. */
  whereisName(name: string): Pid | undefined {
    return this.held.of(name)[0]?.pid
  }

  /** @throws StoreError by rejection */
  async resolveName(name: string): Promise<Pid | undefined> {
    this.checkName(name)
    return this.whereisName(name) ?? (await this.rows.find(name))?.pid
  }

  /**
   * What is known with a name, on whatever node.
   * @throws StoreError by rejection
   */
  async lookup(name: string): Promise<Place | undefined> {
    this.checkName(name)
    const [here] = this.held.of(name)
    return here === undefined ? this.rows.find(name) : { pid: here.pid, meta: here.meta }
  }

  /**
   * Sends over the mesh, or over the channel of the node that has the name. A message must not be changed until the promise is settled. `noconnection`: the store or that node can't be reached, or too many wait.
   * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`, and `ERR_MESSAGE_TOO_LARGE` if it goes to another node
   */
  async send(name: string, message: unknown): Promise<SendStatus | 'noproc'> {
    this.checkName(name)
    const here = this.whereisName(name)
    if (here !== undefined) return this.sent(this.owner.send(here, message))
    try {
      const place = await this.rows.find(name)
      return place === undefined ? 'noproc' : this.sent(await this.channel.send(place.pid, message))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return this.sent('noconnection')
    }
  }

  /** @throws StoreError by rejection: then it is made up by the next refresh, if the name is still this node's */
  async setMeta(name: string, given: NameMeta): Promise<'ok' | 'error'> {
    const [entry] = this.held.of(name)
    if (entry === undefined) return 'error'
    const { pid, row } = entry
    const meta = this.check(name, pid, given)
    // A refresh that is asked for from now on writes the new metadata, too.
    const changed = { ...entry, meta, row: this.rows.make(name, { pid, meta }, row.owner) }
    if (!this.held.add(changed)) return 'error'
    for (const takeover of this.takeovers(name, pid)) takeover.isChanged = true
    const written = await this.rows.put(changed.row, () => this.isHeld(changed))
    if (written === 'others' && this.isHeld(changed)) this.giveUp(changed)
    return written === 'ours' ? 'ok' : 'error'
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT`; StoreError by rejection: then it may have happened for a moment, or not */
  async takeover(
    name: string,
    pid: Pid,
    options: { readonly meta?: NameMeta | undefined } = {},
  ): Promise<number | undefined> {
    checkTakeover(options)
    const meta = this.check(name, pid, options.meta ?? {})
    if (!this.held.watch(pid)) return undefined
    const own = this.held.find(name, pid)
    const row = this.rows.make(name, { pid, meta }, own?.row.owner)
    const takeover = { pid, isWanted: true, isDoubted: false, isChanged: false }
    const all = this.taking.get(name) ?? new Set()
    this.taking.set(name, all.add(takeover))
    try {
      const { epoch, former } = await this.rows.take(row)
      if (!takeover.isWanted) return void this.giveBack(row, former)
      for (const entry of this.held.of(name)) if (!entry.pid.equals(pid)) this.giveUp(entry, pid)
      const taken = { name, pid, meta, row }
      const isKept = this.keep(takeover.isChanged ? this.changed(taken) : taken, takeover)
      if (former !== undefined) this.tellTaken(former, name)
      return isKept ? epoch : undefined
    } catch (error) {
      if (own === undefined || !takeover.isWanted) this.upkeep.releaseLater(row)
      throw error
    } finally {
      all.delete(takeover)
      if (all.size === 0) this.taking.delete(name)
    }
  }

  /** Gives up all names, and leaves the store. Their processes live on. Resolves when the store has been told, at most 10 s later. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  private async stopOnce(): Promise<void> {
    this.forgetEnd()
    const rows = [...this.held.all()].map(({ row }) => row)
    this.held.clear()
    for (const kill of this.kills) kill.cancel()
    const unreleased = this.upkeep.stop()
    await Promise.all([this.store.close([...rows, ...unreleased]), this.channel.stop()])
  }

  // Names of this node.

  private checkName(name: unknown): asserts name is string {
    checkName(name)
    if (this.stopping !== undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'this way of keeping names was stopped')
  }

  /** @returns the metadata as it is kept */
  private check(name: string, pid: Pid, meta: NameMeta): NameMeta {
    this.checkName(name)
    checkPid(pid)
    return this.envelopes.meta(meta)
  }

  /** `false` if the process has ended meanwhile. */
  private keep(entry: Entry, { isDoubted }: Registration): boolean {
    if (this.stopping !== undefined || !this.held.add(entry)) {
      void this.upkeep.release(entry.row)
      return false
    }
    if (isDoubted) this.onTaken(entry.name)
    return true
  }

  /** Those that are under way, by all processes or by one. */
  private takeovers(name: string, pid?: Pid): readonly Takeover[] {
    return [...(this.taking.get(name) ?? [])].filter((takeover) => pid === undefined || takeover.pid.equals(pid))
  }

  /** With the metadata that the process has given its name since, which the store has been told after the takeover. */
  private changed(taken: Entry): Entry {
    const { name, pid, row } = taken
    const meta = this.held.find(name, pid)?.meta ?? taken.meta
    return { name, pid, meta, row: this.rows.make(name, { pid, meta }, row.owner) }
  }

  /** A takeover was called off. Who had the name looks again when it is free, and has it as before. */
  private async giveBack(row: LocationRow, former: Place | undefined): Promise<void> {
    await this.upkeep.release(row)
    this.onTaken(row.name)
    if (former !== undefined) this.tellTaken(former, row.name)
  }

  private isHeld(entry: Entry): boolean {
    return this.held.find(entry.name, entry.pid) === entry
  }

  /** Another process has the name. */
  private giveUp({ name, pid }: Entry, winner?: Pid): void {
    if (this.held.remove(name, pid).length === 0) return
    const { owner, kills } = this
    this.counts.lost++
    this.log.info({ name, loser: pid.toString() }, 'another process has the name: the one here gives way')
    const conflict: ExitReason = { name_conflict: { name, winner, policy: 'newest' } }
    owner.exit(pid, conflict)
    const kill = owner.clock.setTimer(LOSER_GRACE_MS, () => {
      kills.delete(kill)
      if (owner.isStopping || !owner.isProcessAlive(pid)) return
      this.log.warn(
        { loser: pid.toString(), afterMs: LOSER_GRACE_MS },
        'who has lost a name has not ended: it is killed',
      )
      owner.exit(pid, 'kill')
    })
    kills.add(kill)
  }

  private async refresh({ name, pid }: Entry): Promise<void> {
    // As it is now: its metadata may have changed since, and that may have failed.
    const entry = this.held.find(name, pid)
    if (entry === undefined) return
    // What has come in its place meanwhile is not meant.
    const written = await this.rows.refresh(entry.row, () => this.isHeld(entry))
    if (written === 'others' && this.isHeld(entry)) this.giveUp(entry)
  }

  // Other nodes.

  private onTaken(name: string): void {
    const registration = this.registering.get(name)
    if (registration !== undefined) registration.isDoubted = true
    for (const takeover of this.takeovers(name)) takeover.isDoubted = true
    if (this.held.of(name).length === 0) return
    if (this.lookedUp.has(name)) this.lookedUp.set(name, 'again')
    else void this.lookUp(name)
  }

  private async lookUp(name: string): Promise<void> {
    do {
      this.lookedUp.set(name, 'once')
      // If the store doesn't answer the next round asks.
      await Promise.allSettled(this.held.of(name).map((entry) => this.refresh(entry)))
    } while (this.lookedUp.get(name) === 'again' && this.stopping === undefined)
    this.lookedUp.delete(name)
  }

  /** Who had a name finds out by itself at its next refresh, if this does not reach it. */
  private tellTaken({ pid }: Place, name: string): void {
    if (pid.node === this.owner.name) return
    this.channel
      .tellTaken(pid, name)
      .catch((error: unknown) => this.owner.log.debug({ problem: String(error) }, 'a takeover was not told'))
  }

  private sent(status: SendStatus): SendStatus {
    if (status === 'noconnection') this.counts.failed++
    else this.counts.sent++
    return status
  }
}
