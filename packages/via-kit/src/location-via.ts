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
 * - No more waits for the store than `maxPending`; a call waits for those before it, a batch at a time, and a batch no longer than the driver lets it.
 * - Each registration has an owner of its own in the store: what is given back late can't be a newer one.
 *
 * Not here: what the store is asked and how (name-store.ts), what is refreshed and given back when (name-upkeep.ts), how nodes reach each other (node-channel.ts).
 */
import {
  PidmeshError,
  type ExitReason,
  type NameMeta,
  type Node,
  type Pid,
  type SendStatus,
  type Via,
  type ViaCapabilities,
} from '@pidmesh/runtime'
import { bad, checkMeta, checkName, checkNumber, checkPid } from './checks.ts'
import { Envelopes, type Place } from './envelope.ts'
import { StoreError } from './errors.ts'
import { HeldNames, type Held } from './held-names.ts'
import type { LocationRow, LocationStore } from './location-store.ts'
import type { MessageBroker } from './message-broker.ts'
import { NameStore } from './name-store.ts'
import { NameUpkeep } from './name-upkeep.ts'
import { NodeChannel } from './node-channel.ts'

export interface LocationViaOptions {
  readonly store: LocationStore
  /** How a push goes to another node: over the mesh that the nodes make, or over a broker, for nodes that are not connected with each other. @default the mesh */
  readonly channel?: MessageBroker
  /** Calls of others that may wait for the store: one more is refused. @default 10,000 */
  readonly maxPending?: number
  /** The same on all nodes whose names belong together; a node takes part in a scope once. What nodes tell each other is separate, the rows of a store are not: give it another prefix or table. @default `default` */
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

/** Who has lost a name and lives on is killed after so long: as in the replicated table. */
const LOSER_GRACE_MS = 5_000
/** What a driver takes. */
const MAX_OWNER = 200

export class LocationVia implements Via {
  private readonly owner: Node
  private readonly isOverMesh: boolean
  private readonly envelopes = new Envelopes()
  private readonly store: NameStore
  private readonly upkeep: NameUpkeep<Entry>
  private readonly channel: NodeChannel
  private readonly held: HeldNames<Entry>
  private readonly registering = new Set<string>()
  private registrations = 0
  private readonly onNodeEnd = (): void => void this.stop()
  private stopping: Promise<void> | undefined = undefined
  private counts = { sent: 0, failed: 0, lost: 0 }

