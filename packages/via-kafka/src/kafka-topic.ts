/**
 * `KafkaTopic`: a topic of Kafka as a message broker. All channels are in it: every node reads all of it, from the moment of its start on.
 *
 *   publish(channel) ─▶ TopicWriter ─▶ a partition ─▶ the topic ─▶ TopicReader of every node ─▶ onMessage
 *
 * - No consumer group and no committed offsets: a start is quick, and neither it nor a crash makes other nodes wait.
 * - Nobody reads the past. A topic that is made here keeps a minute of it, for readers whose connection is away.
 */
import { StoreError, type MessageBroker, type OnMessage } from '@pidmesh/via-kit'
import { BrokerFault, faultOf, storeErrorOf } from './broker-fault.ts'
import { Cluster, type TopicView } from './cluster.ts'
import { checkOptions, type KafkaTopicOptions, type Settings } from './options.ts'
import { TopicReader } from './topic-reader.ts'
import { TopicWriter } from './topic-writer.ts'

export class KafkaTopic implements MessageBroker {
  readonly kind = 'kafka'
  readonly countsListeners = false
  /** Hidden from whoever shows or logs the driver, as what is made of it: there are a password and a key in it. */
  readonly #settings: Settings
  readonly #cluster: Cluster
  readonly #writer: TopicWriter
  #reader: TopicReader | undefined
  private isStarted = false
  private isInUse = false

  /** @throws PidmeshError `ERR_BAD_OPTION` */
  constructor(options: KafkaTopicOptions) {
    this.#settings = checkOptions(options)
    this.#cluster = new Cluster(this.#settings)
    this.#writer = new TopicWriter(this.#settings, this.#cluster)
  }

  /** Why nothing comes at the moment, or not all; `undefined` if all does. */
  get fault(): StoreError | undefined {
    const fault = this.#reader?.fault
    return fault && storeErrorOf(fault, 'reading', this.#settings.topic)
  }

  /** Bytes that wait for brokers, or are under way to them. */
  get waitingBytes(): number {
    return this.#writer.waitingBytes
  }

  /**
   * Makes the topic if it is to, and finds where it ends: what is published from then on comes.
   * @throws StoreError by rejection: `ERR_STORE_UNAVAILABLE` within `timeoutMs`, `ERR_STORE_UNFIT`, `ERR_ALREADY_STARTED`
   */
  async start(onMessage: OnMessage): Promise<void> {
    if (this.isInUse)
      throw new StoreError(
        'ERR_ALREADY_STARTED',
        'this KafkaTopic is in use, or was: one is for one user, make another',
      )
    this.isInUse = true
    const deadlineMs = performance.now() + this.#settings.timeoutMs
    const reader = new TopicReader(this.#settings, this.#cluster, onMessage)
    try {
      await this.#cluster.until(deadlineMs, async () => {
        const view = await this.topic()
        await Promise.all([this.#writer.prepare(view), this.findPositions(reader, view)])
      })
      if (this.#cluster.signal.aborted) throw new BrokerFault('away', 'stopped')
    } catch (error) {
      throw storeErrorOf(faultOf(error), 'start', this.#settings.topic)
    }
    this.#reader = reader
    this.isStarted = true
    reader.run()
  }

  /** Ends all connections, at once. What waits is rejected. */
  async stop(): Promise<void> {
    this.isStarted = false
    this.#cluster.close()
    await Promise.all([this.#writer.stop(), this.#reader?.stop()])
  }

  /** All channels come: each node reads the whole topic. */
  async listen(_channel: string): Promise<void> {
    // Nothing to be asked for.
  }

  async unlisten(_channel: string): Promise<void> {
    // Nothing was asked for.
  }

  /**
   * Resolves when the brokers have it, as `acks` says. The bytes must not be changed until then.
   * @throws StoreError by rejection, within `timeoutMs`; `ERR_STORE_OVERLOADED` at once
   */
  async publish(channel: string, bytes: Uint8Array): Promise<undefined> {
    if (!this.isStarted) throw new StoreError('ERR_STORE_UNAVAILABLE', 'Kafka: not started, or stopped')
    await this.#writer.publish(channel, bytes)
  }

  /** The topic, with a leader for each partition. */
  private async topic(): Promise<TopicView> {
    const cluster = this.#cluster
    const settings = this.#settings
    let view = await cluster.refresh()
    if (view === undefined && settings.createTopic) {
      await this.create()
      view = await cluster.refresh()
      // Made, and not told to all brokers yet.
      if (view === undefined) throw new BrokerFault('moved', 'the topic is not there yet')
    }
    if (view === undefined) throw new BrokerFault('no-topic', 'there is no topic')
    if (view.leaders.size < view.partitions) throw new BrokerFault('moved', 'a partition has no leader')
    return view
  }

  private async findPositions(reader: TopicReader, view: TopicView): Promise<void> {
    try {
      await reader.findPositions(view)
    } catch (error) {
      const fault = faultOf(error)
      // One broker has said where the topic is; a leader may hear of it later.
      throw fault.kind === 'no-topic' ? new BrokerFault('moved', fault.message) : fault
    }
  }

  private async create(): Promise<void> {
    try {
      await this.#cluster.any((link) => link.createTopic(this.#settings))
    } catch (error) {
      const fault = faultOf(error)
      // By another node, in the same moment.
      if (fault.message !== 'TOPIC_ALREADY_EXISTS') throw fault
    }
  }
}
