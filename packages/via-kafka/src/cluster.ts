/**
 * The brokers, and where the topic is on them. Connections are made when they are asked for, and used by all who ask for the same.
 *
 *   bootstrap ─▶ any broker ─▶ metadata ─▶ a view: the topic's id, the leader of each partition ─▶ a link to a leader
 *
 * - Up to three connections to each broker, for what is written, read and asked: a broker answers in order, reading waits, and writing may wait for replicas.
 * - A link that is closed is not given out; a broker that does not answer in time loses its link, as nobody knows what the link still holds.
 * - A broker that leads nothing any more loses its links: it may stand still, and what waits for it goes to who leads now.
 * - `view` is the last that a broker has said. It changes by `refresh` only.
 */
import { BrokerFault, faultOf, type FaultKind } from './broker-fault.ts'
import { BrokerLink, type MetadataResponse } from './broker-link.ts'
import type { Address, Settings } from './options.ts'
import { pause, within } from './within.ts'

export type Purpose = 'read' | 'write' | 'ask'

export interface TopicView {
  /** Of this life of the topic: one that is made again has another. */
  readonly id: string
  readonly partitions: number
  /** Without those that have no leader at the time. */
  readonly leaders: ReadonlyMap<number, Address>
}

interface Entry {
  readonly opening: Promise<BrokerLink>
  /** Ends the opening. */
  readonly ending: AbortController
  link: BrokerLink | undefined
}

/** How long is waited before something is asked again. */
export const AGAIN_MS = 100
/** How long a broker is waited for, if another one can be asked. */
const PATIENCE_MS = 1_000
/** How often it is looked where the topic is while something waits for a broker that may have lost its place. */
export const LOOK_AGAIN_MS = 500

/** What may be over at another moment. */
const PASSING: ReadonlySet<FaultKind> = new Set(['away', 'moved', 'too-few-brokers'])

export class Cluster {
  private readonly settings: Settings
  private readonly entries = new Map<string, Entry>()
  private readonly ending = new AbortController()
  private known: readonly Address[] = []
  private refreshing: Promise<TopicView | undefined> | undefined
  /** `undefined` if there is no topic. */
  view: TopicView | undefined

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** Comes when the cluster is closed. */
  get signal(): AbortSignal {
    return this.ending.signal
  }

  close(): void {
    this.ending.abort()
    for (const entry of this.entries.values()) end(entry)
    this.entries.clear()
  }

  /** @throws BrokerFault by rejection */
  link(address: Address, purpose: Purpose): Promise<BrokerLink> {
    if (this.signal.aborted) return Promise.reject(new BrokerFault('away', 'stopped'))
    const key = keyOf(address, purpose)
    const there = this.entries.get(key)
    if (there !== undefined && (there.link === undefined || there.link.isOpen)) return there.opening
    const ending = new AbortController()
    const entry: Entry = { opening: BrokerLink.open(address, this.settings, ending.signal), ending, link: undefined }
    this.entries.set(key, entry)
    entry.opening.then(
      (link) => {
        entry.link = link
        if (this.entries.get(key) !== entry) link.close()
      },
      () => {
        if (this.entries.get(key) === entry) this.entries.delete(key)
      },
    )
    return entry.opening
  }

  /** To the leader of a partition, for writing. */
  async leader(partition: number): Promise<BrokerLink> {
    const { view } = this
    if (view === undefined || partition >= view.partitions) throw new BrokerFault('no-topic', 'no such partition')
    const address = view.leaders.get(partition)
    if (address === undefined) throw new BrokerFault('moved', 'a partition has no leader')
    return this.link(address, 'write')
  }

  newProducerId(): Promise<bigint> {
    return this.any((link) => link.newProducerId())
  }

  /** What is under way over it fails. */
  drop(address: Address, purpose: Purpose): void {
    const key = keyOf(address, purpose)
    const entry = this.entries.get(key)
    if (entry === undefined) return
    end(entry)
    this.entries.delete(key)
  }

