/**
 * PURPOSE: a replica of a Redis Cluster takes the place of a server that was killed: names are registered, found and sent to again, and none has two holders.
 */
import { startRedisCluster, type RedisCluster, type RedisService } from '@pidmesh/dev-services'
import { handler, type Node, type Pid } from '@pidmesh/runtime'
import { LocationVia } from '@pidmesh/via-kit'
import { LoopbackLab } from '@pidmesh/via-kit/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RedisLocations } from '../../src/index.ts'
import { slotOf } from '../../src/names.ts'
import { hasNoRedis } from './redis.ts'

const TIMEOUT_MS = 2_000
const TTL_MS = 9_000
const NAMES = Array.from({ length: 120 }, (_, index) => `live:${index}`)
/** Of each node, who all do something all the time. */
const PLAYERS = 20
/** Until the others agree that it is away, and its replica has their votes. */
const FAILOVER_MS = 30_000

interface Member {
  readonly node: Node
  readonly names: LocationVia
  readonly got: string[]
}

/** Whose it is to begin with: a third of the slots each. */
function ownerOf(name: string): number {
  return Math.min(Math.floor((slotOf(`pidmesh:at:${name}`) * 3) / 16_384), 2)
}

const isLost = (name: string): boolean => ownerOf(name) === 0

