/**
 * Redis Cluster of three nodes, and servers that Sentinel watches.
 */
import {
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  type RedisCluster,
  type RedisService,
} from '@pidmesh/dev-services'
import { handler, type Pid } from '@pidmesh/runtime'
import { LocationVia, StoreError } from '@pidmesh/via-kit'
import { LoopbackLab, type ConformanceMember } from '@pidmesh/via-kit/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { RedisLocations, RedisPubSub } from '../../src/index.ts'
import { slotOf } from '../../src/names.ts'
import { hasNoRedis, expectRejects, row, takenOf, text } from './redis.ts'

const TIMEOUT_MS = 2_000
const NAMES = Array.from({ length: 60 }, (_, index) => `name ${index}`)
const bytes = Buffer.from('x')

const byText = (one = '', other = ''): number => one.localeCompare(other)

function spawnIn({ node }: ConformanceMember, got: unknown[] = []): Pid {
  return node.spawn(handler(() => (message: unknown) => got.push(message)))
}

describe.skipIf(hasNoRedis())('Redis Cluster', () => {
  let cluster: RedisCluster
  const started: { stop(): Promise<void> }[] = []

  beforeAll(async () => {
    cluster = await startRedisCluster()
  })
  afterAll(() => cluster.stop())
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()))
  })

  async function locations(): Promise<RedisLocations> {
    const store = new RedisLocations({ cluster: cluster.urls, timeoutMs: TIMEOUT_MS })
    started.push(store)
    await store.start()
    return store
  }

  async function pubSub(
    sharded: boolean,
    urls: readonly string[] = cluster.urls,
  ): Promise<{ broker: RedisPubSub; got: (string | undefined)[] }> {
    const broker = new RedisPubSub({ cluster: urls, sharded, timeoutMs: TIMEOUT_MS })
    started.push(broker)
    const got: (string | undefined)[] = []
    await broker.start((message) => got.push(text(message)))
    return { broker, got }
  }

  function node(index: number): RedisService {
    return cluster.nodes[index] ?? expect.fail()
  }

  /** Who has it from now on must have the newest epoch, or the others go on to believe who had it. */
  async function move(slot: number, from: RedisService, to: RedisService): Promise<void> {
    const id = await to.command('CLUSTER', 'MYID')
    // Who doesn't know of the newest epoch yet believes that it has it, and gets none.
    await expect.poll(async () => new Set(await Promise.all(cluster.nodes.map(viewOf))).size).toBe(1)
    await to.command('CLUSTER', 'BUMPEPOCH')
    for (const one of [to, from, ...cluster.nodes.filter((other) => other !== to && other !== from)])
      await one.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', id)
  }

  /** Of each node its id, its epoch and its slots, as one of them sees it. */
  async function viewOf(service: RedisService): Promise<string> {
    const nodes = (await service.command('CLUSTER', 'NODES')).split('\n').map((line) => line.split(' '))
    return nodes
      .map(([id, , , , , , epoch, , ...slots]) => [id, epoch, ...slots].join(' '))
      .toSorted(byText)
      .join('\n')
  }

  /** Whose it is to begin with: a third of the slots each. */
  function ownerOf(key: string): number {
    return Math.min(Math.floor((slotOf(key) * 3) / 16_384), 2)
  }

  it('the slot of a key is what Redis says', async () => {
    for (const key of ['a', 'pidmesh:at:name 1', '{a}b', 'a{}b', '{', 'ä', 'a{b}{c}'])
      expect(`${slotOf(key)}`).toBe(await node(0).command('CLUSTER', 'KEYSLOT', key))
  })

  it('names are on all nodes, and put, taken, found and released as on one', async () => {
    const store = await locations()
    expect(await store.put(NAMES.map((name) => row(name, 'one')))).toEqual(NAMES.map(() => true))
    for (const one of cluster.nodes) expect(Number(await one.command('DBSIZE'))).toBeGreaterThan(5)
    expect((await store.find(NAMES)).map(text)).toEqual(NAMES.map(() => 'of one'))
    const taken = await takenOf(store, ...NAMES.map((name) => row(name, 'two')))
    expect(taken.map(({ former }) => text(former))).toEqual(NAMES.map(() => 'of one'))
    await store.release(NAMES.map((name) => row(name, 'two')))
    expect(await store.find(NAMES)).toEqual(NAMES.map(() => undefined))
  })

  it('a name whose slot has moved is found where it is', async () => {
    const store = await locations()
    const name = NAMES.find((one) => ownerOf(`pidmesh:at:${one.replace(' ', '%20')}`) === 0) ?? ''
    const slot = slotOf(`pidmesh:at:${name.replace(' ', '%20')}`)
    await store.put([row(name, 'one')])
    await store.release([row(name, 'one')])
    await move(slot, node(0), node(1))
    try {
      expect(await store.put([row(name, 'two'), row(name, 'three')])).toEqual([true, false])
      expect((await store.find([name])).map(text)).toEqual(['of two'])
      await store.release([row(name, 'two')])
    } finally {
      await move(slot, node(1), node(0))
    }
  })

  it('a name whose slot is about to move is asked for where it goes', async () => {
    const store = await locations()
    const name = NAMES.find((one) => ownerOf(`pidmesh:at:${one.replace(' ', '%20')}`) === 0) ?? ''
    const slot = `${slotOf(`pidmesh:at:${name.replace(' ', '%20')}`)}`
    await node(1).command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await node(0).command('CLUSTER', 'MYID'))
    await node(0).command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await node(1).command('CLUSTER', 'MYID'))
    try {
      expect(await store.put([row(name, 'one')])).toEqual([true])
      expect((await store.find([name])).map(text)).toEqual(['of one'])
      await store.release([row(name, 'one')])
    } finally {
      for (const one of [node(0), node(1)]) await one.command('CLUSTER', 'SETSLOT', slot, 'STABLE')
    }
  })

  it('without sharded channels a message comes to who listens on whatever node, and nobody counts them', async () => {
    const one = await pubSub(false)
    const two = await pubSub(false)
    expect(one.broker.countsListeners).toBe(false)
    await two.broker.listen('a')
    expect(await one.broker.publish('a', bytes)).toBeUndefined()
    await expect.poll(() => two.got).toEqual(['x'])
  })

  it('with sharded channels each is on a node of its own, and its listeners are counted', async () => {
    const one = await pubSub(true)
    const two = await pubSub(true)
    expect(one.broker.countsListeners).toBe(true)
    for (const name of NAMES) await two.broker.listen(name)
    expect(await Promise.all(NAMES.map((name) => one.broker.publish(name, Buffer.from(name))))).toEqual(
      NAMES.map(() => 1),
    )
    await expect.poll(() => two.got.toSorted(byText)).toEqual(NAMES.toSorted(byText))
    for (const service of cluster.nodes)
      expect((await service.command('PUBSUB', 'SHARDCHANNELS')).split('\n').length).toBeGreaterThan(5)
    for (const name of NAMES) await two.broker.unlisten(name)
    expect(await Promise.all(NAMES.map((name) => one.broker.publish(name, bytes)))).toEqual(NAMES.map(() => 0))
  })

  it('with sharded channels nobody is known not to listen from the start on, though nodes of the cluster are asked for the first time', async () => {
    // Each has been in touch with some of the nodes when it has started.
    for (let times = 0; times < 30; times++) {
      const { broker } = await pubSub(true, cluster.urls.slice(0, 1))
      expect(await Promise.all(NAMES.map((name) => broker.publish(name, bytes)))).toEqual(NAMES.map(() => 0))
      await broker.stop()
    }
  })

  it('a sharded channel that moves is listened to where it goes', async () => {
    const one = await pubSub(true)
    const two = await pubSub(true)
    const name = NAMES.find((channel) => ownerOf(`pidmesh:to:${channel.replace(' ', '%20')}`) === 0) ?? ''
    const slot = slotOf(`pidmesh:to:${name.replace(' ', '%20')}`)
    await two.broker.listen(name)
    await move(slot, node(0), node(1))
    try {
      await expect.poll(() => one.broker.publish(name, bytes).catch(() => undefined)).toBe(1)
      await expect.poll(() => two.got.length).toBeGreaterThan(0)
    } finally {
      await move(slot, node(1), node(0))
    }
    await expect.poll(() => one.broker.publish(name, bytes).catch(() => undefined)).toBe(1)
  })

  it('a node that is away is no matter to what is on the others, and works again when it is back', async () => {
    const store = await locations()
    const { broker, got } = await pubSub(true)
    for (const name of NAMES) await broker.listen(name)
    for (const one of cluster.nodes) await one.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
    const isAway = (key: string): boolean => ownerOf(key) === 2
    await node(2).kill()
    for (const name of NAMES) {
      const key = name.replace(' ', '%20')
      if (isAway(`pidmesh:at:${key}`))
        await expectRejects(store.put([row(name, 'one')]), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      else expect(await store.put([row(name, 'one')])).toEqual([true])
      if (!isAway(`pidmesh:to:${key}`)) expect(await broker.publish(name, bytes)).toBe(1)
    }
    // A start needs no node but one.
    await locations()
    await node(2).startAgain()
    await expect
      .poll(() => store.put(NAMES.map((name) => row(name, 'one'))).catch(() => []))
      .toEqual(NAMES.map(() => true))
    await expect
      .poll(() => Promise.all(NAMES.map((name) => broker.publish(name, bytes))).catch(() => []))
      .toEqual(NAMES.map(() => 1))
    // Redis has counted them; here they come a moment later.
    await expect.poll(() => got.length).toBeGreaterThan(NAMES.length)
  })

  it('of one call what is on a node that stands still fails alone, and all of it if nobody answers', async () => {
    const store = await locations()
    for (const one of cluster.nodes) await one.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
    const rows = NAMES.map((name) => row(name, 'still'))
    await expect.poll(() => store.take(rows).then((all) => all.every((one) => !(one instanceof StoreError)))).toBe(true)
    const isAway = (name: string): boolean => ownerOf(`pidmesh:at:${name.replace(' ', '%20')}`) === 2
    node(2).pause()
    try {
      const answers = await store.put(rows)
      expect(answers.map((one) => one === true)).toEqual(NAMES.map((name) => !isAway(name)))
      expect(answers.filter((one) => one instanceof StoreError).length).toBe(NAMES.filter(isAway).length)
      await expectRejects(store.find(NAMES.filter(isAway)), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
      const released = await store.release(rows)
      expect(released.map((one) => one === true)).toEqual(NAMES.map((name) => !isAway(name)))
    } finally {
      node(2).resume()
    }
    await expect.poll(() => store.put(rows).catch(() => [])).toEqual(NAMES.map(() => true))
  })

  it('calls of names on other nodes go on while one stands still: none fails, and none waits for it', async () => {
    const stillMs = 4_000
    const lab = await LoopbackLab.start((owner) =>
      LocationVia.start(owner, { store: new RedisLocations({ cluster: cluster.urls, timeoutMs: stillMs }) }),
    )
    started.push(lab)
    for (const one of cluster.nodes) await one.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
    const [one, other] = lab.members
    const pid = spawnIn(one)
    const isAway = (name: string): boolean => ownerOf(`pidmesh:at:${name}`) === 2
    const names = Array.from({ length: 120 }, (_, index) => `live:${index}`)
    expect(await Promise.all(names.map(async (name) => one.names.registerName(name, pid)))).toEqual(
      names.map(() => 'yes'),
    )
    const there = names.filter((name) => !isAway(name))
    const away = names.filter(isAway)
    const asked: Promise<unknown>[] = []
    node(2).pause()
    try {
      const failed: string[] = []
      const otherPid = spawnIn(other)
      const askAway = (): void => {
        asked.push(...away.map(async (name) => failed.push(await other.names.send(name, 1))))
        asked.push(Promise.allSettled(away.map(async (name) => other.names.registerName(`new:${name}`, otherPid))))
      }
      const once = async (round: number): Promise<void> => {
        const some = there
          .slice(0, 20)
          .map((name) => `${name}:${round}`)
          .filter((name) => !isAway(name))
        expect(await Promise.all(there.map(async (name) => other.names.send(name, round)))).toEqual(
          there.map(() => 'ok'),
        )
        expect(await Promise.all(some.map(async (name) => other.names.registerName(name, otherPid)))).toEqual(
          some.map(() => 'yes'),
        )
        expect(await Promise.all(some.map(async (name) => other.names.unregisterName(name)))).toEqual(
          some.map(() => 'ok'),
        )
      }
      // While nobody knows yet that it is away: all that is asked later of the others is answered before the first call there.
      askAway()
      for (let round = 0; round < 10; round++) {
        await once(round)
        askAway()
      }
      expect(failed).toEqual([])
      // And until it has been found out, again and again.
      let longestMs = 0
      for (let round = 10; failed.length < 5 * away.length; round++) {
        const startMs = performance.now()
        await once(round)
        longestMs = Math.max(longestMs, performance.now() - startMs)
        askAway()
      }
      expect(longestMs).toBeLessThan(stillMs / 2)
      await Promise.all(asked)
      expect(new Set(failed)).toEqual(new Set(['noconnection']))
    } finally {
      // If the test fails before they are answered they are so by the end of what was asked.
      void Promise.allSettled(asked)
      node(2).resume()
    }
    await expect.poll(async () => other.names.send(away[0] ?? '', 1), { timeout: 30_000 }).toBe('ok')
  })

  it('a start succeeds also while a node stands still', async () => {
    for (const one of cluster.nodes) await one.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
    node(2).pause()
    try {
      const starts = Array.from({ length: 10 }, () => [locations(), pubSub(true)]).flat()
      const states = (await Promise.allSettled<unknown>(starts)).map(({ status }) => status)
      expect(states).toEqual(starts.map(() => 'fulfilled'))
    } finally {
      node(2).resume()
    }
  })

  it('a start rejects in time if no node is there', async () => {
    const store = new RedisLocations({ cluster: ['redis://127.0.0.1:1', 'redis://127.0.0.1:2'], timeoutMs: TIMEOUT_MS })
    started.push(store)
    await expectRejects(store.start(), 'ERR_STORE_UNAVAILABLE', TIMEOUT_MS)
  })

  it('one server that is given as a cluster is refused', async () => {
    const redis = await startRedis()
    try {
      const store = new RedisLocations({ cluster: [redis.url], timeoutMs: TIMEOUT_MS })
      started.push(store)
      await expectRejects(store.start(), 'ERR_STORE_UNFIT', TIMEOUT_MS)
    } finally {
      await redis.stop()
    }
  })
})

