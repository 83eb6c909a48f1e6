/**
 * One connection to one broker, and what is asked over it. Each request is of one fixed version, which brokers have from Kafka 3.1 on.
 *
 *   open ─▶ TCP ─▶ TLS ─▶ login ─▶ versions ─▶ requests, several at once ─▶ close: all that is under way fails
 *
 * - Each request ends, as an answer or as a BrokerFault.
 * - The library is used below its clients, and with callbacks: its promises want a newer Node.js, and its clients ask again by themselves.
 */
import {
  Connection,
  FetchIsolationLevels,
  ListOffsetTimestamps,
  NumericMap,
  ProduceAcks,
  ResponseError,
  apiVersionsV3,
  createTopicsV7,
  fetchV13,
  initProducerIdV4,
  listOffsetsV7,
  metadataV11,
  produceV9,
  type ConnectionOptions,
} from '@platformatic/kafka'
import { BrokerFault, faultOf } from './broker-fault.ts'
import { serverName, type Address, type Settings } from './options.ts'
import { within } from './within.ts'

export type MetadataResponse = metadataV11.MetadataResponse
export type FetchedPartition = fetchV13.FetchResponsePartition

/** How long a broker waits for something to be read. */
export const FETCH_WAIT_MS = 500
const FETCH_BYTES = 8 * 1024 * 1024
const PARTITION_BYTES = 1024 * 1024
/** More than there are partitions and other requests at once: none waits in here. */
const MAX_IN_FLIGHT = 20_000
const NEEDED: readonly { readonly key: number; readonly version: number }[] = [
  createTopicsV7.api,
  fetchV13.api,
  initProducerIdV4.api,
  listOffsetsV7.api,
  metadataV11.api,
  produceV9.api,
]
/** Nobody has time to read what is older. */
const RETENTION_MS = 60_000
const SEGMENT_BYTES = 16 * 1024 * 1024
/** As many replicas as the brokers' operator has said: how many brokers are alive at a moment says nothing of how many there will be (KIP-464, KIP-733). */
const OF_THE_BROKERS = -1
const TOPIC_CONFIG: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'retention.ms': String(RETENTION_MS),
  'segment.ms': String(RETENTION_MS),
  'segment.bytes': String(SEGMENT_BYTES),
  // The broker's clock says what is old, not a node's.
  'message.timestamp.type': 'LogAppendTime',
}

/** Who writes: the broker keeps what has this id, epoch and sequence once, and what has a lesser epoch than is there not at all. */
export interface Stamp {
  readonly producerId: bigint
  readonly epoch: number
  readonly sequence: number
}

export interface Keyed {
  readonly key: Buffer
  readonly value: Buffer
}

export class BrokerLink {
  private readonly connection: Connection
  private readonly settings: Settings
  /** Why the connection is of no use any more. */
  private failure: Error | undefined

  private constructor(connection: Connection, settings: Settings) {
    this.connection = connection
    this.settings = settings
    // Not always closed by the library.
    connection.on('error', (error) => {
      this.failure ??= error
      destroy(connection)
    })
  }

  /**
   * The signal ends it, as long as it is not open.
   * @throws BrokerFault by rejection
   */
  static async open({ host, port }: Address, settings: Settings, signal: AbortSignal): Promise<BrokerLink> {
    const { clientId, timeoutMs } = settings
    const connection = new Connection(clientId, connectionOptions({ host, port }, settings))
    const link = new BrokerLink(connection, settings)
    const end = (): void => link.close()
    signal.addEventListener('abort', end)
    try {
      const connected = new Promise<void>((resolve, reject) => {
        void connection.connect(host, port, (error) => {
          if (error) reject(error)
          else resolve()
        })
      })
      await within(connected, timeoutMs)
      await within(link.checkVersions(), timeoutMs)
    } catch (error) {
      link.close()
      throw faultOf(error)
    } finally {
      signal.removeEventListener('abort', end)
    }
    return link
  }

  get isOpen(): boolean {
    const { status } = this.connection
    return status === 'connected' || status === 'reauthenticating'
  }

  close(): void {
    // By the library first, which ends its timers; what it still has to send is not waited for.
    this.connection.close(() => undefined)
    destroy(this.connection)
  }

  /** What the broker knows of the topic, errors of the topic included. */
  async metadata(topic: string): Promise<MetadataResponse> {
    return this.ask(partly(metadataV11.api.async(this.connection, [topic], false, false)))
  }

