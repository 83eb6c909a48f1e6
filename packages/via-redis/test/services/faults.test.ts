/**
 * Redis that is away, stands still, or must not be used: what both drivers do then.
 */
import { freePort, startRedis, type RedisService } from '@pidmesh/dev-services'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RedisLocations, RedisPubSub, type CommonOptions, type RedisPlace } from '../../src/index.ts'
import { connectionsOf, hasNoRedis, expectRejects, row, shownOf, text } from './redis.ts'

const TIMEOUT_MS = 1_000

/** Something that is started, asked and stopped. */
interface Driver {
  start(): Promise<void>
  stop(): Promise<void>
  /** Every call that it has, each once. */
  calls(): readonly Promise<unknown>[]
  /** Resolves when a call does what it should. */
  works(): Promise<void>
}

const bytes = Buffer.from('x')

function locations(options: RedisPlace & CommonOptions): Driver {
  const store = new RedisLocations({ timeoutMs: TIMEOUT_MS, ...options })
  const rows = [row('a', 'one')]
  return {
    start: () => store.start(),
    stop: () => store.stop(),
    calls: () => [store.put(rows), store.take(rows), store.release(rows), store.find(['a'])],
    works: async () => {
      await store.put(rows)
      expect(text((await store.find(['a']))[0])).toBe('of one')
    },
  }
}

function pubSub(options: RedisPlace & CommonOptions): Driver {
  const broker = new RedisPubSub({ timeoutMs: TIMEOUT_MS, ...options })
  let got = 0
  let listened = 0
  return {
    start: () => broker.start(() => got++),
    stop: () => broker.stop(),
    calls: () => [broker.publish('a', bytes), broker.listen(`a${++listened}`)],
    works: async () => {
      const before = got
      await broker.listen('works')
      await broker.publish('works', bytes)
      await expect.poll(() => got).toBeGreaterThan(before)
      await broker.unlisten('works')
    },
  }
}

