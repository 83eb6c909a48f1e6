/**
 * What a node does with what discovery finds. The network is asked who has dialed where.
 */
import { handler, type Discovery, type Node, type NodeOptions } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeDiscovery } from './fake-discovery.ts'
import { watchDials } from './watched-dials.ts'

const NOBODY = '127.0.0.1:9'

let cluster: TestCluster
let discovery: FakeDiscovery
/** The addresses that were dialed, by anybody, in order. */
let dialed: string[]

beforeEach(() => {
  cluster = new TestCluster()
  discovery = new FakeDiscovery()
  dialed = []
  watchDials(cluster, (_host, address) => {
    dialed.push(address)
    return address
  })
})

afterEach(() => cluster.stop())

/** A node that knows no other but by discovery. */
function start(name: string, more: Partial<NodeOptions> = {}): Promise<Node> {
  return cluster.start(name, { seeds: [], ...more })
}

function lines(message: string): readonly { readonly [key: string]: unknown }[] {
  return cluster.log.lines.filter((line) => line.message === message).map((line) => line.fields)
}

/** How often each address was dialed in so long a time, from `first` on. */
async function dialsWithin(ms: number, first?: () => void): Promise<ReadonlyMap<string, number>> {
  dialed.length = 0
  first?.()
  await cluster.advance(ms)
  const counts = new Map<string, number>()
  for (const address of dialed) counts.set(address, (counts.get(address) ?? 0) + 1)
  return counts
}