  private constructor(owner: Node, options: LocationViaOptions) {
    const { store, channel: broker, maxPending = 10_000, scope = 'default' } = options
    checkNumber('maxPending', maxPending, 1, 1_000_000)
    const { clock, random, log } = owner
    this.owner = owner
    this.isOverMesh = broker === undefined
    this.store = new NameStore({ store, clock, log, maxPending })
    this.held = new HeldNames<Entry>(owner.self, ({ row }) => void this.upkeep.release(row))
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
   * Connects with the store. It ends with its node, or with `stop`.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE` if the store can't be reached, `ERR_STORE_UNFIT`; PidmeshError `ERR_BAD_OPTION`, `ERR_NODE_STOPPED`
   */
  static async start(node: Node, options: LocationViaOptions): Promise<LocationVia> {
    const names = new LocationVia(node, options)
    const { signal } = node.self
    try {
      await names.store.start()
      await names.channel.start()
      // Not before: what is just being started can't be stopped in order.
      if (signal.aborted) throw new PidmeshError('ERR_NODE_STOPPED', 'the node stops')
      signal.addEventListener('abort', names.onNodeEnd, { once: true })
    } catch (error) {
      await names.stop()
      throw error
    }
    names.upkeep.start()
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
  async registerName(name: string, pid: Pid, meta: NameMeta = {}): Promise<'yes' | 'no'> {
    const row = this.checkedRow(name, pid, meta)
    if (this.held.of(name).length > 0 || this.registering.has(name) || !this.held.watch(pid)) return 'no'
    this.registering.add(name)
    this.upkeep.releaseLeftOf(name)
    try {
      if (!(await this.store.put(row))) return 'no'
      return this.keep({ name, pid, meta, row }) ? 'yes' : 'no'
    } catch (error) {
      // It may have been written all the same.
      this.upkeep.releaseLater(row)
      throw error
    } finally {
      this.registering.delete(name)
    }
  }

  /** Resolves when the store has it, or can't be reached: then the name is free when its time is over. */
  async unregisterName(name: string, pid?: Pid): Promise<'ok'> {
    for (const { row } of this.held.remove(name, pid)) await this.upkeep.release(row)
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
    if (here !== undefined) return this.sent(this.owner.send(here, message))
    try {
      const place = await this.find(name)
      return place === undefined ? 'noproc' : this.sent(await this.channel.send(place.pid, message))
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      return this.sent('noconnection')
    }
  }

  /** @throws StoreError by rejection: then it is made up by the next refresh, if the name is still this node's */
  async setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'> {
    const [entry] = this.held.of(name)
    if (entry === undefined) return 'error'
    const { pid, row } = entry
    // A refresh that is asked for from now on writes the new metadata, too.
    const changed = { ...entry, meta, row: this.checkedRow(name, pid, meta, row.owner) }
    if (!this.held.add(changed)) return 'error'
    if (await this.store.put(changed.row)) return 'ok'
    if (this.held.find(name, pid) === changed) this.giveUp(changed)
    return 'error'
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT`; StoreError by rejection: then it may have happened for a moment, or not */
  async takeover(
    name: string,
    pid: Pid,
    { meta = {} }: { readonly meta?: NameMeta } = {},
  ): Promise<number | undefined> {
    const row = this.checkedRow(name, pid, meta)
    if (!this.held.watch(pid)) return undefined
    this.upkeep.releaseLeftOf(name)
    try {
      const { epoch, former } = await this.store.take(row)
      for (const entry of this.held.of(name)) if (!entry.pid.equals(pid)) this.giveUp(entry, pid)
      const isKept = this.keep({ name, pid, meta, row })
      if (former !== undefined) this.tellTaken(former, name)
      return isKept ? epoch : undefined
    } catch (error) {
      this.upkeep.releaseLater(row)
      throw error
    }
  }

  /** Gives up all names, and leaves the store. Their processes live on. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  private async stopOnce(): Promise<void> {
    this.owner.self.signal.removeEventListener('abort', this.onNodeEnd)
    const rows = [...this.held.all()].map(({ row }) => row)
    this.held.clear()
    this.upkeep.stop()
    await Promise.all([this.store.close(rows), this.channel.stop()])
  }

  private async find(name: string): Promise<Place | undefined> {
    const bytes = await this.store.find(name)
    const place = bytes === undefined ? undefined : this.envelopes.readPlace(bytes)
    // What is left of a process of this node that has ended.
    const isOver = place !== undefined && place.pid.node === this.owner.name && !this.owner.isProcessAlive(place.pid)
    return isOver ? undefined : place
  }

  // Names of this node.

  private checkedRow(name: string, pid: Pid, meta: NameMeta, given?: string): LocationRow {
    checkName(name)
    checkPid(pid)
    checkMeta(meta)
    if (this.stopping !== undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'this way of keeping names was stopped')
    const owner = given ?? `${pid.toString()}#${++this.registrations}`
    if (owner.length > MAX_OWNER) throw bad(`the name of a node is too long for a store: ${owner}`)
    return { name, owner, value: this.envelopes.place({ pid, meta }) }
  }

  /** `false` if the process has ended meanwhile. */
  private keep(entry: Entry): boolean {
    if (this.stopping === undefined && this.held.add(entry)) return true
    void this.upkeep.release(entry.row)
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

  private async refresh(entry: Entry): Promise<void> {
    const isHeld = (): boolean => this.held.find(entry.name, entry.pid) === entry
    // What has come in its place meanwhile is not meant.
    if (isHeld() && !(await this.store.refresh(entry.row)) && isHeld()) this.giveUp(entry)
  }

  // Other nodes.

  private onTaken(name: string): void {
    // If the store doesn't answer the next round asks.
    for (const entry of this.held.of(name)) this.refresh(entry).catch(() => undefined)
  }

  /** Who had a name finds out by itself at its next refresh, if this does not reach it. */
  private tellTaken(former: Uint8Array, name: string): void {
    const place = this.envelopes.readPlace(former)
    if (place === undefined || place.pid.node === this.owner.name) return
    this.channel
      .tellTaken(place.pid, name)
      .catch((error: unknown) => this.owner.log.debug({ problem: String(error) }, 'a takeover was not told'))
  }

  private sent(status: SendStatus): SendStatus {
    if (status === 'noconnection') this.counts.failed++
    else this.counts.sent++
    return status
  }
}