describe.skipIf(hasNoRedis())('faults', () => {
  describe.each([
    { name: 'RedisLocations', make: locations },
    { name: 'RedisPubSub', make: pubSub },
  ])('$name', ({ make }) => {
    let redis: RedisService
    let driver: Driver | undefined

    beforeEach(async () => {
      redis = await startRedis()
    })
    afterEach(async () => {
      await driver?.stop()
      driver = undefined
      await redis.stop()
    })

    it('a start rejects in time if nobody is there', async () => {
      driver = make({ url: `redis://127.0.0.1:${await freePort()}` })
      await expectRejects(driver.start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
    })

    it('a start rejects in time if who is there says nothing', async () => {
      redis.pause()
      driver = make({ url: redis.url })
      await expectRejects(driver.start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      redis.resume()
      await driver.stop()
      await expect.poll(() => connectionsOf(redis)).toBe(0)
    })

    it('a start that has failed may be tried again', async () => {
      await redis.kill()
      driver = make({ url: redis.url })
      await expectRejects(driver.start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      await driver.stop()
      await redis.startAgain()
      await driver.start()
      await driver.works()
    })

    it('before start and after stop every call rejects', async () => {
      driver = make({ url: redis.url })
      for (const call of driver.calls()) await expectRejects(call, 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      await driver.start()
      await driver.stop()
      for (const call of driver.calls()) await expectRejects(call, 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
    })

    it('while Redis is away every call rejects in time, and when it is back all works by itself', async () => {
      driver = make({ url: redis.url })
      await driver.start()
      for (let round = 0; round < 2; round++) {
        await redis.kill()
        for (let call = 0; call < 3; call++)
          await Promise.all(driver.calls().map((one) => expectRejects(one, 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)))
        await redis.startAgain()
        const { works } = driver
        await expect
          .poll(() =>
            works().then(
              () => 'works',
              () => 'fails',
            ),
          )
          .toBe('works')
      }
      await expect.poll(() => connectionsOf(redis)).toBe(make === pubSub ? 2 : 1)
    })

    it('while Redis stands still every call rejects in time, and when it goes on all works by itself', async () => {
      driver = make({ url: redis.url })
      await driver.start()
      redis.pause()
      for (let call = 0; call < 3; call++)
        await Promise.all(driver.calls().map((one) => expectRejects(one, 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)))
      redis.resume()
      const { works } = driver
      await expect
        .poll(() =>
          works().then(
            () => 'works',
            () => 'fails',
          ),
        )
        .toBe('works')
      await expect.poll(() => connectionsOf(redis)).toBe(make === pubSub ? 2 : 1)
    })

    it('Redis that stands still is noticed also if calls come all the time', async () => {
      driver = make({ url: redis.url })
      await driver.start()
      const { calls } = driver
      redis.pause()
      const codes = new Set<string>()
      const asked: Promise<unknown>[] = []
      const timer = setInterval(() => {
        for (const call of calls()) asked.push(call.catch((error: Error) => codes.add(error.message)))
      }, 20)
      try {
        // The connection is given up, and no other comes about.
        await expect.poll(() => [...codes].join('\n')).toMatch(/can't be reached/)
      } finally {
        clearInterval(timer)
        redis.resume()
        await Promise.all(asked)
      }
    })

    it('more calls than may wait are refused at once', async () => {
      driver = make({ url: redis.url, timeoutMs: 3_000 })
      await driver.start()
      redis.pause()
      const { calls } = driver
      const codes = new Map<string, number>()
      const asked = Array.from({ length: 6_000 }, () => calls()).flat()
      const count = (error: { code: string }): unknown => codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
      await Promise.all(asked.map((call) => call.catch(count)))
      redis.resume()
      expect([...codes.keys()].toSorted()).toEqual(['ERR_STORE_OVERLOADED', 'ERR_STORE_UNAVAILABLE'])
      expect(codes.get('ERR_STORE_UNAVAILABLE')).toBeLessThanOrEqual(10_000)
      const { works } = driver
      await expect
        .poll(() =>
          works().then(
            () => 'works',
            () => 'fails',
          ),
        )
        .toBe('works')
    })

    it('a connection that is cut is opened again', async () => {
      driver = make({ url: redis.url })
      await driver.start()
      await redis.command('CLIENT', 'KILL', 'TYPE', 'NORMAL')
      await redis.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
      const { works } = driver
      await expect
        .poll(() =>
          works().then(
            () => 'works',
            () => 'fails',
          ),
        )
        .toBe('works')
    })

    it('after stop nothing keeps the process alive, whatever Redis does', async () => {
      const held = (): number =>
        process.getActiveResourcesInfo().filter((what) => what === 'TCPSocketWrap' || what === 'TCPConnectWrap').length
      const timers = (): number => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
      const before = held()
      const timersBefore = timers()
      for (const fault of ['none', 'kill', 'pause'] as const) {
        driver = make({ url: redis.url, timeoutMs: 60_000 })
        await driver.start()
        if (fault === 'kill') await redis.kill()
        if (fault === 'pause') redis.pause()
        const calls = driver.calls()
        await driver.stop()
        await Promise.allSettled(calls)
        await expect.poll(held).toBeLessThanOrEqual(before)
        await expect.poll(timers, { timeout: 10_000 }).toBeLessThanOrEqual(timersBefore + 1)
        if (fault === 'kill') await redis.startAgain()
      }
      redis.resume()
    })

    describe('that must not be used', () => {
      const PASSWORD = 'very-secret'
      let locked: RedisService | undefined

      afterEach(async () => {
        await driver?.stop()
        await locked?.stop()
        locked = undefined
      })

      async function expectUnfit(url: string): Promise<void> {
        driver = make({ url, timeoutMs: 5_000 })
        const error = await expectRejects(driver.start(), 'ERR_STORE_UNFIT', 5_000)
        expect(shownOf(error)).not.toMatch(/secret|somebody/)
      }

      it('the right password is taken, a wrong one and none are not, and no password is told', async () => {
        locked = await startRedis({ args: ['--requirepass', PASSWORD] })
        const { port } = locked
        await expectUnfit(`redis://127.0.0.1:${port}`)
        await expectUnfit(`redis://:not-secret@127.0.0.1:${port}`)
        await expectUnfit(`redis://somebody:${PASSWORD}@127.0.0.1:${port}`)
        driver = make({ url: `redis://:${PASSWORD}@127.0.0.1:${port}` })
        await driver.start()
        await driver.works()
      })

      it.each([
        { right: 'commands', rules: ['~*', '&*', '+@all', '-@scripting', '-@pubsub'] },
        { right: 'keys and channels', rules: ['~other:*', 'resetchannels', '&other:*', '+@all'] },
      ])('a user without a right to its $right is refused', async ({ rules }) => {
        locked = await startRedis()
        await locked.command('ACL', 'SETUSER', 'somebody', 'on', `>${PASSWORD}`, ...rules)
        await expectUnfit(`redis://somebody:${PASSWORD}@127.0.0.1:${locked.port}`)
      })

      it('the rights in the README are enough', async () => {
        locked = await startRedis()
        const commands = [
          '+evalsha',
          '+eval',
          '+time',
          '+hget',
          '+hset',
          '+hmget',
          '+del',
          '+pexpireat',
          '+ping',
          '+role',
        ]
        const pubsub = ['+publish', '+subscribe', '+unsubscribe', '+spublish', '+ssubscribe', '+sunsubscribe']
        const rules = ['~pidmesh:*', 'resetchannels', '&pidmesh:*', '+hello', '+select', ...commands, ...pubsub]
        await locked.command('ACL', 'SETUSER', 'somebody', 'on', `>${PASSWORD}`, ...rules)
        driver = make({ url: `redis://somebody:${PASSWORD}@127.0.0.1:${locked.port}` })
        await driver.start()
        await expect(driver.works()).resolves.toBeUndefined()
      })

      it('a replica is refused, also to a user who may not ask what it is, if something is written', async () => {
        locked = await startRedis({ args: ['--replicaof', '127.0.0.1', `${redis.port}`] })
        await expectUnfit(locked.url)
        if (make === pubSub) return
        await locked.command('ACL', 'SETUSER', 'somebody', 'on', `>${PASSWORD}`, '~*', '+@all', '-role')
        await expectUnfit(`redis://somebody:${PASSWORD}@127.0.0.1:${locked.port}`)
      })

      it('a server that becomes a replica is noticed, and used again when it is none', async () => {
        driver = make({ url: redis.url })
        await driver.start()
        locked = await startRedis()
        await redis.command('REPLICAOF', '127.0.0.1', `${locked.port}`)
        const { calls, works } = driver
        const code = (): Promise<unknown> =>
          Promise.all(calls()).then(
            () => 'works',
            (error: { code: string }) => error.code,
          )
        await expect.poll(code).toBe('ERR_STORE_UNFIT')
        await redis.command('REPLICAOF', 'NO', 'ONE')
        await expect
          .poll(() =>
            works().then(
              () => 'works',
              () => 'fails',
            ),
          )
          .toBe('works')
      })
    })
  })

  describe('RedisPubSub, of what it listens to', () => {
    let redis: RedisService
    const brokers: RedisPubSub[] = []

    beforeEach(async () => {
      redis = await startRedis()
    })
    afterEach(async () => {
      await Promise.all(brokers.splice(0).map((one) => one.stop()))
      await redis.stop()
    })

    it.each([
      { channels: 'each', sharded: false },
      { channels: 'each', sharded: true },
      { channels: 'shared', sharded: false },
    ] as const)('listens again by itself: channels $channels, sharded $sharded', async (way) => {
      const got: (string | undefined)[] = []
      const broker = new RedisPubSub({ url: redis.url, timeoutMs: TIMEOUT_MS, ...way })
      const other = new RedisPubSub({ url: redis.url, timeoutMs: TIMEOUT_MS, ...way })
      brokers.push(broker, other)
      await broker.start((message) => got.push(text(message)))
      await other.start(() => undefined)
      for (const channel of ['a', 'b', 'c']) await broker.listen(channel)
      await broker.unlisten('c')
      for (const fault of ['kill', 'pause'] as const) {
        if (fault === 'kill') {
          await redis.kill()
          await redis.startAgain()
        } else {
          redis.pause()
          await expectRejects(other.publish('a', bytes), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
          redis.resume()
        }
        await expect
          .poll(async () => {
            await other.publish('b', Buffer.from(fault)).catch(() => undefined)
            return got
          })
          .toContain(fault)
        // Nothing of it was lost, and nothing has come back.
        const list = await redis.command('PUBSUB', way.sharded ? 'SHARDCHANNELS' : 'CHANNELS')
        const expected = way.channels === 'each' ? ['pidmesh:to:a', 'pidmesh:to:b'] : ['pidmesh:all']
        expect(list.split('\n').toSorted()).toEqual(expected)
      }
    })

    it('a listen that has failed is not made up for later', async () => {
      const broker = new RedisPubSub({ url: redis.url, timeoutMs: TIMEOUT_MS })
      brokers.push(broker)
      await broker.start(() => undefined)
      await broker.listen('kept')
      redis.pause()
      await expectRejects(broker.listen('failed'), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      await broker.unlisten('kept')
      redis.resume()
      await expect.poll(() => broker.publish('kept', bytes).catch(() => undefined)).toBe(0)
      await broker.listen('new')
      expect(await redis.command('PUBSUB', 'CHANNELS')).toBe('pidmesh:to:new')
    })

    it('what throws when a message comes does not lose the next one', async () => {
      const broker = new RedisPubSub({ url: redis.url })
      brokers.push(broker)
      const thrown: unknown[] = []
      const others = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.on('uncaughtException', (error) => thrown.push(error))
      try {
        let got = 0
        await broker.start(() => {
          got++
          throw new Error('of the listener')
        })
        await broker.listen('a')
        await Promise.all([broker.publish('a', bytes), broker.publish('a', bytes), broker.publish('a', bytes)])
        await expect.poll(() => [got, thrown.length]).toEqual([3, 3])
      } finally {
        process.removeAllListeners('uncaughtException')
        for (const other of others) process.on('uncaughtException', other)
      }
    })
  })
})