describe('an address that discovery lists', () => {
  it('is dialed, and startNode does not wait for it', async () => {
    const b = await start('b')
    const a = await start('a', { discovery })
    expect(a.nodes()).toEqual([])
    discovery.tell(b.address)
    await cluster.advance(100)
    expect(a.nodes()).toEqual([b.name])
    expect(b.nodes()).toEqual([a.name])
  })

  it('may be found within the call that begins the discovery, against the rules, and by several discoveries', async () => {
    const [b, c] = [await start('b'), await start('c')]
    const hasty: Discovery = {
      start: (found) => {
        found([b.address])
        return () => undefined
      },
    }
    const a = await start('a', { discovery: [hasty, discovery] })
    discovery.tell(b.address, c.address)
    await cluster.advance(100)
    expect(a.nodes()).toEqual([b.name, c.name])
  })

  it('is dialed on as a seed is while nobody answers, however long', async () => {
    await start('a', { discovery })
    discovery.tell(NOBODY)
    await cluster.advance(30 * 60_000)
    expect((await dialsWithin(60_000)).get(NOBODY)).toBeGreaterThan(50)
    expect(lines('dial failed').length).toBeGreaterThan(0)
    expect(
      cluster.log.lines.filter(({ level, message }) => level === 'info' && message === 'dial failed'),
    ).toHaveLength(1)
  })

  it('is dialed no more once it has vanished from every list', async () => {
    const other = new FakeDiscovery()
    await start('a', { discovery: [discovery, other] })
    discovery.tell(NOBODY)
    other.tell(NOBODY)
    discovery.tell()
    expect((await dialsWithin(10_000)).get(NOBODY)).toBeGreaterThan(5)
    other.tell()
    await cluster.advance(10)
    expect((await dialsWithin(60_000)).get(NOBODY)).toBeUndefined()
    other.tell(NOBODY)
    expect((await dialsWithin(10_000)).get(NOBODY)).toBeGreaterThan(5)
  })

  it('that vanishes while it is dialed is not dialed again', async () => {
    await start('a', { discovery })
    dialed.length = 0
    discovery.tell(NOBODY)
    discovery.tell()
    await cluster.advance(10_000)
    expect(dialed).toEqual([NOBODY])
  })

  it('that vanishes while a node there is refusing is not dialed again', async () => {
    const b = await start('b', { cookie: 'another cookie' })
    await start('a', { discovery })
    dialed.length = 0
    discovery.tell(b.address)
    await cluster.advance(2)
    discovery.tell()
    await cluster.advance(60_000)
    expect(dialed).toEqual([b.address])
  })

  it('of a connected node may vanish: the node stays connected, and is dialed again after a break', async () => {
    const b = await start('b')
    const a = await start('a', { discovery })
    discovery.tell(b.address)
    await cluster.advance(100)
    discovery.tell()
    await cluster.advance(60_000)
    expect(a.nodes()).toEqual([b.name])
    cluster.partition(['a'], ['b'])
    // Only this one of the two dials that address.
    expect((await dialsWithin(10_000)).get(b.address)).toBeGreaterThan(0)
    expect(a.nodes()).toEqual([])
    cluster.heal()
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual([b.name])
  })

  it('of a node that is gone may vanish: it is forgotten at once, though it was learnt from the node', async () => {
    const b = await start('b')
    const a = await start('a', { discovery })
    discovery.tell(b.address)
    await cluster.advance(100)
    const { address } = b
    await cluster.run(b.stop())
    expect((await dialsWithin(5_000)).get(address)).toBeGreaterThan(2)
    discovery.tell()
    await cluster.advance(10)
    expect((await dialsWithin(60_000)).get(address)).toBeUndefined()
    expect(a.nodes()).toEqual([])
  })

  it('that is a seed too is dialed for ever', async () => {
    await start('a', { discovery, seeds: [NOBODY] })
    discovery.tell(NOBODY)
    discovery.tell()
    await cluster.advance(60_000)
    expect((await dialsWithin(10_000)).get(NOBODY)).toBeGreaterThan(5)
  })

  it('is not dialed at all if it is the one that the node advertises', async () => {
    const a = await start('a', { discovery })
    expect(await dialsWithin(60_000, () => discovery.tell(a.address))).toEqual(new Map())
  })

  it('is dialed every 15 to 30 s while it is listed if the node finds itself there', async () => {
    // As in a container: it advertises a name, and is listed by its address.
    const a = await start('a', { discovery, port: 7_001, advertise: 'a.mesh:7001' })
    const itself = '127.0.0.1:7001'
    expect((await dialsWithin(4_000, () => discovery.tell(itself))).get(itself)).toBe(1)
    const dials = (await dialsWithin(60_000, () => discovery.tell(itself, NOBODY))).get(itself)
    expect(dials).toBeGreaterThan(1)
    expect(dials).toBeLessThan(5)
    discovery.tell()
    expect((await dialsWithin(60_000)).get(itself)).toBeUndefined()
    expect(a.nodes()).toEqual([])
  })

  it('does not undo disconnectNode, not even if it vanishes and comes again', async () => {
    const b = await start('b', { port: 7_002, advertise: 'b.mesh:7002' })
    const a = await start('a', { discovery })
    discovery.tell('127.0.0.1:7002')
    await cluster.advance(100)
    expect(a.disconnectNode(b.name)).toBe(true)
    discovery.tell()
    await cluster.advance(1_000)
    discovery.tell('127.0.0.1:7002')
    await cluster.advance(60_000)
    expect([a.nodes(), b.nodes()]).toEqual([[], []])
    expect(await cluster.run(a.connectNode(b.name))).toBe(true)
  })

  it('where the node is refused is logged once, and is no failed start', async () => {
    const b = await start('b', { cookie: 'another cookie' })
    const a = await start('a', { discovery })
    discovery.tell(b.address)
    await cluster.advance(60_000)
    expect(a.nodes()).toEqual([])
    expect(lines('connection refused')).toMatchObject([{ address: b.address, code: 'bad_cookie' }])
  })
})

