/**
 * Addresses that lead to another node than they did, or to one that has others too. The network is asked who has dialed where.
 */
import { type Node, type NodeOptions } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeDiscovery } from '../discovery/fake-discovery.ts'
import { watchDials } from '../discovery/watched-dials.ts'

const PORT = 7_001
const SEED = `127.0.0.1:${PORT}`
/** The slowest backoff is a second, and half of it the least that comes of it. */
const MOST_DIALS_A_MINUTE = 120

let cluster: TestCluster
let discovery: FakeDiscovery
/** Which host has dialed which address, in order. The host `another` is 127.0.0.1 too. */
let dialed: string[]

beforeEach(() => {
  cluster = new TestCluster()
  discovery = new FakeDiscovery()
  dialed = []
  watchDials(cluster, (hostName, address) => {
    dialed.push(`${hostName} ${address}`)
    return address.replace('another', '127.0.0.1')
  })
})

afterEach(() => cluster.stop())

/** A node that knows no other but as it is told here. */
function start(name: string, more: Partial<NodeOptions> = {}): Promise<Node> {
  return cluster.start(name, { seeds: [], ...more })
}

async function dialsInAMinute(dial: string): Promise<number> {
  dialed.length = 0
  await cluster.advance(60_000)
  return dialed.filter((each) => each === dial).length
}

/** `x` at the seed of `a`, which comes back at another address and dials `a`. */
async function moved(more: Partial<NodeOptions>): Promise<[Node, Node]> {
  const x = await start('x', { port: PORT })
  const a = await start('a', more)
  discovery.tell(SEED)
  await cluster.advance(100)
  expect(a.nodes()).toEqual([x.name])
  await cluster.run(x.stop())
  await cluster.advance(100)
  const back = await start('x', { seeds: [a.address] })
  await cluster.advance(5_000)
  expect(a.nodes()).toEqual([back.name])
  return [a, back]
}

describe('an address whose node is connected from elsewhere', () => {
  it('is dialed on if it is a seed: another node may be there', async () => {
    const [a, x] = await moved({ seeds: [SEED] })
    const dials = await dialsInAMinute(`a ${SEED}`)
    expect(dials).toBeGreaterThan(30)
    expect(dials).toBeLessThanOrEqual(MOST_DIALS_A_MINUTE)
    const y = await start('y', { port: PORT })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual([x.name, y.name])
    expect(await dialsInAMinute(`a ${SEED}`)).toBe(0)
  })

  it('is dialed on while it is listed, and no more when it vanishes', async () => {
    const [a, x] = await moved({ discovery })
    expect(await dialsInAMinute(`a ${SEED}`)).toBeGreaterThan(30)
    discovery.tell(x.address)
    await cluster.advance(10)
    expect(await dialsInAMinute(`a ${SEED}`)).toBe(0)
    discovery.tell(x.address, SEED)
    const y = await start('y', { port: PORT })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual([x.name, y.name])
  })

  it('is that of a node that says it is there, whoever was found there before', async () => {
    const [a] = await moved({ seeds: [SEED] })
    const y = await start('y', { port: PORT, seeds: [a.address] })
    await cluster.advance(2_000)
    expect(await dialsInAMinute(`a ${SEED}`)).toBe(0)
    // x, which a has told of it, would find it too.
    cluster.crash('y')
    expect(await dialsInAMinute(`a ${SEED}`)).toBeGreaterThan(30)
    expect(a.nodes()).not.toContain(y.name)
  })

  it('is dialed when its node is no longer left alone because it has come back by itself, from elsewhere', async () => {
    const x = await start('x', { port: PORT })
    const a = await start('a', { seeds: [SEED] })
    expect(a.disconnectNode(x.name)).toBe(true)
    await cluster.run(x.stop())
    expect(await dialsInAMinute(`a ${SEED}`)).toBe(0)
    const back = await start('x', { seeds: [a.address] })
    const y = await start('y', { port: PORT })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual([back.name, y.name])
  })

  it('is not dialed if it was only learnt', async () => {
    const x = await start('x', { port: PORT })
    const a = await start('a')
    const b = await start('b', { seeds: [x.address, a.address] })
    await cluster.advance(500)
    await cluster.run(x.stop())
    await start('x', { seeds: [a.address] })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual([b.name, 'x@127.0.0.1'])
    expect(await dialsInAMinute(`a ${SEED}`)).toBe(0)
  })
})

