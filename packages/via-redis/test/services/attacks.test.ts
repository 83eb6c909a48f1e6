/**
 * PURPOSE: what an attacker has found between the driver and Redis, one rule each.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { startRedis, type RedisService } from '@pidmesh/dev-services'
import { StoreError } from '@pidmesh/via-kit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RedisLocations, RedisPubSub } from '../../src/index.ts'
import { connectionsOf, expectRejects, hasNoRedis, row, text } from './redis.ts'

const TIMEOUT_MS = 1_000
const bytes = new Uint8Array([1])

/** Between a driver and Redis. */
class Proxy {
  /** The first byte of the next reply becomes one that is none. */
  spoilsNext = false
  /** Comes in place of the next reply. */
  says: string | undefined = undefined
  private readonly server = createServer((client) => this.onClient(client))
  private readonly port: number

  constructor(port: number) {
    this.port = port
  }

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.server.close()
  }

  private onClient(client: Socket): void {
    const redis = connect(this.port, '127.0.0.1')
    client.pipe(redis)
    redis.on('data', (data) => {
      if (this.spoilsNext) data[0] = 0x7f
      this.spoilsNext = false
      client.write(this.says ?? data)
      this.says = undefined
    })
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  }
}

describe.skipIf(hasNoRedis())('a driver of Redis', () => {
  let redis: RedisService
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  it('believes nothing of a connection over which something came that is no reply', async () => {
    const proxy = new Proxy(redis.port)
    const store = new RedisLocations({ url: await proxy.start(), timeoutMs: TIMEOUT_MS })
    await store.start()
    const names = Array.from({ length: 50 }, (_, n) => `n${n}`)
    await store.put(names.map((name) => row(name, name)))
    const wrong: unknown[] = []
    let right = 0
    const find = async (name: string): Promise<void> => {
      const [value] = await store.find([name]).catch(() => [new StoreError('ERR_STORE_UNAVAILABLE', 'it has failed')])
      if (value instanceof StoreError) return
      if (text(value) === `of ${name}`) right++
      else wrong.push([name, text(value)])
    }
    for (let round = 0; round < 100; round++) {
      proxy.spoilsNext = round === 20
      await Promise.all(names.slice(0, 5).map((_, n) => find(names[(round * 5 + n) % 50] ?? '')))
    }
    await expect.poll(() => store.find(['n1']).then(([value]) => text(value ?? undefined), String)).toBe('of n1')
    expect(wrong).toEqual([])
    expect(right).toBeGreaterThan(50)
    await store.stop()
    proxy.stop()
  })

  it('asks for many rows with one script again after that has failed for once', async () => {
    const proxy = new Proxy(redis.port)
    const store = new RedisLocations({ url: await proxy.start(), timeoutMs: TIMEOUT_MS })
    await store.start()
    const rows = Array.from({ length: 50 }, (_, n) => row(`once${n}`, 'one'))
    const yes = rows.map(() => true)
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))?.[1])
    await store.put(rows)
    proxy.says = "-READONLY You can't write against a read only replica.\r\n"
    expect(await store.put(rows)).toEqual(yes)
    const before = await scripts()
    expect(await store.put(rows)).toEqual(yes)
    expect((await scripts()) - before).toBe(1)
    await store.stop()
    proxy.stop()
  })

  it('is for one user: a second start is refused, and changes nothing, also at the same moment', async () => {
    const store = new RedisLocations({ url: redis.url })
    const broker = new RedisPubSub({ url: redis.url })
    const got: unknown[] = []
    const starts = [
      store.start(),
      store.start(),
      broker.start((message) => got.push(message)),
      broker.start(() => expect.fail('it came here')),
    ]
    expect((await Promise.allSettled(starts)).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
    ])
    await expectRejects(store.start(), 'ERR_ALREADY_STARTED', TIMEOUT_MS)
    expect(await store.put([row('a', 'one')])).toEqual([true])
    await broker.listen('a')
    expect(await broker.publish('a', bytes)).toBe(1)
    await expect.poll(() => got.length).toBe(1)
    await store.stop()
    await broker.stop()
    await expect.poll(() => connectionsOf(redis)).toBe(0)
  })

  it('does not say of a channel that nobody listens to it, as long as those who do may not be back', async () => {
    const own = await startRedis()
    const publisher = new RedisPubSub({ url: own.url, timeoutMs: TIMEOUT_MS })
    const listener = new RedisPubSub({ url: own.url, timeoutMs: TIMEOUT_MS })
    await publisher.start(() => undefined)
    await listener.start(() => undefined)
    await listener.listen('ann')
    expect(await publisher.publish('nobody', bytes)).toBe(0)
    await own.kill()
    await own.startAgain()
    const said: unknown[] = []
    await expect
      .poll(
        async () => {
          const count = await publisher.publish('ann', bytes).catch((error: StoreError) => error.code)
          said.push(count)
          return count
        },
        { interval: 5, timeout: 10_000 },
      )
      .toBe(1)
    // Who listens may be back before the first publish.
    expect(said.filter((count) => ![1, undefined, 'ERR_STORE_UNAVAILABLE'].includes(count as number))).toEqual([])
    // It answers: that is no failure.
    const saidOfNobody: unknown[] = []
    const ofNobody = async (): Promise<unknown> => {
      saidOfNobody.push(await publisher.publish('nobody', bytes).catch((error: StoreError) => error.code))
      return saidOfNobody.at(-1)
    }
    await expect.poll(ofNobody, { timeout: 10_000 }).toBe(0)
    expect(saidOfNobody.filter((count) => count !== undefined)).toEqual([0])
    await Promise.all([publisher.stop(), listener.stop()])
    await own.stop()
  })

  it('listens again to all that it has listened to, however many channels that are', async () => {
    const broker = new RedisPubSub({ url: redis.url, timeoutMs: 300 })
    await broker.start(() => undefined)
    const channels = Array.from({ length: 40_000 }, (_, n) => `c${n}`)
    for (let n = 0; n < channels.length; n += 100)
      await Promise.all(channels.slice(n, n + 100).map((channel) => broker.listen(channel)))
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    // Nobody is told that nobody listens, as long as it may not be so.
    const told: unknown[] = []
    const listened = async (): Promise<number> => {
      told.push(await broker.publish('c39999', bytes).catch(() => 'fails'))
      const list = await redis.command('CLIENT', 'LIST', 'TYPE', 'PUBSUB')
      return Number(/ sub=(\d+)/.exec(list)?.[1] ?? 0)
    }
    await expect.poll(listened, { timeout: 50_000, interval: 20 }).toBe(channels.length)
    expect(told).not.toContain(0)
    await broker.stop()
  })

  it('shows no password, whoever shows or logs it, before and after its start', async () => {
    const secret = 'a-secret-of-mine'
    await redis.command('ACL', 'SETUSER', 'somebody', 'on', `>${secret}`, '~*', '&*', '+@all')
    const url = redis.url.replace('redis://', `redis://somebody:${secret}@`)
    const shown = (driver: object): string =>
      `${inspect(driver, { depth: 50, showHidden: true })} ${JSON.stringify(driver)}`
    const store = new RedisLocations({ url })
    const broker = new RedisPubSub({ url })
    expect(shown(store) + shown(broker)).not.toContain(secret)
    await store.start()
    await broker.start(() => undefined)
    expect(shown(store) + shown(broker)).not.toContain(secret)
    await Promise.all([store.stop(), broker.stop()])
  })

  it('that is stopped while it starts, and started anew, is started', async () => {
    const store = new RedisLocations({ url: redis.url, timeoutMs: TIMEOUT_MS })
    const broker = new RedisPubSub({ url: redis.url, timeoutMs: TIMEOUT_MS })
    const first = [store.start(), broker.start(() => undefined)].map((start) =>
      start.catch(({ code }) => code as string),
    )
    await Promise.all([store.stop(), broker.stop()])
    await Promise.all([store.start(), broker.start(() => undefined)])
    expect(await Promise.all(first)).toEqual(['ERR_STORE_UNAVAILABLE', 'ERR_STORE_UNAVAILABLE'])
    expect(await store.put([row('started anew', 'one')])).toEqual([true])
    await broker.listen('a')
    expect(await broker.publish('a', bytes)).toBe(1)
    await Promise.all([store.stop(), broker.stop()])
  })

  it('says what is wrong: a database that is none, a server that does not speak TLS', async () => {
    const other = new RedisLocations({ url: `${redis.url}/99`, timeoutMs: TIMEOUT_MS })
    expect((await expectRejects(other.start(), 'ERR_STORE_UNFIT', TIMEOUT_MS)).message).toContain(
      'no database of that number',
    )
    const secret = new RedisLocations({ url: redis.url.replace('redis:', 'rediss:'), timeoutMs: TIMEOUT_MS })
    expect((await expectRejects(secret.start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)).message).toContain('over TLS')
  })
})
