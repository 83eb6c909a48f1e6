import { startRedis, startRedisClusterNode, type RedisService } from '@pidmesh/dev-services'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { RedisLocations, type LocationsTuning } from '../../src/index.ts'
import { hasNoRedis, row, takenOf, text } from './redis.ts'

describe.skipIf(hasNoRedis())('RedisLocations', () => {
  let redis: RedisService
  let store: RedisLocations
  const started: RedisLocations[] = []

  beforeAll(async () => {
    redis = await startRedis({ args: ['--enable-debug-command', 'yes'] })
  })
  afterAll(() => redis.stop())
  beforeEach(async () => {
    store = await start()
  })
  afterEach(async () => {
    vi.useRealTimers()
    await Promise.all(started.splice(0).map((one) => one.stop()))
    await redis.command('FLUSHALL')
  })

  async function start(options: LocationsTuning = {}, url: string = redis.url): Promise<RedisLocations> {
    const one = new RedisLocations({ url, ...options })
    started.push(one)
    await one.start()
    return one
  }

  async function find(name: string, where: RedisLocations = store): Promise<string | undefined> {
    return text((await where.find([name]))[0])
  }

  it('a name that is nobody’s is given, and found', async () => {
    expect(await store.put([row('a', 'one')])).toEqual([true])
    expect(await find('a')).toBe('of one')
  })

  it('a name of another is not given, and stays as it was', async () => {
    await store.put([row('a', 'one')])
    expect(await store.put([row('a', 'two')])).toEqual([false])
    expect(await find('a')).toBe('of one')
  })

  it('its owner changes the value', async () => {
    await store.put([row('a', 'one')])
    expect(await store.put([row('a', 'one', 'changed')])).toEqual([true])
    expect(await find('a')).toBe('changed')
  })

  it('a name that nobody has is undefined, in its place among others', async () => {
    await store.put([row('a', 'one'), row('c', 'one')])
    expect((await store.find(['a', 'b', 'c'])).map(text)).toEqual(['of one', undefined, 'of one'])
  })

  it('take gives the name whoever has it, and says what another had', async () => {
    await store.put([row('a', 'one')])
    const [taken] = await takenOf(store, row('a', 'two'))
    expect(text(taken?.former)).toBe('of one')
    expect(await find('a')).toBe('of two')
    expect(await store.put([row('a', 'one')])).toEqual([false])
  })

  it('take of one’s own name, and of nobody’s, has no former value', async () => {
    expect((await takenOf(store, row('a', 'one')))[0]?.former).toBeUndefined()
    expect((await takenOf(store, row('a', 'one')))[0]?.former).toBeUndefined()
  })

  it('the epoch grows with each take, and a put in between leaves it', async () => {
    const epochs: (number | undefined)[] = []
    for (const owner of ['one', 'two', 'two', 'three']) {
      epochs.push((await takenOf(store, row('a', owner)))[0]?.epoch)
      const before = await redis.command('HGET', 'pidmesh:at:a', 'epoch')
      await store.put([row('a', owner)])
      expect(await redis.command('HGET', 'pidmesh:at:a', 'epoch')).toBe(before)
    }
    expect(epochs).toEqual([...new Set(epochs)].toSorted((one, other) => Number(one) - Number(other)))
    expect(epochs.every(Number.isSafeInteger)).toBe(true)
  })

  it('the epoch grows also if the clock of Redis has gone back', async () => {
    await store.put([row('a', 'one')])
    const future = 8_000_000_000_000
    await redis.command('HSET', 'pidmesh:at:a', 'epoch', `${future}`)
    expect((await takenOf(store, row('a', 'two')))[0]?.epoch).toBe(future + 1)
  })

  it('the epoch grows also if Redis has lost the name in between', async () => {
    const [first] = await takenOf(store, row('a', 'one'))
    await redis.command('FLUSHALL')
    await expect
      .poll(async () => {
        const [second] = await takenOf(store, row('a', 'two'))
        await redis.command('FLUSHALL')
        return second?.epoch
      })
      .toBeGreaterThan(first?.epoch ?? Infinity)
  })

  it('release removes what is the owner’s, and nothing else', async () => {
    await store.put([row('a', 'one'), row('b', 'two')])
    await store.release([row('a', 'one'), row('b', 'one'), row('c', 'one')])
    expect((await store.find(['a', 'b'])).map(text)).toEqual([undefined, 'of two'])
  })

  it('release asks for the owner only: the value may be an older one', async () => {
    await store.put([row('a', 'one', 'new')])
    await store.release([row('a', 'one', 'old')])
    expect(await find('a')).toBeUndefined()
  })

  it('the rows of a call are written in their order, also if a name is there twice and Redis does not know the scripts', async () => {
    await redis.command('SCRIPT', 'FLUSH')
    expect(await store.put([row('a', 'one'), row('b', 'two'), row('a', 'two')])).toEqual([true, true, false])
    const taken = await takenOf(store, row('a', 'two'), row('a', 'three'), row('a', 'four'))
    expect(taken.map(({ former }) => text(former))).toEqual(['of one', 'of two', 'of three'])
    expect(await find('a')).toBe('of four')
  })

  it('a row is gone when its time is over', async () => {
    const brief = await start({ ttlMs: 50 })
    await brief.put([row('a', 'one')])
    await expect.poll(() => find('a')).toBeUndefined()
    await expect.poll(() => redis.command('DBSIZE')).toBe('0')
  })

  it('a row whose time is over is none, also if Redis still holds it', async () => {
    const brief = await start({ ttlMs: 2_000 })
    await redis.command('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    try {
      await brief.put(['a', 'b', 'c', 'd'].map((name) => row(name, 'one')))
      const keys = ['a', 'b', 'c', 'd'].map((name) => `pidmesh:at:${name}`)
      const persist = "for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end"
      await redis.command('EVAL', persist, '4', ...keys)
      const epoch = Number(await redis.command('HGET', 'pidmesh:at:c', 'epoch'))
      await expect.poll(() => find('a')).toBeUndefined()
      expect(await redis.command('DBSIZE')).toBe('4')
      expect(await store.put([row('b', 'two')])).toEqual([true])
      const [taken] = await takenOf(store, row('c', 'two'))
      expect(taken?.former).toBeUndefined()
      expect(taken?.epoch).toBeGreaterThan(epoch)
      expect(await store.put([row('d', 'one')])).toEqual([true])
      expect((await store.find(['a', 'b', 'c', 'd'])).map(text)).toEqual([undefined, 'of two', 'of two', 'of one'])
      expect(Number(await redis.command('PTTL', 'pidmesh:at:b'))).toBeGreaterThan(0)
    } finally {
      await redis.command('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
    }
  })

  it.each([
    ['no time', ['owner', 'x', 'value', 'v', 'epoch', '5']],
    ['a time that is none', ['owner', 'x', 'value', 'v', 'epoch', '5', 'until', 'abc']],
    ['no value', ['owner', 'x', 'until', '9999999999999']],
    ['an epoch that is none', ['owner', 'x', 'value', 'v', 'until', '1', 'epoch', 'abc']],
    ['an epoch that no take has', ['owner', 'x', 'value', 'v', 'until', '1', 'epoch', '1e300']],
    ['an epoch that is no number', ['owner', 'x', 'value', 'v', 'until', '1', 'epoch', 'nan']],
  ])('a row that somebody else has written, with %s, is none', async (_what, fields) => {
    const write = async (): Promise<string> => {
      await redis.command('DEL', 'pidmesh:at:a')
      return redis.command('HSET', 'pidmesh:at:a', ...fields)
    }
    await write()
    expect(await find('a')).toBeUndefined()
    const [taken] = await takenOf(store, row('a', 'one'))
    expect(taken?.former).toBeUndefined()
    expect(taken?.epoch).toBeGreaterThan(1_700_000_000_000)
    expect(Number.isSafeInteger(taken?.epoch)).toBe(true)
    await write()
    expect(await store.put([row('a', 'one')])).toEqual([true])
    expect(await find('a')).toBe('of one')
  })

  it('a key that is of another type is told of as that, and other names are no worse for it', async () => {
    await redis.command('SET', 'pidmesh:at:a', 'x')
    const [a, b] = await store.find(['a', 'b'])
    expect([a, b]).toMatchObject([{ code: 'ERR_STORE_UNFIT' }, undefined])
    expect(String(a)).toContain('something else under a key of ours')
  })

  it('what was written, given back and asked for before and behind a key of another type is so', async () => {
    await store.put([row('a', 'one'), row('c', 'one')])
    await redis.command('SET', 'pidmesh:at:b', 'x')
    const refused = { code: 'ERR_STORE_UNFIT' }
    const rows = [row('a', 'one', 'new'), row('b', 'one'), row('c', 'two'), row('d', 'one')]
    expect(await store.put(rows)).toMatchObject([true, refused, false, true])
    expect([await find('a'), await find('c'), await find('d')]).toEqual(['new', 'of one', 'of one'])
    expect(await store.release(rows)).toMatchObject([true, refused, true, true])
    expect([await find('a'), await find('c'), await find('d')]).toEqual([undefined, 'of one', undefined])
  })

  it('many rows are put, given back and found with one command, and taken with one for each', async () => {
    const rows = Array.from({ length: 100 }, (_, number) => row(`name:${number}`, 'one'))
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.command('INFO', 'commandstats'))?.[1] ?? 0)
    const before = await scripts()
    await store.put(rows)
    await store.find(rows.map(({ name }) => name))
    await store.release(rows)
    expect((await scripts()) - before).toBe(3)
    await store.take(rows)
    expect((await scripts()) - before).toBe(103)
  })

  it('a cluster that is given as one server is asked for each row', async () => {
    const cluster = await startRedisClusterNode()
    try {
      await cluster.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      await expect.poll(() => cluster.command('CLUSTER', 'INFO')).toContain('cluster_state:ok')
      const split = await start({}, cluster.url)
      const rows = ['a', 'b', 'c'].map((name) => row(name, 'one'))
      for (let times = 0; times < 2; times++) expect(await split.put(rows)).toEqual([true, true, true])
      expect((await split.find(['a', 'none', 'c'])).map(text)).toEqual(['of one', undefined, 'of one'])
      expect(await split.release(rows)).toEqual([true, true, true])
      expect(await cluster.command('DBSIZE')).toBe('0')
      expect(await cluster.command('INFO', 'errorstats')).toContain('errorstat_CROSSSLOT:count=1')
    } finally {
      await cluster.stop()
    }
  })

  it('a node of a cluster that serves no keys is refused', async () => {
    const node = await startRedisClusterNode()
    try {
      await expect(start({}, node.url)).rejects.toMatchObject({
        code: 'ERR_STORE_UNAVAILABLE',
        message: expect.stringMatching(/CLUSTERDOWN/),
      })
    } finally {
      await node.stop()
    }
  })

  it('put writes the time anew', async () => {
    await store.put([row('a', 'one')])
    await redis.command('HSET', 'pidmesh:at:a', 'until', `${Date.now() + 5_000}`)
    await redis.command('PEXPIRE', 'pidmesh:at:a', '5000')
    await store.put([row('a', 'one')])
    expect(Number(await redis.command('PTTL', 'pidmesh:at:a'))).toBeGreaterThan(10_000)
    const [seconds] = (await redis.command('TIME')).split('\n')
    const until = Number(await redis.command('HGET', 'pidmesh:at:a', 'until'))
    expect(until - Number(seconds) * 1_000).toBeGreaterThan(10_000)
  })

  it('the time is Redis’ own: a node whose clock is a year ahead sees and writes the same', async () => {
    await store.put([row('a', 'one')])
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 365 * 86_400_000 })
    expect(await find('a')).toBe('of one')
    expect(await store.put([row('a', 'two'), row('b', 'two')])).toEqual([false, true])
    vi.useRealTimers()
    expect(Number(await redis.command('PTTL', 'pidmesh:at:b'))).toBeLessThanOrEqual(30_000)
    expect(Number(await redis.command('HGET', 'pidmesh:at:b', 'until'))).toBeLessThan(Date.now() + 86_400_000)
  })

  it('any bytes are a value, also none', async () => {
    const all = Uint8Array.from({ length: 256 }, (_, index) => index)
    await store.put([row('a', 'one', all), row('b', 'one', new Uint8Array())])
    const [a, b] = await store.find(['a', 'b'])
    expect(a).toStrictEqual(all)
    expect(b).toStrictEqual(new Uint8Array())
    expect((await takenOf(store, row('a', 'two')))[0]?.former).toStrictEqual(all)
  })

  it('names are told apart whatever is in them', async () => {
    const names = [
      'a b',
      'a%20b',
      'a\n',
      '{a}1',
      '{a}2',
      '*',
      'ä',
      '\u{1F600}',
      '\uD83D',
      '\uDE00',
      '\uFFFD',
      'x'.repeat(256),
    ]
    await store.put(names.map((name, index) => row(name, `owner ${index}`)))
    expect((await store.find(names)).map(text)).toEqual(names.map((_, index) => `of owner ${index}`))
  })

  it('of two that put the same names at once each name is one’s', async () => {
    const other = await start()
    const names = Array.from({ length: store.batchSize }, (_, index) => `name ${index}`)
    const [mine, theirs] = await Promise.all([
      store.put(names.map((name) => row(name, 'one'))),
      other.put(names.map((name) => row(name, 'two'))),
    ])
    expect(mine.map((given, index) => given !== theirs[index])).toEqual(names.map(() => true))
    const expected = mine.map((given) => (given ? 'of one' : 'of two'))
    expect((await store.find(names)).map(text)).toEqual(expected)
  })

  it('Redis that has forgotten the scripts gets them again', async () => {
    await redis.command('SCRIPT', 'FLUSH')
    expect(await store.put([row('a', 'one')])).toEqual([true])
    await redis.command('SCRIPT', 'FLUSH')
    expect(await find('a')).toBe('of one')
  })

  it('another prefix has other names', async () => {
    const other = await start({ prefix: 'other:' })
    await store.put([row('a', 'one')])
    expect(await find('a', other)).toBeUndefined()
    expect(await other.put([row('a', 'two')])).toEqual([true])
  })

  it('a start leaves nothing behind', async () => {
    await start()
    expect(await redis.command('DBSIZE')).toBe('0')
  })

  it('a call with nothing in it does nothing', async () => {
    expect([await store.put([]), await store.take([]), await store.find([])]).toEqual([[], [], []])
    await store.release([])
  })

  it('the database of the URL is the one that is used', async () => {
    const third = await start({}, `${redis.url}/3`)
    await third.put([row('a', 'one')])
    expect(await redis.command('-n', '3', 'DBSIZE')).toBe('1')
    expect(await find('a')).toBeUndefined()
  })
})