describe('a node with two addresses', () => {
  const outer = '127.0.0.1:7002'
  const behind: Partial<NodeOptions> = { port: 7_002, advertise: 'b.mesh:7002' }

  it('is left in peace at the one that it does not tell, if a dial there has made the connection', async () => {
    const b = await start('b', behind)
    const a = await start('a', { seeds: [outer] })
    await cluster.advance(100)
    expect(a.nodes()).toEqual([b.name])
    expect(await dialsInAMinute(`a ${outer}`)).toBe(0)
  })

  it('is asked there every quarter of a minute at most if it has made the connection, and found there in a second when that is lost', async () => {
    const a = await start('a', { seeds: [outer] })
    const b = await start('b', { ...behind, seeds: [a.address] })
    await cluster.advance(1_000)
    expect(a.nodes()).toEqual([b.name])
    const dials = await dialsInAMinute(`a ${outer}`)
    expect(dials).toBeGreaterThan(1)
    expect(dials).toBeLessThan(5)
    // The only one who can dial is a.
    cluster.network.cut('b', 'a')
    await cluster.advance(7_000)
    expect(a.nodes()).toEqual([])
    cluster.heal()
    await cluster.advance(1_500)
    expect(a.nodes()).toEqual([b.name])
  })

  it('is left alone at both when it was disconnected on purpose, until it is wanted', async () => {
    const a = await start('a', { seeds: [outer] })
    const b = await start('b', { ...behind, seeds: [a.address] })
    await cluster.advance(20_000)
    expect(a.disconnectNode(b.name)).toBe(true)
    const dials = await dialsInAMinute(`a ${outer}`)
    expect(dials).toBeLessThan(5)
    expect([a.nodes(), b.nodes()]).toEqual([[], []])
    expect(await cluster.run(a.connectNode(b.name))).toBe(true)
  })

  it('is connected for connectNode when one of them has led to it, whatever becomes of the other', async () => {
    const [a, x] = await moved({ seeds: [SEED] })
    const transport = cluster.network.transport('hole')
    await transport.listen(SEED, () => ({ onFrame: () => undefined, onEnd: () => undefined }))
    await cluster.advance(2_000)
    a.disconnectNode(x.name)
    await cluster.advance(100)
    const askedMs = cluster.clock.monotonicMs()
    expect(await cluster.run(a.connectNode(x.name))).toBe(true)
    expect(cluster.clock.monotonicMs() - askedMs).toBeLessThan(100)
  })

  it('of which both are seeds is connected once, and neither is dialed but every quarter of a minute', async () => {
    const b = await start('b', { port: PORT })
    const a = await start('a', { seeds: [SEED, `another:${PORT}`] })
    await cluster.advance(10_000)
    expect(a.nodes()).toEqual([b.name])
    expect(await dialsInAMinute(`a ${SEED}`)).toBeLessThan(5)
    expect(dialed.length).toBeLessThan(5)
  })

  it('that dials while it is dialed by another of them is connected once, and all is quiet', async () => {
    const first = '127.0.0.1:7003'
    const starting = [
      cluster.begin('a', { port: 7_003, seeds: [outer] }),
      cluster.begin('b', { ...behind, seeds: [first] }),
    ]
    const [a, b] = await cluster.run(Promise.all(starting))
    await cluster.advance(10_000)
    expect([a?.nodes(), b?.nodes()]).toEqual([[b?.name], [a?.name]])
    expect(await dialsInAMinute(`a ${outer}`)).toBeLessThan(5)
    expect(dialed.length).toBeLessThan(5)
  })
})