describe('what a discovery tells', () => {
  it('is bounded: 1,024 addresses are dialed, and that there are more is logged once', async () => {
    await start('a', { discovery })
    const addresses = Array.from({ length: 3_000 }, (_, i) => `127.0.0.1:${10_000 + i}`)
    expect((await dialsWithin(50, () => discovery.tell(...addresses))).size).toBe(1_024)
    discovery.tell(...addresses)
    expect(lines('discovery lists more addresses than are taken')).toEqual([{ limit: 1_024, node: 'a@127.0.0.1' }])
  })

  it('is bounded for all discoveries together, and the first have their own', async () => {
    const other = new FakeDiscovery()
    await start('a', { discovery: [discovery, other] })
    other.tell(...Array.from({ length: 1_024 }, (_, i) => `127.0.0.1:${10_000 + i}`))
    expect((await dialsWithin(50, () => discovery.tell(NOBODY))).get(NOBODY)).toBe(1)
    discovery.tell(NOBODY, '127.0.0.1:8')
    expect(lines('discovery lists more addresses than are taken')).toHaveLength(1)
    expect((await dialsWithin(3_000)).size).toBe(1_024)
  })

  it('is counted once if several list it, and that there are too many is logged again when there are again', async () => {
    const other = new FakeDiscovery()
    await start('a', { discovery: [discovery, other] })
    const addresses = Array.from({ length: 1_024 }, (_, i) => `127.0.0.1:${10_000 + i}`)
    const warned = (): number => lines('discovery lists more addresses than are taken').length
    for (const one of [discovery, other]) one.tell(...addresses)
    expect(warned()).toBe(0)
    for (const times of [1, 2]) {
      discovery.tell(NOBODY)
      expect(warned()).toBe(times)
      discovery.tell()
    }
  })

  it('is shown up to ten of what has come, and of what is gone, and how many there are', async () => {
    await start('a', { discovery })
    discovery.tell(...Array.from({ length: 30 }, (_, i) => `127.0.0.1:${10_000 + i}`))
    discovery.tell(NOBODY)
    const shown = lines('other addresses are listed').map(({ count, added, gone }) => [count, added, gone])
    const ten = Array.from({ length: 10 }, (_, i) => `127.0.0.1:${10_000 + i}`)
    expect(shown).toEqual([
      [30, ten, []],
      [1, [NOBODY], ten],
    ])
  })

  it('is shown up to ten of what is no address, and not again in another order', async () => {
    await start('a', { discovery })
    const bad = Array.from({ length: 30 }, (_, i) => `chat${i}`)
    for (const given of [bad, bad.toReversed()]) discovery.tell(...given)
    const [line, ...more] = lines('not of the form host:port')
    expect(line).toMatchObject({ count: 30 })
    expect(line?.['addresses']).toHaveLength(10)
    expect(more).toEqual([])
  })

  it('is taken but for what is no address, which is logged once and not at each refresh', async () => {
    const b = await start('b')
    const a = await start('a', { discovery })
    const hostile = {
      toString: () => {
        throw new Error('no')
      },
    }
    for (let refresh = 0; refresh < 3; refresh++) {
      discovery.tell('chat2', 'chat2:70000', 7, undefined, hostile, b.address)
      await cluster.advance(100)
    }
    expect(a.nodes()).toEqual([b.name])
    expect(lines('not of the form host:port')).toMatchObject([{ count: 5 }])
  })

  it('is passed over if it is no list, or none that can be read, and what was found before stays', async () => {
    await start('a', { discovery })
    discovery.tell(NOBODY)
    const revoked = Proxy.revocable([], {})
    revoked.revoke()
    const traps = new Proxy([NOBODY], {
      get: () => {
        throw new Error('no')
      },
    })
    for (const junk of [undefined, 'a:1', { length: 3 }, revoked.proxy, traps]) discovery.tellJunk(junk)
    expect((await dialsWithin(10_000)).get(NOBODY)).toBeGreaterThan(5)
    expect(lines('what a discovery has found can not be read')).toHaveLength(5)
  })

  it('is the same as before: nothing is logged, nothing is dialed anew', async () => {
    await start('a', { discovery })
    discovery.tell(NOBODY)
    await cluster.advance(10)
    const before = cluster.log.lines.length
    dialed.length = 0
    for (let refresh = 0; refresh < 100; refresh++) discovery.tell(NOBODY)
    expect(cluster.log.lines).toHaveLength(before)
    expect(dialed).toEqual([])
  })
})

