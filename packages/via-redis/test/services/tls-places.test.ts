/**
 * PURPOSE: a Redis Cluster, and servers that Sentinel watches, where all speak TLS only, with each other, too, and want a certificate of who comes: names and pub-sub work as without it, also when a server has
 * been replaced; and who is not trusted is told so.
 */
import {
  startRedis,
  startRedisCluster,
  startRedisSentinel,
  type RedisCluster,
  type RedisService,
} from '@pidmesh/dev-services'
import { handler, type Pid } from '@pidmesh/runtime'
import { LocationVia } from '@pidmesh/via-kit'
import { LoopbackLab, type ConformanceMember } from '@pidmesh/via-kit/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { RedisLocations, RedisPubSub, type RedisPlace, type RedisTls } from '../../src/index.ts'
import { hasNoTls, makeRedisCertificates, type RedisCertificates } from './certificates.ts'
import { expectRejects, text } from './redis.ts'

const TIMEOUT_MS = 2_000
const TTL_MS = 9_000
const NAMES = Array.from({ length: 60 }, (_, index) => `name:${index}`)
/** Until the others agree that a server is away, and its replica has taken its place. */
const FAILOVER_MS = 30_000
/** What a hook waits for. */
const WAIT = { timeout: 20_000, interval: 50 }

