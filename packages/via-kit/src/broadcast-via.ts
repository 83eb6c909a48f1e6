/**
 * Way 2: pub-sub. What is sent to a name is published, and each node looks whether a process of its own has it. Nobody knows who has a name: so it may have many, and none is refused.
 *
 *   send ─▶ broker.publish ─▶ every node that listens ─▶ has a process the name? ─▶ to each
 *
 * Invariants:
 * - What one node sends to a name comes in that order. It comes once, or not at all: a node that is not connected with the broker misses it, and nobody is told.
 * - What is sent to a name of this node goes over the broker as well: there is one order for all.
 * - No more waits for the broker than `maxPendingBytes`.
 * - Processes of one node that have a name together get the same object, as a group's members do: it is not theirs to change.
 */
import {
  PidmeshError,
  RateLimitedLog,
  type NameMeta,
  type Node,
  type Pid,
  type SendStatus,
  type TimerHandle,
  type Via,
  type ViaCapabilities,
} from '@pidmesh/runtime'
import { checkBroker, checkName, checkNumber, checkOptions, checkPid } from './checks.ts'
import { DriverUse, storeErrorOf } from './driver-use.ts'
import { Envelopes } from './envelope.ts'
import { HeldNames, type Held } from './held-names.ts'
import type { MessageBroker } from './message-broker.ts'
import { StoreHealth } from './store-health.ts'

export interface BroadcastViaOptions {
  readonly broker: MessageBroker
  /** Of messages that the broker has not confirmed. More are not sent: `noconnection`. @default 16 MiB */
  readonly maxPendingBytes?: number | undefined
}

export interface BroadcastStats {
  /** Names of this node. */
  readonly names: number
  /** Messages, and their bytes, that the broker has not confirmed. */
  readonly pending: number
  readonly pendingBytes: number
  /** The last call to the broker has succeeded. */
  readonly isAvailable: boolean
  readonly storeFailures: number
  readonly sent: number
  /** Sends that were not made: the broker was not to be reached, or too much waited; or nobody got them, and who listens was not known. */
  readonly failed: number
  /** Messages that have come, and how many of them were for nobody here. */
  readonly received: number
  readonly ignored: number
  readonly malformed: number
}

const MIB = 1024 * 1024
/** Channels that are left at once: a driver bounds what waits for the broker, and publishing has to have room beside them. */
const LEFT_AT_ONCE = 1_000
/** When a channel could not be left it is tried again after so long. */
const RETRY_MS = 1_000

export class BroadcastVia implements Via {
  private readonly owner: Node
  private readonly broker: MessageBroker
  private readonly maxPendingBytes: number
  private readonly envelopes = new Envelopes()
  private readonly health: StoreHealth
  private readonly log: RateLimitedLog
  private readonly held: HeldNames<Held>
  /** What is under way for a channel: listening and unlistening must not overtake each other. */
  private readonly channels = new Map<string, Promise<unknown>>()
  /** Those that are left together, and when it is their turn. */
  private leaving: Promise<void>[] = []
  private turn: Promise<unknown> = Promise.resolve()
  private readonly use: DriverUse
  private forgetEnd: () => void = () => undefined
  private stopping: Promise<void> | undefined = undefined
  /** Channels that were to be left while the broker did not answer: what comes over them is for nobody, but who counts listeners counts this node. */
  private readonly unleft = new Set<string>()
  private retry: TimerHandle | undefined = undefined
  private counts = { pending: 0, pendingBytes: 0, sent: 0, failed: 0, received: 0, ignored: 0, malformed: 0 }

  private constructor(owner: Node, options: BroadcastViaOptions) {
    checkOptions(options, ['broker', 'maxPendingBytes'] satisfies (keyof BroadcastViaOptions)[])
    const { broker, maxPendingBytes = 16 * MIB } = options
    checkBroker('broker', broker)
    this.owner = owner
    this.broker = broker
    this.maxPendingBytes = checkNumber('maxPendingBytes', maxPendingBytes, 1, 1024 * MIB)
    this.health = new StoreHealth(owner, 'the broker', broker.kind)
    this.use = new DriverUse(broker, owner.log)
    this.log = new RateLimitedLog(owner.log, owner.clock)
    this.held = new HeldNames<Held>(owner.self, ({ name }) => void this.leave(name).catch(() => undefined))
  }

  /**
   * Connects with the broker. It ends with its node, or with `stop`.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE` if the broker can't be reached, `ERR_STORE_UNFIT`, `ERR_ALREADY_STARTED` if the driver is in use; PidmeshError `ERR_BAD_OPTION`, `ERR_NODE_STOPPED`
   */
  static async start(node: Node, options: BroadcastViaOptions): Promise<BroadcastVia> {
    const names = new BroadcastVia(node, options)
    try {
      await names.use.start(() => names.broker.start((bytes) => names.onBytes(bytes)))
      names.forgetEnd = node.onStop(() => names.stop())
    } catch (error) {
      await names.stop()
      throw error
    }
    return names
  }

  get capabilities(): ViaCapabilities {
    return {
      resolve: 'none',
      holders: 'many',
      newestWins: false,
      order: 'always',
      purge: 'noticed',
      knowsAbsence: this.broker.countsListeners,
      reachesPids: true,
    }
  }

  get stats(): BroadcastStats {
    const { held, health, counts } = this
    return { names: held.size, isAvailable: health.isAvailable, storeFailures: health.failures, ...counts }
  }