describe('a discovery', () => {
  it('that throws, or gives back nothing that ends it, is logged, and harms neither its node nor another discovery', async () => {
    const b = await start('b')
    const wrong: Discovery[] = [
      {
        start: () => {
          throw new Error('no network')
        },
      },
      { start: (() => undefined) as never },
      { start: (async () => Promise.reject(new Error('later'))) as never },
      {
        start: () => () => {
          throw new Error('never ends')
        },
      },
    ]
    const a = await start('a', { discovery: [...wrong, discovery] })
    discovery.tell(b.address)
    await cluster.advance(100)
    expect(a.nodes()).toEqual([b.name])
    expect(lines('discovery could not be started').map(({ problem }) => problem)).toEqual(['"no network"', '"later"'])
    expect(lines('the start of a discovery must return what ends it')).toHaveLength(2)
    await cluster.run(a.stop())
    expect(lines('discovery could not be ended')).toMatchObject([{ problem: '"never ends"' }])
    expect(discovery.isEnded).toBe(true)
  })

  it('ends with its node, and is not listened to after it', async () => {
    const b = await start('b')
    const a = await start('a', { discovery })
    await cluster.run(a.stop())
    expect(discovery.isEnded).toBe(true)
    const before = cluster.log.lines.length
    expect(await dialsWithin(1_000, () => discovery.tell(b.address))).toEqual(new Map())
    expect(cluster.log.lines).toHaveLength(before)
  })

  it('ends too if its node can not be started', async () => {
    const b = await start('b', { cookie: 'another cookie' })
    await expect(start('a', { discovery, seeds: [b.address] })).rejects.toMatchObject({ code: 'ERR_BAD_COOKIE' })
    expect(discovery.isEnded).toBe(true)
  })

  it.each([
    ['a text', 'mesh.local'],
    ['a list of texts', ['mesh.local']],
    ['what has no start', {}],
    ['null', null],
  ])('is not %s', async (_what, wrong) => {
    await expect(start('a', { discovery: wrong as never })).rejects.toMatchObject({ code: 'ERR_BAD_OPTION' })
  })
})

describe('seeds', () => {
  it('that are given twice, or have dialed this node already, are dialed as one', async () => {
    await start('a', { seeds: [NOBODY, NOBODY] })
    const dials = (await dialsWithin(60_000)).get(NOBODY)
    expect(dials).toBeGreaterThan(50)
    // At most one each half of the longest backoff, which is a second.
    expect(dials).toBeLessThan(121)
  })

  it('at which nobody is found are warned of once, after half a minute: the address may be wrong', async () => {
    const warnings = (): unknown[] =>
      cluster.log.lines.flatMap(({ level, message, fields }) =>
        level === 'warn' && message.startsWith('seed not reached') ? [fields['address']] : [],
      )
    await start('a', { seeds: [NOBODY] })
    await cluster.advance(28_000)
    expect(warnings()).toEqual([])
    await cluster.advance(4_000)
    expect(warnings()).toEqual([NOBODY])
    await cluster.advance(600_000)
    expect(warnings()).toEqual([NOBODY])
  })

  it('at which a node has been are not warned of: that it is gone stands in the log', async () => {
    const b = await start('b')
    await start('a', { seeds: [b.address] })
    cluster.crash('b')
    await cluster.advance(600_000)
    expect(cluster.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ message: 'node down' }])
  })

  it('are as before beside a discovery: nodes that are found otherwise learn of each other', async () => {
    const c = await start('c')
    const b = await start('b', { seeds: [c.address] })
    const a = await start('a', { discovery })
    discovery.tell(b.address)
    await cluster.advance(1_000)
    expect(a.nodes()).toEqual([b.name, c.name])
    const seen: unknown[] = []
    c.register('inbox', c.spawn(handler(() => (message) => void seen.push(message))))
    a.send({ name: 'inbox', node: c.name }, 'hello')
    await cluster.advance(10)
    expect(seen).toEqual(['hello'])
  })
})
