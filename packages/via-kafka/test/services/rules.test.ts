/**
 * The rules of a message broker, with a broker that runs.
 */
import { describe, expect, it } from 'vitest'
import { TestBroker, failure, text } from './broker.ts'

const broker = new TestBroker()
/** What a failure may take beyond its time, on a machine that is busy. */
const SLACK_MS = 1_500

describe('what is published', () => {
  it('comes once to every node, the publisher included, and in order for each channel', async () => {
    const name = broker.newTopic()
    const nodes = await Promise.all([broker.start(name), broker.start(name)])
    const [first] = nodes
    const channels = Array.from({ length: 40 }, (_, index) => `channel ${index}`)
    for (let turn = 0; turn < 25; turn++) {
      for (const channel of channels) void first.topic.publish(channel, text(`${channel}: ${turn}`))
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const { got } of nodes) {
      await expect.poll(() => got.length).toBe(1_000)
      for (const channel of channels) {
        const ofChannel = got.filter((message) => message.startsWith(`${channel}: `))
        expect(ofChannel).toEqual(Array.from({ length: 25 }, (_, turn) => `${channel}: ${turn}`))
      }
    }
  })

  it('comes whether a channel is listened to or not, and is not counted', async () => {
    const { topic, got } = await broker.start(broker.newTopic())
    expect(topic.countsListeners).toBe(false)
    await topic.listen('a')
    await topic.unlisten('a')
    expect(await topic.publish('a', text('one'))).toBeUndefined()
    await expect.poll(() => got).toEqual(['one'])
  })

  it('does not come to a node that starts afterwards', async () => {
    const name = broker.newTopic()
    const early = await broker.start(name)
    for (let index = 0; index < 8; index++) await early.topic.publish(`channel ${index}`, text('past'))
    const late = await broker.start(name)
    for (let index = 0; index < 8; index++) await early.topic.publish(`channel ${index}`, text('now'))
    await expect.poll(() => late.got.length).toBe(8)
    expect(new Set(late.got)).toEqual(new Set(['now']))
  })

  it('comes if it is published as soon as the start of a node has resolved', async () => {
    const name = broker.newTopic()
    const publisher = await broker.start(name)
    for (let round = 0; round < 10; round++) {
      const { topic, got } = await broker.start(name)
      await publisher.topic.publish(`channel ${round}`, text(round))
      await expect.poll(() => got).toEqual([String(round)])
      await topic.stop()
    }
  })

  it('comes as bytes that are the receiver’s own', async () => {
    const topic = broker.make({ topic: broker.newTopic() })
    const got: Uint8Array[] = []
    await topic.start((bytes) => got.push(bytes))
    await Promise.all([topic.publish('a', Uint8Array.of(0, 1, 255)), topic.publish('a', new Uint8Array(0))])
    await expect.poll(() => got.length).toBe(2)
    expect(got).toEqual([Uint8Array.of(0, 1, 255), new Uint8Array(0)])
    expect(got.map(({ buffer }) => buffer.byteLength)).toEqual([3, 0])
  })

  it('is kept by all replicas in step with acks all', async () => {
    const { topic, got } = await broker.start(broker.newTopic(), { acks: 'all', lingerMs: 5 })
    await Promise.all([1, 2, 3].map((each) => topic.publish('a', text(each))))
    await expect.poll(() => got).toEqual(['1', '2', '3'])
  })

  it('is refused if it is larger than the topic takes, and what is published with it is not', async () => {
    const { topic, got } = await broker.start(broker.newTopic(), { partitions: 1 })
    const before = topic.publish('a', text('before'))
    const large = failure(topic.publish('a', new Uint8Array(1_100_000)))
    const after = topic.publish('a', text('after'))
    await Promise.all([before, after])
    expect((await large).error).toMatchObject({
      code: 'ERR_MESSAGE_TOO_LARGE',
      message: expect.stringContaining('larger'),
    })
    await expect.poll(() => got).toEqual(['before', 'after'])
  })
})