  /**
   * @returns `no` if the process has the name already, is dead, or not of this node
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; StoreError by rejection if the broker can't be told that this node listens: then it is not registered
   */
  async registerName(name: string, pid: Pid, given: NameMeta = {}): Promise<'yes' | 'no'> {
    this.checkName(name)
    checkPid(pid)
    const meta = this.envelopes.meta(given)
    if (this.held.find(name, pid) !== undefined) return 'no'
    const entry: Held = { name, pid, meta }
    if (!this.held.add(entry)) return 'no'
    const isHeld = (): boolean => this.held.find(name, pid) === entry
    try {
      await this.follow(name)
    } catch (error) {
      // It may have given the name up, and have asked for it again.
      if (isHeld()) this.held.remove(name, pid)
      throw error
    }
    return isHeld() ? 'yes' : 'no'
  }

  async unregisterName(name: string, pid?: Pid): Promise<'ok'> {
    if (this.held.remove(name, pid).length > 0) await this.leave(name).catch(() => undefined)
    return 'ok'
  }

  /** One of this node's processes that have it. */
  whereisName(name: string): Pid | undefined {
    return this.held.of(name)[0]?.pid
  }

  /** As `whereisName`: what other nodes have nobody knows. */
  resolveName(name: string): Pid | undefined {
    return this.whereisName(name)
  }

  /**
   * Resolves when the broker has it. `noproc` only if the broker counts who listens; `noconnection` if it can't say for a moment, as it was away.
   * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`, `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE`
   */
  async send(name: string, message: unknown): Promise<SendStatus | 'noproc'> {
    this.checkName(name)
    const bytes = this.envelopes.seal(name, message)
    const { counts } = this
    if (counts.pendingBytes + bytes.length > this.maxPendingBytes) return this.notSent()
    counts.pending++
    counts.pendingBytes += bytes.length
    try {
      const listeners = await this.broker.publish(name, bytes)
      this.health.succeeded()
      if (this.broker.countsListeners) {
        if (listeners === 0) return 'noproc'
        if (listeners === undefined) {
          this.health.unsure()
          return this.notSent()
        }
      }
      counts.sent++
      return counts.pendingBytes > this.maxPendingBytes / 2 ? 'busy' : 'ok'
    } catch (error) {
      // Of the message, and not of the broker.
      if (error instanceof PidmeshError && error.code === 'ERR_MESSAGE_TOO_LARGE') throw error
      this.health.failed(error)
      return this.notSent()
    } finally {
      counts.pending--
      counts.pendingBytes -= bytes.length
    }
  }

  setMeta(name: string, given: NameMeta): 'ok' | 'error' {
    const meta = this.envelopes.meta(given)
    const entries = this.held.of(name)
    for (const entry of entries) this.held.add({ ...entry, meta })
    return entries.length > 0 ? 'ok' : 'error'
  }

  /** Gives up all names, and leaves the broker. Their processes live on. */
  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  private async stopOnce(): Promise<void> {
    this.forgetEnd()
    this.held.clear()
    this.retry?.cancel()
    await this.use.stop()
  }

  private checkName(name: unknown): asserts name is string {
    checkName(name)
    if (this.stopping !== undefined) throw new PidmeshError('ERR_NODE_STOPPED', 'this way of keeping names was stopped')
  }

  /** Listens to a name as long as somebody here has it. */
  private follow(name: string): Promise<void> {
    const done = (this.channels.get(name) ?? Promise.resolve()).catch(() => undefined).then(() => this.followNow(name))
    this.channels.set(name, done)
    const settled = (): void => {
      if (this.channels.get(name) === done) this.channels.delete(name)
    }
    done.then(settled, settled)
    return done
  }

  private async followNow(name: string): Promise<void> {
    if (this.stopping !== undefined) return
    try {
      await (this.held.of(name).length > 0 ? this.broker.listen(name) : this.broker.unlisten(name))
      this.health.succeeded()
    } catch (error) {
      this.health.failed(error)
      if (this.held.of(name).length === 0) this.leaveLater(name)
      throw storeErrorOf(error, this.broker.kind)
    }
  }

  /** When those are left that are to be left already. Who registers the name meanwhile does not wait for it: then it is listened to once more, which changes nothing. */
  private leave(name: string): Promise<void> {
    if (this.leaving.length === LEFT_AT_ONCE) {
      this.turn = Promise.allSettled(this.leaving)
      this.leaving = []
    }
    const left = this.turn.then(() => this.follow(name))
    this.leaving.push(left)
    return left
  }

  private leaveLater(name: string): void {
    if (this.stopping !== undefined) return
    this.unleft.add(name)
    this.retry ??= this.owner.clock.setTimer(RETRY_MS, () => {
      const names = [...this.unleft]
      this.unleft.clear()
      this.retry = undefined
      for (const one of names) this.leave(one).catch(() => undefined)
    })
  }

  private onBytes(bytes: Uint8Array): void {
    const { counts } = this
    counts.received++
    const envelope = this.envelopes.open(bytes)
    if (envelope === undefined) return this.onMalformed('it has no name')
    const entries = this.held.of(envelope.name)
    if (entries.length === 0) {
      counts.ignored++
      return
    }
    try {
      const message = this.envelopes.messageIn(envelope)
      for (const { pid } of entries) this.owner.send(pid, message)
    } catch (error) {
      this.onMalformed(String(error))
    }
  }

  private onMalformed(problem: string): void {
    this.counts.malformed++
    this.log.warn({ problem }, 'what has come from the broker can not be read')
  }

  private notSent(): 'noconnection' {
    this.counts.failed++
    return 'noconnection'
  }
}
