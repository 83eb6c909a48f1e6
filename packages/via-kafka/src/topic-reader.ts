/**
 * `TopicReader`: reads all partitions, each from where it ended when the reader was started. In no group: nobody waits for others to come or to go.
 *
 *   start ─▶ where does each partition end? ─▶ one loop for each broker that leads some ─▶ fetch ─▶ onMessage
 *                                                └── away, moved ─▶ wait ─▶ look where the topic is ─▶ go on at the same place
 *
 * - A position is moved on before its message is given out: nothing comes twice.
 * - A partition that was not there before, of the same topic or of one that was made again, is read from its beginning.
 * - A position that the broker does not have, or what can't be read, is given up: reading goes on from now.
 */
import type { OnMessage } from '@pidmesh/via-kit'
import { BrokerFault, faultOf } from './broker-fault.ts'
import { FETCH_WAIT_MS, type BrokerLink, type FetchedPartition } from './broker-link.ts'
import { AGAIN_MS, LOOK_AGAIN_MS, keyOf, leadersOf, type Purpose, type TopicView } from './cluster.ts'
import type { Address, Settings } from './options.ts'
import { pause } from './within.ts'

/** How long new partitions may go unnoticed. */
const LOOK_EVERY_MS = 10_000
/** A broker that has not answered for longer may have lost its place. */
const LATE_MS = FETCH_WAIT_MS + 500
/** Of a batch that says how a transaction has ended. */
const IS_CONTROL = 0x20

/** Beside the brokers, whose keys are longer. */
const TOPIC = 'topic'

const OFFSET_OUT_OF_RANGE = 1
const NO_ERROR = 0

/** What a reader needs of the cluster. */
export interface Places {
  readonly view: TopicView | undefined
  readonly signal: AbortSignal
  link(address: Address, purpose: Purpose): Promise<Pick<BrokerLink, 'ends' | 'fetch'>>
  drop(address: Address, purpose: Purpose): void
  tryRefresh(): Promise<void>
}

export class TopicReader {
  private readonly settings: Settings
  private readonly cluster: Places
  private readonly onMessage: OnMessage
  private topicId: string | undefined
  /** `undefined` where it is not known yet: to be read from now. */
  private readonly positions = new Map<number, bigint | undefined>()
  private readonly loops = new Map<string, Promise<void>>()
  private looking: Promise<void> | undefined
  /** Since when brokers are waited for. */
  private readonly waitingSinceMs = new Map<string, number>()
  /** Of brokers that are not read from now, and of the topic. */
  private readonly faults = new Map<string, BrokerFault>()

  constructor(settings: Settings, cluster: Places, onMessage: OnMessage) {
    this.settings = settings
    this.cluster = cluster
    this.onMessage = onMessage
  }

  /** Why nothing comes, or some of it doesn't. */
  get fault(): BrokerFault | undefined {
    const [fault] = this.faults.values()
    return fault ?? (this.isLed() ? undefined : new BrokerFault('moved', 'a partition has no leader'))
  }

  /** Finds where each partition of the view ends; all of them have a leader. May be tried again. */
  async findPositions(view: TopicView): Promise<void> {
    this.adopt(view, undefined)
    for (const address of leadersOf(view)) await this.fill(address, view)
  }

  /** After `findPositions`: what is published from now on comes. */
  run(): void {
    this.follow()
    this.looking = this.look()
  }

  /** After the cluster is closed. */
  async stop(): Promise<void> {
    await this.looking
    await Promise.all(this.loops.values())
  }

  /** Notices what has changed though nobody has failed: partitions that were added, a topic that is there again, another leader where one stands still. */
  private async look(): Promise<void> {
    const { signal } = this.cluster
    let lookedAtMs = performance.now()
    while (!signal.aborted) {
      await pause(LOOK_AGAIN_MS, signal)
      if (this.isWell() && performance.now() < lookedAtMs + LOOK_EVERY_MS) continue
      lookedAtMs = performance.now()
      await this.cluster.tryRefresh()
      this.follow()
    }
  }

  /** All partitions have leaders. */
  private isLed(): boolean {
    const { view } = this.cluster
    return view !== undefined && view.leaders.size === view.partitions
  }

  /** All partitions have leaders, which answer. */
  private isWell(): boolean {
    if (!this.isLed()) return false
    const lateMs = performance.now() - LATE_MS
    return [...this.waitingSinceMs.values()].every((sinceMs) => sinceMs > lateMs)
  }

