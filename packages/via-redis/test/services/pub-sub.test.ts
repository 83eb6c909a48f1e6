import { startRedis, type RedisService } from '@pidmesh/dev-services'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisPubSub, type PubSubTuning } from '../../src/index.ts'
import { hasNoRedis, text } from './redis.ts'

const WAYS: readonly Pick<PubSubTuning, 'channels' | 'sharded'>[] = [
  { channels: 'each', sharded: false },
  { channels: 'each', sharded: true },
  { channels: 'shared', sharded: false },
  { channels: 'shared', sharded: true },
]

describe.skipIf(hasNoRedis())('RedisPubSub', () => {
  let redis: RedisService
  const started: RedisPubSub[] = []

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()))
  })

  interface Node {
    readonly broker: RedisPubSub
    readonly got: Uint8Array[]
    texts(): readonly (string | undefined)[]
  }

  async function start(options: PubSubTuning): Promise<Node> {
    const broker = new RedisPubSub({ url: redis.url, ...options })
    started.push(broker)
    const got: Uint8Array[] = []
    await broker.start((bytes) => got.push(bytes))
    return { broker, got, texts: () => got.map(text) }
  }

  describe.each(WAYS)('with channels $channels, sharded $sharded', (way) => {
    it('what is published comes to all that listen, the publisher as well', async () => {
      const nodes = await Promise.all([start(way), start(way)])
      for (const { broker } of nodes) await broker.listen('a')
      await nodes[0]?.broker.publish('a', Buffer.from('hello'))
      for (const { texts } of nodes) await expect.poll(texts).toEqual(['hello'])
    })

    it('comes once, and in the order in which it was published', async () => {
      const one = await start(way)
      const two = await start(way)
      await Promise.all([one.broker.listen('a'), two.broker.listen('a'), two.broker.listen('a')])
      const sent = Array.from({ length: 500 }, (_, index) => `${index}`)
      await Promise.all(sent.map((message) => one.broker.publish('a', Buffer.from(message))))
      await expect.poll(() => two.got.length).toBeGreaterThanOrEqual(sent.length)
      expect(two.texts()).toEqual(sent)
    })

    it('any bytes come as they were, also none; and are the receiver’s own', async () => {
      const { broker, got } = await start(way)
      await broker.listen('a')
      const all = Uint8Array.from({ length: 256 }, (_, index) => index)
      await broker.publish('a', all)
      await broker.publish('a', new Uint8Array())
      await expect.poll(() => got.length).toBe(2)
      expect(got[0]).toStrictEqual(all)
      expect(got[1]).toStrictEqual(new Uint8Array())
      expect(got[0]?.buffer.byteLength).toBe(256)
    })

    it('what was published before a node listens does not come', async () => {
      const one = await start(way)
      await one.broker.publish('a', Buffer.from('early'))
      const two = await start(way)
      await two.broker.listen('a')
      await one.broker.publish('a', Buffer.from('late'))
      await expect.poll(two.texts).toEqual(['late'])
    })

    it('what is published as soon as listen has resolved comes', async () => {
      const one = await start(way)
      const two = await start(way)
      for (let round = 0; round < 50; round++) {
        await two.broker.listen(`channel ${round}`)
        await one.broker.publish(`channel ${round}`, Buffer.from(`${round}`))
      }
      await expect.poll(() => two.got.length).toBe(50)
    })

    it('after stop nothing comes, and every call rejects', async () => {
      const one = await start(way)
      const two = await start(way)
      await one.broker.listen('a')
      await one.broker.stop()
      await two.broker.publish('a', Buffer.from('late'))
      await expect(one.broker.listen('b')).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      await expect(one.broker.publish('b', Buffer.from(''))).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
      expect(one.got).toEqual([])
    })
  })

  describe.each([{ sharded: false }, { sharded: true }])('with a channel for each, sharded $sharded', (way) => {
    it('publish says how many connections have got it', async () => {
      const nodes = await Promise.all([start(way), start(way), start(way)])
      const [first] = nodes
      expect(first?.broker.countsListeners).toBe(true)
      expect(await first?.broker.publish('a', Buffer.from('x'))).toBe(0)
      for (const [index, { broker }] of nodes.entries()) {
        await broker.listen('a')
        expect(await first?.broker.publish('a', Buffer.from('x'))).toBe(index + 1)
      }
      await first?.broker.unlisten('a')
      expect(await first?.broker.publish('a', Buffer.from('x'))).toBe(2)
    })

    it('only what is listened to comes', async () => {
      const { broker, texts } = await start(way)
      await broker.listen('a')
      await broker.publish('b', Buffer.from('of b'))
      await broker.publish('a', Buffer.from('of a'))
      await expect.poll(texts).toEqual(['of a'])
    })

    it('channels are told apart whatever is in them, and are no patterns', async () => {
      const { broker, texts } = await start(way)
      const channels = ['a b', 'a%20b', '*', '{a}1', '{a}2', '\uD83D', '\uDE00', '\uFFFD', 'ä', '\n']
      for (const channel of channels) await broker.listen(channel)
      for (const [index, channel] of channels.entries()) {
        expect(await broker.publish(channel, Buffer.from(`${index}`))).toBe(1)
      }
      await expect.poll(texts).toEqual(channels.map((_, index) => `${index}`))
    })

    it('of listen and unlisten that are under way at once the last one counts', async () => {
      const { broker, got } = await start(way)
      for (let round = 0; round < 20; round++) {
        void broker.listen('a')
        void broker.unlisten('a')
        await broker.listen('a')
        expect(await broker.publish('a', Buffer.from('x'))).toBe(1)
        await expect.poll(() => got.length).toBe(round + 1)
        void broker.listen('a')
        await broker.unlisten('a')
        await expect.poll(() => broker.publish('a', Buffer.from('y'))).toBe(0)
      }
      expect(got.map(text)).toEqual(Array.from({ length: 20 }, () => 'x'))
    })

    it('another prefix has other channels', async () => {
      const one = await start(way)
      const other = await start({ ...way, prefix: 'other:' })
      await other.broker.listen('a')
      expect(await one.broker.publish('a', Buffer.from('x'))).toBe(0)
    })
  })

  it('with one channel for all, who listens is not known, and all comes to all', async () => {
    const one = await start({ channels: 'shared' })
    const two = await start({ channels: 'shared' })
    expect(one.broker.countsListeners).toBe(false)
    expect(await one.broker.publish('a', Buffer.from('x'))).toBeUndefined()
    await expect.poll(two.texts).toEqual(['x'])
    expect(await redis.command('PUBSUB', 'CHANNELS')).toBe('pidmesh:all')
  })

  it('what is listened to and is not any more is not subscribed to either', async () => {
    const { broker } = await start({})
    await broker.listen('a')
    await broker.listen('b')
    await broker.unlisten('a')
    expect(await redis.command('PUBSUB', 'CHANNELS')).toBe('pidmesh:to:b')
  })
})