describe('a receiver that throws', () => {
  it('misses nothing, gets nothing twice, and its error is not swallowed', async () => {
    const topic = broker.make({ topic: broker.newTopic() })
    const got: string[] = []
    const thrown: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => thrown.push(error))
    try {
      await topic.start((bytes) => {
        got.push(Buffer.from(bytes).toString())
        if (got.length === 1) throw new Error('of the receiver')
      })
      await Promise.all([1, 2].map((each) => topic.publish('a', text(each))))
      await topic.publish('a', text(3))
      await expect.poll(() => got).toEqual(['1', '2', '3'])
      expect(thrown).toEqual([new Error('of the receiver')])
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    }
  })
})

describe('the topic', () => {
  it('is made with its partitions, by one of several nodes that start at once, and keeps a minute', async () => {
    const name = broker.newTopic()
    await Promise.all([1, 2, 3].map(() => broker.start(name, { partitions: 3 })))
    expect(await broker.partitions(name)).toBe(3)
    const config = await broker.config(name)
    expect(config.get('retention.ms')).toBe('60000')
    expect(config.get('cleanup.policy')).toBe('delete')
    expect(config.get('message.timestamp.type')).toBe('LogAppendTime')
  })

  it('is used as it is if it is there', async () => {
    const name = broker.newTopic()
    await broker.start(name, { partitions: 2 })
    const { topic, got } = await broker.start(name, { partitions: 8, createTopic: false })
    await topic.publish('a', text('one'))
    await expect.poll(() => got).toEqual(['one'])
    expect(await broker.partitions(name)).toBe(2)
  })

  it('is not made without createTopic: the start fails, and says what to do', async () => {
    const name = broker.newTopic()
    const { error } = await failure(broker.start(name, { createTopic: false }))
    expect(error).toMatchObject({
      code: 'ERR_STORE_UNFIT',
      message: expect.stringContaining(`no topic ${name}: make it`),
    })
    expect(await broker.partitions(name)).toBe(0)
  })

  it('can’t have more replicas than there are brokers: the start fails', async () => {
    const { error } = await failure(broker.start(broker.newTopic(), { replicas: 3 }))
    expect(error).toMatchObject({
      code: 'ERR_STORE_UNFIT',
      message: expect.stringContaining('INVALID_REPLICATION_FACTOR'),
    })
  })
})

describe('a login', () => {
  const mechanisms = ['PLAIN', 'SCRAM-SHA-256'] as const

  it.each(mechanisms)('lets a node in by %s', async (mechanism) => {
    const { saslBootstrap, user } = broker.kafka
    const { topic, got } = await broker.start(broker.newTopic(), {
      brokers: [saslBootstrap],
      sasl: { mechanism, ...user },
    })
    await topic.publish('a', text('one'))
    await expect.poll(() => got).toEqual(['one'])
  })

  it.each([...mechanisms, 'SCRAM-SHA-512' as const])(
    'that is wrong makes the start fail by %s, without credentials in what is said',
    async (mechanism) => {
      const { saslBootstrap } = broker.kafka
      const sasl = { mechanism, username: 'the-username', password: 'the-password' }
      const { error, ms } = await failure(broker.start(broker.newTopic(), { brokers: [saslBootstrap], sasl }))
      expect(error).toMatchObject({ code: 'ERR_STORE_UNFIT' })
      expect(ms).toBeLessThan(4_000)
      expect(`${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`).not.toMatch(
        /the-username|the-password/,
      )
    },
  )

  it('that is missing makes the start fail in time, and the message asks for it', async () => {
    const options = { brokers: [broker.kafka.saslBootstrap], timeoutMs: 800 }
    const { error, ms } = await failure(broker.start(broker.newTopic(), options))
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', message: expect.stringContaining('a login?') })
    expect(ms).toBeLessThan(800 + SLACK_MS)
  })
})

describe('a connection by TLS', () => {
  it('to brokers without it makes the start fail in time', async () => {
    const { error, ms } = await failure(broker.start(broker.newTopic(), { tls: true, timeoutMs: 800 }))
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_STORE_UN/) })
    expect(ms).toBeLessThan(800 + SLACK_MS)
  })
})
