/**
 * `PartitionWriter`: what is written to one partition, in order, each message once.
 *
 *   push ─▶ waiting ─▶ the rest of the turn, or lingerMs ─▶ a batch ─▶ the leader ─▶ resolved
 *                                                             └── again, while the oldest of the batch has time left ─▶ rejected
 *
 * - One batch is under way at a time. It is sent again as it was, with the same sequence: the broker keeps it once.
 * - A batch that is given up may still be on its way. The next one is of a later epoch, so that the broker refuses the one before if it comes after it.
 * - A message waits for no longer than its time: all have the same, and the oldest is first.
 */
import { BrokerFault, faultOf, publishErrorOf } from './broker-fault.ts'
import type { BrokerLink, Keyed, Stamp } from './broker-link.ts'
import { AGAIN_MS, type TopicView } from './cluster.ts'
import type { Settings } from './options.ts'
import { after, laterOf } from './stamp.ts'
import { pause, within } from './within.ts'

/** One message alone may be more. Less than a topic takes if nobody has said otherwise: 1 MiB. */
const BATCH_BYTES = 512 * 1024
/** What a record has beside its key and its value, at most. */
const RECORD_BYTES = 64

/** What a writer needs of the cluster. */
export interface Leaders {
  readonly view: TopicView | undefined
  readonly signal: AbortSignal
  leader(partition: number): Promise<Pick<BrokerLink, 'produce' | 'close'>>
  newProducerId(): Promise<bigint>
  tryRefresh(): Promise<void>
}

interface Waiting extends Keyed {
  readonly bytes: number
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Producer extends Stamp {
  readonly topicId: string
}

export class PartitionWriter {
  private readonly partition: number
  private readonly settings: Settings
  private readonly cluster: Leaders
  private readonly waiting: Waiting[] = []
  private producer: Producer | undefined
  private running: Promise<void> | undefined

  constructor(partition: number, settings: Settings, cluster: Leaders) {
    this.partition = partition
    this.settings = settings
    this.cluster = cluster
  }

  /** Resolves when the broker has it. */
  push(key: Buffer, value: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + this.settings.timeoutMs
      this.waiting.push({ key, value, bytes: bytesOf(key, value), deadlineMs, resolve, reject })
      this.running ??= this.run()
    })
  }

  /** Asks for who this writer is to the brokers, so that the first message doesn't wait for it. */
  async prepare(): Promise<void> {
    await this.whoWrites()
  }

  /** After the cluster is closed: resolves when all that has waited is rejected. */
  async stop(): Promise<void> {
    await this.running
  }

  private async run(): Promise<void> {
    await this.linger()
    while (this.waiting.length > 0) {
      const batch = this.takeBatch()
      try {
        await this.write(batch)
      } catch (error) {
        const told = publishErrorOf(faultOf(error), this.settings.topic)
        for (const { reject } of batch) reject(told)
      }
    }
    this.running = undefined
  }

  private async linger(): Promise<void> {
    const { lingerMs } = this.settings
    if (lingerMs > 0) await pause(lingerMs, this.cluster.signal)
    else await new Promise((resolve) => setImmediate(resolve))
  }

  private takeBatch(): Waiting[] {
    let bytes = 0
    const over = this.waiting.findIndex((each) => (bytes += each.bytes) > BATCH_BYTES)
    return this.waiting.splice(0, over === -1 ? this.waiting.length : Math.max(over, 1))
  }

  /** Resolves each of the batch; what rejects is of those that are left in it. */
  private async write(batch: Waiting[]): Promise<void> {
    const deadlineMs = batch[0]?.deadlineMs ?? 0
    try {
      await this.sendUntil(deadlineMs, batch)
    } catch (error) {
      this.isOver()
      throw this.cluster.signal.aborted ? new BrokerFault('away', 'stopped') : error
    }
  }

  private async sendUntil(deadlineMs: number, batch: Waiting[]): Promise<void> {
    let last = new BrokerFault('away', 'no answer in time')
    while (performance.now() < deadlineMs && !this.cluster.signal.aborted) {
      try {
        return await this.send(batch, deadlineMs)
      } catch (error) {
        last = faultOf(error)
      }
      await within(this.prepareForNext(last, batch), deadlineMs - performance.now())
      // Also a timer that was early has ended the time: nothing is sent again in the moment that is left.
      if (performance.now() + AGAIN_MS >= deadlineMs) break
      await pause(AGAIN_MS, this.cluster.signal)
    }
    // What was too large together may each be small enough.
    throw last.kind === 'too-large' ? new BrokerFault('away', 'no time left to send less together') : last
  }

  private async send(batch: readonly Waiting[], deadlineMs: number): Promise<void> {
    const { topic } = this.settings
    const leftMs = (): number => deadlineMs - performance.now()
    const by = await within(this.whoWrites(), leftMs())
    const link = await within(this.cluster.leader(this.partition), leftMs())
    try {
      await within(link.produce(topic, this.partition, batch, by), leftMs())
    } catch (error) {
      // What is not answered stands before all that is sent over it later.
      if (faultOf(error).kind === 'away') link.close()
      throw error
    }
    this.producer = { ...by, ...after(by, batch.length) }
    for (const { resolve } of batch) resolve()
  }

  /** @throws BrokerFault by rejection, if the batch is not to be sent again */
  private async prepareForNext(fault: BrokerFault, batch: Waiting[]): Promise<void> {
    switch (fault.kind) {
      case 'away':
      case 'moved':
        return this.cluster.tryRefresh()
      case 'no-topic':
        await this.cluster.tryRefresh()
        if ((this.cluster.view?.partitions ?? 0) > this.partition) return
        throw fault
      case 'fenced':
        return this.isOver()
      case 'too-large':
        if (batch.length === 1) throw fault
        this.waiting.unshift(...batch.splice(Math.ceil(batch.length / 2)))
        // The rest ends elsewhere than what was sent with this sequence.
        return this.isOver()
      case 'too-few-brokers':
      case 'out-of-range':
      case 'unreadable':
      case 'unfit':
        throw fault
    }
  }

  /** What was sent so far, and is not there yet, is not to be there any more once something else is. */
  private isOver(): void {
    const { producer } = this
    if (producer === undefined) return
    const later = laterOf(producer)
    this.producer = later && { ...producer, ...later }
  }

  private async whoWrites(): Promise<Producer> {
    const topicId = this.cluster.view?.id
    if (topicId === undefined) throw new BrokerFault('no-topic', 'there is no topic')
    // A topic that was made again may be one of other brokers, who have given the id to somebody else.
    if (this.producer?.topicId === topicId) return this.producer
    const producerId = await this.cluster.newProducerId()
    this.producer = { producerId, epoch: 0, sequence: 0, topicId }
    return this.producer
  }
}

export function bytesOf(key: Uint8Array, value: Uint8Array): number {
  return key.byteLength + value.byteLength + RECORD_BYTES
}
