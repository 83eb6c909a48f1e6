/**
 * A broker, or several, for a file of tests, what tests do to them beside what a KafkaTopic does, and nodes that write down what comes.
 */
import type { KafkaService } from '@pidmesh/dev-services'
import { kafkaMissing, mustSkip, startKafka } from '@pidmesh/dev-services'
import {
  Connection,
  ResponseError,
  createPartitionsV3,
  deleteTopicsV6,
  describeConfigsV4,
  metadataV11,
} from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { KafkaTopic, type KafkaTopicOptions } from '../../src/index.ts'

const ADMIN_MS = 5_000
/** Of a resource that is a topic. */
const TOPIC = 2

export interface Node {
  readonly topic: KafkaTopic
  /** What has come, as text. */
  readonly got: string[]
}

/** Where a partition is: what brokers are called. */
export interface Placed {
  readonly leader: number
  readonly replicas: readonly number[]
  /** Those of them that have all of it. */
  readonly inStep: readonly number[]
}

/** Starts brokers before all tests of the file; skips them, with a line that says what is missing, if there can't be one. */
export class TestBroker {
  private readonly topics: KafkaTopic[] = []
  private services: readonly KafkaService[] = []
  private count = 0

  /** Where nothing may be skipped there is none, or the file fails. */
  readonly isMissing: boolean = mustSkip(kafkaMissing())

  constructor(start: () => Promise<readonly KafkaService[]> = async () => [await startKafka()]) {
    const { isMissing } = this
    beforeAll(async () => {
      if (!isMissing) this.services = await start()
    })
    beforeEach(({ skip }) => {
      if (isMissing) skip()
    })
    afterEach(async () => {
      await Promise.all(this.topics.splice(0).map((topic) => topic.stop()))
    })
    afterAll(async () => {
      await Promise.all(this.services.map((service) => service.stop()))
    })
  }

  get kafka(): KafkaService {
    const [first] = this.services
    if (first === undefined) throw new Error('no broker')
    return first
  }

  /** All of them. */
  get brokers(): readonly KafkaService[] {
    return this.services
  }

  /** A name that no other test has. */
  newTopic(): string {
    this.count += 1
    return `topic-${this.count}`
  }

  /** Not started; stopped after the test. */
  make(options: Partial<KafkaTopicOptions>): KafkaTopic {
    const topic = new KafkaTopic({ brokers: this.services.map(({ bootstrap }) => bootstrap), ...options })
    this.topics.push(topic)
    return topic
  }

  async start(topic: string, options: Partial<KafkaTopicOptions> = {}): Promise<Node> {
    const got: string[] = []
    const made = this.make({ topic, ...options })
    await made.start((bytes) => got.push(Buffer.from(bytes).toString()))
    return { topic: made, got }
  }

  async deleteTopic(name: string): Promise<void> {
    await this.ask((connection) => deleteTopicsV6.api.async(connection, [{ name }], ADMIN_MS))
  }

  async addPartitions(name: string, count: number): Promise<void> {
    await this.ask((connection) => createPartitionsV3.api.async(connection, [{ name, count }], ADMIN_MS, false))
  }

  /** How many partitions the topic has; 0 if it is not there. */
  async partitions(name: string): Promise<number> {
    try {
      const { topics } = await this.ask((connection) => metadataV11.api.async(connection, [name], false, false))
      return topics[0]?.partitions.length ?? 0
    } catch (error) {
      if (error instanceof ResponseError) return 0
      throw error
    }
  }

  /** Resolves when each broker knows of all of them that they are alive. */
  async untilAlive(): Promise<void> {
    for (const { port } of this.services) {
      const alive = async (): Promise<number> =>
        (await this.ask((connection) => metadataV11.api.async(connection, [], false, false), port)).brokers.length
      await expect.poll(alive).toBe(this.services.length)
    }
  }

  /** Each partition of the topic, in order, as that broker knows it. */
  async placesOf(name: string, broker: KafkaService): Promise<readonly Placed[]> {
    const { topics } = await this.ask(
      (connection) => metadataV11.api.async(connection, [name], false, false),
      broker.port,
    )
    return (topics[0]?.partitions ?? [])
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ leaderId, replicaNodes, isrNodes }) => ({ leader: leaderId, replicas: replicaNodes, inStep: isrNodes }))
  }

  async config(name: string): Promise<ReadonlyMap<string, string | null | undefined>> {
    const resource = { resourceType: TOPIC, resourceName: name, configurationKeys: null } as const
    const { results } = await this.ask((connection) =>
      describeConfigsV4.api.async(connection, [resource], false, false),
    )
    return new Map(results[0]?.configs.map((config) => [config.name, config.value]))
  }

  private async ask<T>(request: (connection: Connection) => Promise<T>, port = this.kafka.port): Promise<T> {
    const connection = new Connection('tests')
    await new Promise<void>((resolve, reject) => {
      void connection.connect('127.0.0.1', port, (error) => {
        if (error) reject(error)
        else resolve()
      })
    })
    try {
      return await request(connection)
    } finally {
      connection.close(() => undefined)
    }
  }
}

export const text = (of: string | number): Uint8Array => Buffer.from(String(of))

/** What a promise has rejected with, and when. */
export async function failure(promise: Promise<unknown>): Promise<{ readonly error: unknown; readonly ms: number }> {
  const at = performance.now()
  try {
    await promise
  } catch (error) {
    return { error, ms: performance.now() - at }
  }
  throw new Error('it has not failed')
}