  async createTopic({ topic, partitions, replicas, timeoutMs }: Settings): Promise<void> {
    const configs = Object.entries(TOPIC_CONFIG).map(([name, value]) => ({ name, value }))
    const replicationFactor = replicas ?? OF_THE_BROKERS
    const request = { name: topic, numPartitions: partitions, replicationFactor, assignments: [], configs }
    await this.ask(createTopicsV7.api.async(this.connection, [request], timeoutMs, false))
  }

  async newProducerId(): Promise<bigint> {
    const { producerId } = await this.ask(initProducerIdV4.api.async(this.connection, null, this.settings.timeoutMs))
    return producerId
  }

  /** Where each of the partitions ends. */
  async ends(topic: string, partitions: readonly number[]): Promise<ReadonlyMap<number, bigint>> {
    const asked = partitions.map((partitionIndex) => ({
      partitionIndex,
      currentLeaderEpoch: -1,
      timestamp: ListOffsetTimestamps.LATEST,
    }))
    const request = [{ name: topic, partitions: asked }]
    const read = FetchIsolationLevels.READ_UNCOMMITTED
    const { topics } = await this.ask(listOffsetsV7.api.async(this.connection, -1, read, request))
    return new Map(topics.flatMap((each) => each.partitions.map((part) => [part.partitionIndex, part.offset])))
  }

  /** Waits for something to be there for a while. Errors of partitions are in the answer. */
  async fetch(topicId: string, positions: ReadonlyMap<number, bigint>): Promise<readonly FetchedPartition[]> {
    const partitions = [...positions].map(([partition, fetchOffset]) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: PARTITION_BYTES,
    }))
    const read = FetchIsolationLevels.READ_UNCOMMITTED
    const of = [{ topicId, partitions }]
    const { responses } = await this.ask(
      partly(fetchV13.api.async(this.connection, FETCH_WAIT_MS, 1, FETCH_BYTES, read, 0, -1, of, [], '')),
    )
    return responses.flatMap((each) => each.partitions)
  }

  async produce(topic: string, partition: number, records: readonly Keyed[], stamp: Stamp): Promise<void> {
    const { acks, timeoutMs } = this.settings
    const messages = records.map(({ key, value }) => ({ topic, partition, key, value }))
    const { producerId, epoch: producerEpoch, sequence } = stamp
    const sequences = new NumericMap([[`${topic}:${partition}`, sequence]])
    const by = { producerId, producerEpoch, sequences }
    const kept = acks === 'all' ? ProduceAcks.ALL : ProduceAcks.LEADER
    await this.ask(produceV9.api.async(this.connection, kept, timeoutMs, messages, by))
  }

  private async checkVersions(): Promise<void> {
    const { apiKeys } = await this.ask(apiVersionsV3.api.async(this.connection, 'pidmesh', '1'))
    for (const { key, version } of NEEDED) {
      const has = apiKeys.find(({ apiKey }) => apiKey === key)
      if (has === undefined || version < has.minVersion || version > has.maxVersion) {
        throw new BrokerFault('unfit', 'the broker must be of Kafka 3.1 or later')
      }
    }
  }

  private async ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } catch (error) {
      // What is under way when a connection fails is told by the library that it is closed, and not why.
      throw faultOf(this.failure ?? error)
    }
  }
}

/** An answer of which parts are errors is an answer. */
async function partly<T extends { readonly throttleTimeMs: number; readonly errorCode?: number }>(
  answer: Promise<T>,
): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const response = error instanceof ResponseError ? (error['response'] as T) : undefined
    if (response === undefined || (response.errorCode ?? 0) !== 0) throw error
    return response
  }
}

function connectionOptions(address: Address, { timeoutMs, sasl, tls }: Settings): ConnectionOptions {
  return {
    connectTimeout: timeoutMs,
    requestTimeout: FETCH_WAIT_MS + timeoutMs,
    maxInflights: MAX_IN_FLIGHT,
    ...(sasl === undefined ? {} : { sasl }),
    ...(tls === undefined ? {} : { tls, tlsServerName: tls.servername ?? serverName(address) ?? false }),
  }
}

function destroy(connection: Connection): void {
  const socket = connection.socket as Connection['socket'] | undefined
  socket?.destroy()
}
