import { describe, expect, it } from 'vitest'
import { BrokerFault } from '../src/broker-fault.ts'
import type { Keyed } from '../src/broker-link.ts'
import type { TopicView } from '../src/cluster.ts'
import { checkOptions } from '../src/options.ts'
import { partitionOf } from '../src/partition.ts'
import { bytesOf, type Leaders } from '../src/partition-writer.ts'
import { TopicWriter } from '../src/topic-writer.ts'

function viewOf(id: string, partitions: number): TopicView {
  return { id, partitions, leaders: new Map() }
}

/** Has everything, as long as it is not held up. */
class FakeLeaders implements Leaders {
  readonly signal = new AbortController().signal
  readonly written: (readonly [number, string])[] = []
  readonly producers: bigint[] = []
  hold: Promise<void> = Promise.resolve()
  isBroken = false
  view: TopicView | undefined

  constructor(view: TopicView) {
    this.view = view
  }

  async leader(partition: number): ReturnType<Leaders['leader']> {
    const produce = async (_: string, __: number, records: readonly Keyed[]): Promise<void> => {
      await this.hold
      if (this.isBroken) throw new BrokerFault('unfit', 'broken')
      this.written.push(...records.map(({ value }) => [partition, value.toString()] as const))
    }
    return { produce, close: () => undefined }
  }

  async newProducerId(): Promise<bigint> {
    this.producers.push(BigInt(this.producers.length))
    return this.producers.at(-1) ?? 0n
  }

  async tryRefresh(): Promise<void> {
    // The view is what the test says.
  }
}

async function start(
  view: TopicView,
  maxWaitingBytes?: number,
): Promise<{ readonly leaders: FakeLeaders; readonly writer: TopicWriter }> {
  const leaders = new FakeLeaders(view)
  const writer = new TopicWriter(checkOptions({ brokers: ['a:1'], maxWaitingBytes }), leaders)
  await writer.prepare(view)
  return { leaders, writer }
}

const CHANNELS = Array.from({ length: 20 }, (_, n) => `channel ${n}`)

async function partitionsOf({ writer, leaders }: Awaited<ReturnType<typeof start>>): Promise<readonly number[]> {
  leaders.written.splice(0)
  for (const channel of CHANNELS) await writer.publish(channel, Buffer.from(channel))
  expect(leaders.written.map(([, value]) => value)).toEqual(CHANNELS)
  return leaders.written.map(([partition]) => partition)
}

describe('a topic’s writer', () => {
  it('leaves a channel in its partition while the topic lives, also if others are added, and not after it was made again', async () => {
    const started = await start(viewOf('1', 3))
    const of = (partitions: number): readonly number[] => CHANNELS.map((channel) => partitionOf(channel, partitions))
    expect(await partitionsOf(started)).toEqual(of(3))
    started.leaders.view = viewOf('1', 8)
    expect(await partitionsOf(started)).toEqual(of(3))
    started.leaders.view = viewOf('2', 2)
    expect(await partitionsOf(started)).toEqual(of(2))
  })

  it('asks who it is to the brokers for each partition before the first message', async () => {
    const { leaders } = await start(viewOf('1', 3))
    expect(leaders.producers).toHaveLength(3)
  })

  it('refuses at once what would make more wait than may, and takes it when that is written, or given up', async () => {
    const message = new Uint8Array(100)
    const each = bytesOf(Buffer.from('a'), message)
    const { leaders, writer } = await start(viewOf('1', 1), 2 * each)
    const publish = (): Promise<void> => writer.publish('a', message)
    for (const isBroken of [false, true, false]) {
      let goOn = (): void => undefined
      leaders.hold = new Promise((resolve) => (goOn = resolve))
      leaders.isBroken = isBroken
      const waiting = Promise.allSettled([publish(), publish()])
      await expect(publish()).rejects.toMatchObject({ code: 'ERR_STORE_OVERLOADED' })
      expect(writer.waitingBytes).toBe(2 * each)
      goOn()
      const status = isBroken ? 'rejected' : 'fulfilled'
      expect(await waiting).toMatchObject([{ status }, { status }])
      expect(writer.waitingBytes).toBe(0)
    }
  })

  it('writes of a message that is a part of other bytes that part only', async () => {
    const { leaders, writer } = await start(viewOf('1', 1))
    await writer.publish('a', new TextEncoder().encode('not this').subarray(4))
    expect(leaders.written).toEqual([[0, 'this']])
  })
})