describe.skipIf(hasNoTls())('where all speak TLS', () => {
  let certificates: RedisCertificates
  const started: { stop(): Promise<void> }[] = []

  beforeAll(() => {
    certificates = makeRedisCertificates()
  })
  afterEach(async () => {
    await Promise.all(started.splice(0).map((one) => one.stop()))
  })
  afterAll(() => certificates.remove())

  function ours(): RedisTls {
    const { ca, cert, key } = certificates
    return { ca, cert, key }
  }

  async function startLab(place: RedisPlace): Promise<LoopbackLab> {
    const options = { ...place, tls: ours(), timeoutMs: TIMEOUT_MS, ttlMs: TTL_MS }
    const lab = await LoopbackLab.start((node) => LocationVia.start(node, { store: new RedisLocations(options) }))
    started.push(lab)
    return lab
  }

  async function startPubSub(place: RedisPlace, sharded: boolean): Promise<{ broker: RedisPubSub; got: unknown[] }> {
    const broker = new RedisPubSub({ ...place, tls: ours(), sharded, timeoutMs: TIMEOUT_MS })
    started.push(broker)
    const got: unknown[] = []
    await broker.start((bytes) => got.push(text(bytes)))
    return { broker, got }
  }

  function spawn({ node }: ConformanceMember, got: unknown[] = []): Pid {
    return node.spawn(handler(() => (message: unknown) => got.push(message)))
  }

  /** Names of one node are found, sent to and given back by another one. */
  async function expectNamesWork({ members }: LoopbackLab, names: readonly string[]): Promise<void> {
    const [one, other] = members
    const got: unknown[] = []
    const pid = spawn(one, got)
    expect(await Promise.all(names.map(async (name) => one.names.registerName(name, pid)))).toEqual(
      names.map(() => 'yes'),
    )
    expect(await Promise.all(names.map(async (name) => other.names.send(name, name)))).toEqual(names.map(() => 'ok'))
    await expect.poll(() => new Set(got)).toEqual(new Set(names))
    expect(await other.names.registerName(names[0] ?? '', spawn(other))).toBe('no')
    await Promise.all(names.map(async (name) => one.names.unregisterName(name)))
    expect(await other.names.send(names[0] ?? '', 1)).toBe('noproc')
  }

  /** Sooner or later, by each node. */
  async function expectFound({ members }: LoopbackLab, name: string, holder: Pid | undefined): Promise<void> {
    const found = async ({ names }: ConformanceMember): Promise<string> =>
      String(await Promise.resolve(names.resolveName?.(name)).catch(() => 'fails'))
    for (const member of members) await expect.poll(() => found(member), { timeout: FAILOVER_MS }).toBe(String(holder))
  }

  async function expectPubSubWorks(place: RedisPlace, sharded: boolean): Promise<void> {
    const one = await startPubSub(place, sharded)
    const two = await startPubSub(place, sharded)
    for (const name of NAMES) await two.broker.listen(name)
    for (const name of NAMES) await one.broker.publish(name, Buffer.from(name))
    await expect.poll(() => new Set(two.got)).toEqual(new Set(NAMES))
  }

  async function expectRefused(place: RedisPlace, tls: RedisTls | undefined, problem: string): Promise<void> {
    const options = { ...place, timeoutMs: TIMEOUT_MS, ...(tls && { tls }) }
    const store = new RedisLocations(options)
    const broker = new RedisPubSub(options)
    started.push(store, broker)
    for (const start of [() => store.start(), () => broker.start(() => undefined)])
      expect((await expectRejects(start(), 'ERR_STORE_UNFIT', TIMEOUT_MS)).message).toContain(problem)
  }

  async function expectStrangersRefused(place: RedisPlace): Promise<void> {
    const { ca, otherCa } = certificates
    await expectRefused(place, undefined, 'no certificate that is trusted')
    await expectRefused(place, { ...ours(), ca: otherCa }, 'no certificate that is trusted')
    await expectRefused(place, { ca }, 'wants a certificate')
  }

  describe('in a Redis Cluster', () => {
    let cluster: RedisCluster
    /** The others are found by this one. */
    let place: RedisPlace

    beforeAll(async () => {
      cluster = await startRedisCluster({ hasReplicas: true, tls: certificates.filesOf('server') })
      place = { cluster: cluster.urls.slice(0, 1) }
    })
    afterAll(() => cluster.stop())

    it('names work on all nodes', async () => {
      await expectNamesWork(await startLab(place), NAMES)
    })

    it.each([false, true])('pub-sub works, with sharded channels: %s', async (sharded) => {
      await expectPubSubWorks(place, sharded)
    })

    it('who is not trusted is refused, and what is missing is said', async () => {
      await expectStrangersRefused(place)
    })

    it('the certificates must be for what the nodes are called there: addresses, unless they say names', async () => {
      const named = await startRedisCluster({ tls: certificates.filesOf('named') })
      started.push(named)
      const [first] = named.nodes
      const byName: RedisPlace = { cluster: [`rediss://localhost:${first?.port}`] }
      const store = new RedisLocations({ ...byName, tls: ours(), timeoutMs: TIMEOUT_MS })
      const { message } = await expectRejects(store.start(), 'ERR_STORE_UNFIT', TIMEOUT_MS)
      expect(message).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
      for (const node of named.nodes) {
        await node.command('CONFIG', 'SET', 'cluster-announce-hostname', 'localhost')
        await node.command('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'hostname')
      }
      await expect.poll(() => first?.command('CLUSTER', 'SLOTS')).not.toContain('?')
      await expectNamesWork(await startLab(byName), NAMES)
    })

    // The last one: a server is gone then.
    it('a replica takes the place of a server that was killed, and names and pub-sub work on', async () => {
      const lab = await startLab(place)
      const { broker, got } = await startPubSub(place, true)
      for (const name of NAMES) await broker.listen(name)
      const [server, replica] = [cluster.nodes[2], cluster.replicas[2]]
      await server?.kill()
      await expect.poll(() => replica?.command('ROLE'), { timeout: FAILOVER_MS }).toMatch(/^master/)
      for (const name of NAMES) await expectFound(lab, name, undefined)
      await expectNamesWork(lab, NAMES)
      for (const name of NAMES)
        await expect
          .poll(() => broker.publish(name, Buffer.from(name)).catch(() => undefined), { timeout: FAILOVER_MS })
          .toBe(1)
      await expect.poll(() => new Set(got)).toEqual(new Set(NAMES))
    })
  })

  describe('at servers that Sentinel watches', () => {
    let master: RedisService
    let replica: RedisService
    let watcher: RedisService
    let place: RedisPlace

    beforeAll(async () => {
      const tls = certificates.filesOf('server')
      master = await startRedis({ tls, args: ['--repl-diskless-sync-delay', '0'] })
      replica = await startRedis({ tls, args: ['--replicaof', '127.0.0.1', `${master.port}`] })
      await vi.waitFor(async () => {
        expect(await replica.command('INFO', 'REPLICATION')).toContain('master_link_status:up')
      }, WAIT)
      watcher = await startRedisSentinel(master)
      await vi.waitFor(async () => {
        expect(await watcher.command('SENTINEL', 'REPLICAS', 'main')).toContain(`${replica.port}`)
      }, WAIT)
      place = { sentinel: { name: 'main', urls: [watcher.url], tls: true } }
    })
    afterAll(() => Promise.all([master, replica, watcher].map((service) => service.stop())))

    it('names and pub-sub work', async () => {
      await expectNamesWork(await startLab(place), NAMES)
      await expectPubSubWorks(place, false)
    })

    it('who is not trusted is refused, and what is missing is said', async () => {
      await expectStrangersRefused(place)
    })

    it('which one is not trusted is said: here the server, and not who watches it', async () => {
      const tls = certificates.filesOf('server')
      const elsewhere = await startRedis({ tls: certificates.filesOf('elsewhere') })
      const other = await startRedisSentinel({ port: elsewhere.port, tls })
      started.push(elsewhere, other)
      const sentinel = { name: 'main', urls: [other.url], tls: true }
      await expectRefused({ sentinel }, ours(), `127.0.0.1:${elsewhere.port} has no certificate that is trusted`)
    })

    // The last one: a server is gone then.
    it('a replica takes the place of a server that was killed, and names and pub-sub work on', async () => {
      const lab = await startLab(place)
      const { broker, got } = await startPubSub(place, false)
      await broker.listen('a')
      const [one] = lab.members
      const pid = spawn(one)
      expect(await one.names.registerName('stays', pid)).toBe('yes')
      await master.kill()
      await expectFound(lab, 'stays', pid)
      expect(await replica.command('EXISTS', 'pidmesh:at:stays')).toBe('1')
      await expectNamesWork(lab, NAMES)
      await expect.poll(() => broker.publish('a', Buffer.from('x')).catch(() => undefined)).toBe(1)
      await expect.poll(() => got).toEqual(['x'])
    })
  })
})
