/**
 * A broker for a file of tests, what tests do to it beside what a KafkaTopic does, and nodes of it that write down what comes.
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
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { KafkaTopic, type KafkaTopicOptions } from '../../src/index.ts'

const ADMIN_MS = 5_000
/** Of a resource that is a topic. */
const TOPIC = 2

export interface Node {
  readonly topic: KafkaTopic
  /** What has come, as text. */
  readonly got: string[]
}

/** Starts a broker before all tests of the file; skips them, with a line that says what is missing, if there can't be one. */
export class TestBroker {
  private readonly topics: KafkaTopic[] = []
  private service: KafkaService | undefined
  private count = 0

  /** Where nothing may be skipped there is none, or the file fails. */
  readonly isMissing: boolean = mustSkip(kafkaMissing())

  constructor() {
    const { isMissing } = this
    beforeAll(async () => {
      if (!isMissing) this.service = await startKafka()
    })
    beforeEach(({ skip }) => {
      if (isMissing) skip()
    })
    afterEach(async () => {
      await Promise.all(this.topics.splice(0).map((topic) => topic.stop()))
    })
    afterAll(async () => {
      await this.service?.stop()
    })
  }

  get kafka(): KafkaService {
    if (this.service === undefined) throw new Error('no broker')
    return this.service
  }

  /** A name that no other test has. */
  newTopic(): string {
    this.count += 1
    return `topic-${this.count}`
  }

  /** Not started; stopped after the test. */
  make(options: Partial<KafkaTopicOptions>): KafkaTopic {
    const topic = new KafkaTopic({ brokers: [this.kafka.bootstrap], ...options })
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

  async config(name: string): Promise<ReadonlyMap<string, string | null | undefined>> {
    const resource = { resourceType: TOPIC, resourceName: name, configurationKeys: null } as const
    const { results } = await this.ask((connection) =>
      describeConfigsV4.api.async(connection, [resource], false, false),
    )
    return new Map(results[0]?.configs.map((config) => [config.name, config.value]))
  }

  private async ask<T>(request: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = new Connection('tests')
    await new Promise<void>((resolve, reject) => {
      void connection.connect('127.0.0.1', this.kafka.port, (error) => {
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