  /** Brings positions and loops in line with the view. */
  private follow(): void {
    const { view, signal } = this.cluster
    if (signal.aborted) return
    if (view === undefined) {
      this.faults.set(TOPIC, new BrokerFault('no-topic', 'the topic is gone'))
      return
    }
    this.faults.delete(TOPIC)
    this.adopt(view, 0n)
    for (const address of leadersOf(view)) {
      const key = keyOf(address, 'read')
      if (!this.loops.has(key)) this.loops.set(key, this.read(address, key))
    }
  }

  private adopt({ id, partitions }: TopicView, position: bigint | undefined): void {
    if (id !== this.topicId) this.positions.clear()
    this.topicId = id
    for (let partition = 0; partition < partitions; partition++) {
      if (!this.positions.has(partition)) this.positions.set(partition, position)
    }
  }

  /** Ends when the broker leads nothing any more. */
  private async read(address: Address, key: string): Promise<void> {
    const { signal } = this.cluster
    while (!signal.aborted) {
      const { view } = this.cluster
      if (view === undefined || ledBy(address, view).length === 0) break
      this.waitingSinceMs.set(key, performance.now())
      try {
        await this.readOnce(address, view)
        this.faults.delete(key)
      } catch (error) {
        this.waitingSinceMs.delete(key)
        const fault = faultOf(error)
        this.faults.set(key, fault)
        if (fault.kind === 'unreadable') this.giveUp(ledBy(address, view), view)
        await pause(AGAIN_MS, signal)
        await this.cluster.tryRefresh()
      }
      if (this.cluster.view !== view) this.follow()
    }
    this.loops.delete(key)
    this.faults.delete(key)
    this.waitingSinceMs.delete(key)
    this.cluster.drop(address, 'read')
  }

  /** @throws BrokerFault by rejection, also if some partitions only have failed; what has come of the others is given out */
  private async readOnce(address: Address, view: TopicView): Promise<void> {
    await this.fill(address, view)
    const asked = new Map<number, bigint>()
    for (const partition of ledBy(address, view)) {
      const position = this.positions.get(partition)
      if (position !== undefined) asked.set(partition, position)
    }
    if (asked.size === 0) throw new BrokerFault('moved', 'no position')
    const link = await this.cluster.link(address, 'read')
    const parts = await link.fetch(view.id, asked)
    let failed: FetchedPartition | undefined
    for (const part of parts) {
      if (part.errorCode === NO_ERROR) this.take(part, view)
      else if (part.errorCode === OFFSET_OUT_OF_RANGE) this.giveUp([part.partitionIndex], view)
      else failed = part
    }
    if (failed !== undefined) throw new BrokerFault('moved', `code ${failed.errorCode} of Kafka's protocol`)
  }

  /** Finds the ends of partitions whose position is not known. */
  private async fill(address: Address, view: TopicView): Promise<void> {
    const unknown = ledBy(address, view).filter((partition) => this.positions.get(partition) === undefined)
    if (unknown.length === 0) return
    const link = await this.cluster.link(address, 'read')
    const ends = await link.ends(this.settings.topic, unknown)
    if (view.id !== this.topicId) return
    for (const [partition, end] of ends) {
      // Who leads now may have said it meanwhile, and what is after it may have come.
      if (this.positions.get(partition) === undefined) this.positions.set(partition, end)
    }
  }

  private giveUp(partitions: readonly number[], view: TopicView): void {
    if (view.id !== this.topicId) return
    for (const partition of partitions) this.positions.set(partition, undefined)
  }

  /** Gives out what is at the position of the partition, or after it: a batch may begin before it. */
  private take({ partitionIndex, records: batches }: FetchedPartition, view: TopicView): void {
    for (const { attributes, firstOffset, lastOffsetDelta, records } of batches ?? []) {
      for (const { offsetDelta, value } of (attributes & IS_CONTROL) === 0 ? records : []) {
        const offset = firstOffset + BigInt(offsetDelta)
        if (!this.isNext(partitionIndex, offset, view)) continue
        this.positions.set(partitionIndex, offset + 1n)
        if (value !== null) this.give(value)
      }
      const last = firstOffset + BigInt(lastOffsetDelta)
      if (this.isNext(partitionIndex, last, view)) this.positions.set(partitionIndex, last + 1n)
    }
  }

  private isNext(partition: number, offset: bigint, view: TopicView): boolean {
    if (view.id !== this.topicId || this.cluster.signal.aborted) return false
    const position = this.positions.get(partition)
    return position !== undefined && offset >= position
  }

  /** What the receiver throws is thrown, as by a listener of an event; and reading goes on. */
  private give(value: Uint8Array): void {
    try {
      this.onMessage(new Uint8Array(value))
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

function ledBy({ host, port }: Address, { leaders }: TopicView): readonly number[] {
  return [...leaders]
    .filter(([, leader]) => leader.host === host && leader.port === port)
    .map(([partition]) => partition)
}