describe.skipIf(hasNoRedis())('Redis Sentinel', () => {
  const services: RedisService[] = []
  const started: { stop(): Promise<void> }[] = []

  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()))
    await Promise.all(services.splice(0).map((one) => one.stop()))
  })

  describe('a server that it watches', () => {
    it('is found, and so is the replica that takes its place', async () => {
      const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
      services.push(master)
      const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${master.port}`] })
      services.push(replica)
      await expect.poll(() => replica.command('INFO', 'REPLICATION')).toContain('master_link_status:up')
      const watcher = await startRedisSentinel(master)
      services.push(watcher)
      await expect.poll(() => watcher.command('SENTINEL', 'REPLICAS', 'main')).toContain(`${replica.port}`)
      const sentinel = { name: 'main', urls: ['redis://127.0.0.1:1', watcher.url] }
      const store = new RedisLocations({ sentinel, timeoutMs: TIMEOUT_MS })
      const broker = new RedisPubSub({ sentinel, timeoutMs: TIMEOUT_MS })
      started.push(store, broker)
      let got = 0
      await store.start()
      await broker.start(() => got++)
      await broker.listen('a')
      expect(await store.put([row('a', 'one')])).toEqual([true])
      await master.kill()
      await expect.poll(() => store.put([row('b', 'one')]).catch(() => []), { timeout: 30_000 }).toEqual([true])
      expect(await replica.command('EXISTS', 'pidmesh:at:b')).toBe('1')
      await expect.poll(() => broker.publish('a', bytes).catch(() => undefined)).toBe(1)
      await expect.poll(() => got).toBe(1)
    })

    it('is not known by another name', async () => {
      const master = await startRedis()
      services.push(master)
      const watcher = await startRedisSentinel(master)
      services.push(watcher)
      const store = new RedisLocations({ sentinel: { name: 'other', urls: [watcher.url] }, timeoutMs: TIMEOUT_MS })
      started.push(store)
      await expectRejects(store.start(), 'ERR_STORE_UNFIT', TIMEOUT_MS)
    })
  })
})