describe.skipIf(hasNoRedis())('a server of a Redis Cluster that is killed', () => {
  let cluster: RedisCluster
  let lab: LoopbackLab
  let members: Member[]

  beforeEach(async () => {
    cluster = await startRedisCluster({ hasReplicas: true })
    members = []
    lab = await LoopbackLab.start(async (node) => {
      const store = new RedisLocations({ cluster: cluster.urls, timeoutMs: TIMEOUT_MS, ttlMs: TTL_MS })
      const names = await LocationVia.start(node, { store })
      members.push({ node, names, got: [] })
      return names
    })
  })
  afterEach(async () => {
    await lab.stop()
    await cluster.stop()
  })

  function both(): readonly [Member, Member] {
    const [one, other] = members
    if (one === undefined || other === undefined) throw new Error('two nodes')
    return [one, other]
  }

  function spawn({ node, got }: Member): Pid {
    return node.spawn(handler(() => (message: unknown) => got.push(String(message))))
  }

  /** Each name has a process of its own, half of them on each node. */
  async function registerAll(): Promise<void> {
    const [one, other] = both()
    for (const [index, name] of NAMES.entries()) {
      const member = index % 2 === 0 ? one : other
      expect(await member.names.registerName(name, spawn(member))).toBe('yes')
    }
  }

  /** What the replica does not have when its master is killed is lost, until its node writes it again. */
  async function replicated(): Promise<void> {
    for (const [index, node] of cluster.nodes.entries()) {
      const size = await node.command('DBSIZE')
      await expect.poll(() => cluster.replicas[index]?.command('DBSIZE')).toBe(size)
    }
  }

  /** Resolves when the other one has its place. */
  async function kill(server: RedisService, next: RedisService): Promise<void> {
    await server.kill()
    await expect.poll(() => next.command('ROLE'), { timeout: FAILOVER_MS }).toMatch(/^master/)
  }

  /** A server of the first third of the slots, and its replica. */
  function firstTwo(): readonly [RedisService, RedisService] {
    const [server, replica] = [cluster.nodes[0], cluster.replicas[0]]
    if (server === undefined || replica === undefined) throw new Error('a server and its replica')
    return [server, replica]
  }

  /** Until when a name's row holds. */
  async function untilOf(server: RedisService, name: string): Promise<number> {
    return Number(await server.command('HGET', `pidmesh:at:${name}`, 'until'))
  }

  async function expectFound(name: string, holder: string | undefined): Promise<void> {
    for (const { names } of members)
      await expect
        .poll(async () => String(await names.resolveName(name).catch((error: unknown) => error)), {
          timeout: FAILOVER_MS,
        })
        .toBe(holder)
  }

  /** Who has a name, on its own node. */
  function holdersOf(name: string): readonly Pid[] {
    return members.flatMap(({ node, names }) => {
      const pid = names.whereisName(name)
      return pid !== undefined && node.isProcessAlive(pid) ? [pid] : []
    })
  }

  it('is replaced, and its names are found, sent to, registered and given back again', async () => {
    const [one, other] = both()
    await registerAll()
    await replicated()
    const holders = new Map(NAMES.map((name) => [name, holdersOf(name)[0]?.toString()]))
    const [server, replica] = firstTwo()
    await kill(server, replica)
    for (const name of NAMES) await expectFound(name, holders.get(name))
    expect(await Promise.all(NAMES.map((name) => one.names.send(name, name)))).toEqual(NAMES.map(() => 'ok'))
    expect(await Promise.all(NAMES.map((name) => other.names.send(name, name)))).toEqual(NAMES.map(() => 'ok'))
    await expect.poll(() => one.got.length + other.got.length).toBe(2 * NAMES.length)
    // A name that somebody has is nobody else's, and a new one is got.
    for (const [index, name] of NAMES.entries()) {
      const rival = index % 2 === 0 ? other : one
      expect(await rival.names.registerName(name, spawn(rival))).toBe('no')
      expect(await rival.names.registerName(`new:${name}`, spawn(rival))).toBe('yes')
    }
    // Names are refreshed where they are now.
    const lost = NAMES.filter(isLost)
    const untilMs = await Promise.all(lost.map((name) => untilOf(replica, name)))
    for (const [index, name] of lost.entries()) {
      await expect.poll(() => untilOf(replica, name)).toBeGreaterThan(untilMs[index] ?? Infinity)
      expect(holdersOf(name).map(String)).toEqual([holders.get(name)])
      await expectFound(name, holders.get(name))
    }
    for (const { names } of members) expect(names.stats).toMatchObject({ lost: 0, pending: 0, unreleased: 0 })
    for (const name of NAMES) for (const { names } of members) await names.unregisterName(name)
    for (const name of NAMES) expect(await one.names.resolveName(name)).toBeUndefined()
    await Promise.all(members.map(({ names }) => names.stop()))
    for (const node of [cluster.nodes[1], cluster.nodes[2], replica]) expect(await node?.command('DBSIZE')).toBe('0')
  })

  it('and comes back, is the replica of who has taken its place, and takes it in turn', async () => {
    await registerAll()
    await replicated()
    const holders = new Map(NAMES.map((name) => [name, holdersOf(name)[0]?.toString()]))
    const [server, replica] = firstTwo()
    await kill(server, replica)
    await server.startAgain()
    await expect.poll(() => server.command('INFO', 'REPLICATION')).toContain('master_link_status:up')
    for (const name of NAMES.filter(isLost)) await expectFound(name, holders.get(name))
    await kill(replica, server)
    for (const name of NAMES.filter(isLost)) {
      await expectFound(name, holders.get(name))
      expect(holdersOf(name).map(String)).toEqual([holders.get(name)])
    }
  })

  it('while both nodes register, take over and give up its names: then each has one holder at most, who is the store’s', async () => {
    await registerAll()
    const lost = NAMES.filter(isLost)
    let isOver = false
    let steps = 0
    const play = async (member: Member, from: number): Promise<void> => {
      for (let step = from; !isOver; step += 7) {
        const name = lost[step % lost.length] ?? ''
        if (step % 5 === 0) await Promise.allSettled([member.names.takeover(name, spawn(member))])
        else if (step % 5 === 1) await member.names.unregisterName(name)
        else await Promise.allSettled([member.names.registerName(name, spawn(member))])
        steps++
      }
    }
    const players = both().flatMap((member) => Array.from({ length: PLAYERS }, (_, from) => play(member, from)))
    await expect.poll(() => steps).toBeGreaterThan(10 * PLAYERS)
    const [server, replica] = firstTwo()
    await kill(server, replica)
    const before = steps
    await expect.poll(() => steps).toBeGreaterThan(before + 100 * PLAYERS)
    isOver = true
    await Promise.all(players)
    // What the replica did not have is written again within a third of the ttl; who has lost a name ends then.
    await expect
      .poll(
        async () => {
          const problems: string[] = []
          for (const name of NAMES) {
            const holders = holdersOf(name).map(String)
            const found = await Promise.all(members.map(({ names }) => names.resolveName(name)))
            if (holders.length > 1) problems.push(`${name} has ${holders.length} holders`)
            if (found.some((pid) => pid?.toString() !== holders[0]))
              problems.push(`${name} is held by ${holders.join()}, and found is ${found.map(String).join()}`)
          }
          return problems
        },
        { timeout: 4 * TTL_MS, interval: 500 },
      )
      .toEqual([])
    for (const { names } of members) await expect.poll(() => names.stats.unreleased).toBe(0)
  })
})