  /**
   * Asks the brokers anew where the topic is; once for all who want to know at the same time.
   * @throws BrokerFault by rejection
   */
  refresh(): Promise<TopicView | undefined> {
    this.refreshing ??= this.look().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  /** As `refresh`, for who goes on without. */
  async tryRefresh(): Promise<void> {
    try {
      await this.refresh()
    } catch {
      // The view is the old one. Who needs another asks again.
    }
  }

  /** Asks one broker after the other, until one answers. */
  async any<T>(request: (link: BrokerLink) => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + this.settings.timeoutMs
    const addresses = this.addresses()
    let last = new BrokerFault('away', 'no broker')
    for (const [index, address] of addresses.entries()) {
      const others = addresses.length - index - 1
      const leftMs = deadlineMs - performance.now()
      const shareMs = others === 0 ? leftMs : Math.min(leftMs / (others + 1), PATIENCE_MS)
      try {
        return await within(this.link(address, 'ask').then(request), shareMs)
      } catch (error) {
        last = faultOf(error)
        if (last.kind !== 'away') throw last
        this.drop(address, 'ask')
      }
    }
    throw last
  }

  /**
   * Does it, until it is done, or there is no use in doing it, or the time is over. What waits for a broker meanwhile that loses its place fails, and is done anew.
   * @throws BrokerFault by rejection
   */
  async until<T>(deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
    const looking = setInterval(() => void this.tryRefresh(), LOOK_AGAIN_MS)
    try {
      return await this.tryUntil(deadlineMs, attempt)
    } finally {
      clearInterval(looking)
    }
  }

  private async tryUntil<T>(deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
    let answered: BrokerFault | undefined
    for (;;) {
      try {
        return await within(attempt(), deadlineMs - performance.now())
      } catch (error) {
        // What was answered says more than that the last attempt had no time for an answer.
        const latest = faultOf(error)
        if (latest.kind !== 'away') answered = latest
        const fault = this.signal.aborted ? latest : (answered ?? latest)
        const isPassing = PASSING.has(fault.kind)
        if (!isPassing || this.signal.aborted || performance.now() + AGAIN_MS >= deadlineMs) throw fault
        await pause(AGAIN_MS, this.signal)
      }
    }
  }

  private async look(): Promise<TopicView | undefined> {
    const { topic } = this.settings
    const response = await this.any((link) => link.metadata(topic))
    this.known = response.brokers.map(({ host, port }) => ({ host, port }))
    const former = this.view
    this.view = viewOf(response, topic)
    for (const address of displaced(former, this.view)) {
      this.drop(address, 'read')
      this.drop(address, 'write')
    }
    return this.view
  }

  /** Those that the brokers know first: what one begins with may be a name for any of them. */
  private addresses(): readonly Address[] {
    return distinct([...this.known, ...this.settings.brokers])
  }
}

function end({ ending, link }: Entry): void {
  ending.abort()
  link?.close()
}

/** Brokers that have led something, and lead nothing any more. */
export function displaced(former: TopicView | undefined, now: TopicView | undefined): readonly Address[] {
  if (former === undefined || now === undefined) return []
  const leading = new Set(leadersOf(now).map(textOf))
  return leadersOf(former).filter((address) => !leading.has(textOf(address)))
}

/** Each once. */
export function leadersOf({ leaders }: TopicView): readonly Address[] {
  return distinct([...leaders.values()])
}

function distinct(addresses: readonly Address[]): readonly Address[] {
  return [...new Map(addresses.map((address) => [textOf(address), address])).values()]
}

/**
 * `undefined` if there is no topic.
 * @throws BrokerFault if it may not be looked at, or can't be at the moment
 */
export function viewOf({ brokers, topics }: MetadataResponse, name: string): TopicView | undefined {
  const topic = topics.find((each) => each.name === name)
  if (topic === undefined || topic.errorCode === UNKNOWN_TOPIC) return undefined
  if (topic.errorCode === TOPIC_REFUSED) throw new BrokerFault('unfit', 'TOPIC_AUTHORIZATION_FAILED')
  if (topic.errorCode === BAD_TOPIC) throw new BrokerFault('unfit', 'INVALID_TOPIC_EXCEPTION')
  // It has no id and no partitions then: taken for the topic, that would be another one, to be read from its beginning.
  if (topic.errorCode !== NO_ERROR) throw new BrokerFault('moved', `code ${topic.errorCode} of Kafka's protocol`)
  const addresses = new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
  const leaders = new Map<number, Address>()
  for (const { partitionIndex, leaderId } of topic.partitions) {
    const address = addresses.get(leaderId)
    if (address !== undefined) leaders.set(partitionIndex, address)
  }
  return { id: topic.topicId, partitions: topic.partitions.length, leaders }
}

/** Codes of Kafka's protocol. */
const NO_ERROR = 0
const UNKNOWN_TOPIC = 3
const BAD_TOPIC = 17
const TOPIC_REFUSED = 29

export function keyOf(address: Address, purpose: Purpose): string {
  return `${purpose} ${textOf(address)}`
}

function textOf({ host, port }: Address): string {
  return `${host} ${port}`
}
