/**
 * `TopicWriter`: which partition a message goes to, and how much may wait for all of them.
 *
 *   publish ─▶ over maxWaitingBytes? ─▶ the partition of the channel ─▶ its PartitionWriter
 *
 * - A channel stays in its partition while the topic lives, also when partitions are added: what is in two of them is in no order.
 */
import { StoreError } from '@pidmesh/via-kit'
import type { TopicView } from './cluster.ts'
import type { Settings } from './options.ts'
import { PartitionWriter, bytesOf, type Leaders } from './partition-writer.ts'
import { partitionOf } from './partition.ts'

export class TopicWriter {
  private readonly settings: Settings
  private readonly cluster: Leaders
  private readonly writers = new Map<number, PartitionWriter>()
  private topicId: string | undefined
  private partitions = 0
  private bytes = 0

  constructor(settings: Settings, cluster: Leaders) {
    this.settings = settings
    this.cluster = cluster
  }

  /** What waits for brokers, and what is under way to them. */
  get waitingBytes(): number {
    return this.bytes
  }

  /** May be tried again. */
  async prepare(view: TopicView): Promise<void> {
    this.follow(view)
    await Promise.all(Array.from({ length: this.partitions }, (_, partition) => this.writer(partition).prepare()))
  }

  async publish(channel: string, message: Uint8Array): Promise<void> {
    const key = Buffer.from(channel)
    const bytes = bytesOf(key, message)
    const { maxWaitingBytes } = this.settings
    if (this.bytes + bytes > maxWaitingBytes) {
      throw new StoreError('ERR_STORE_OVERLOADED', `Kafka: more than ${maxWaitingBytes} bytes would wait for brokers`)
    }
    this.bytes += bytes
    try {
      const { view } = this.cluster
      if (view !== undefined) this.follow(view)
      const value = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
      await this.writer(partitionOf(channel, this.partitions)).push(key, value)
    } finally {
      this.bytes -= bytes
    }
  }

  /** After the cluster is closed: resolves when all that has waited is rejected. */
  async stop(): Promise<void> {
    await Promise.all([...this.writers.values()].map((writer) => writer.stop()))
  }

  private follow({ id, partitions }: TopicView): void {
    if (id === this.topicId) return
    this.topicId = id
    this.partitions = partitions
  }

  private writer(partition: number): PartitionWriter {
    const known = this.writers.get(partition)
    if (known !== undefined) return known
    const writer = new PartitionWriter(partition, this.settings, this.cluster)
    this.writers.set(partition, writer)
    return writer
  }
}
