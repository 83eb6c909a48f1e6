/**
 * What a whole cluster goes through: cuts, nodes that dial each other, and loads that are too large for a connection.
 */
import { handler, startNode, type Node, type NodeOptions, type Pid, type TransportKind } from '@pidmesh/runtime'
import { seededRandom, TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, describe, expect, it } from 'vitest'

const SEEDS = Number(process.env['PIDMESH_HISTORIES'] ?? 100)
const timeout = Math.max(20_000, SEEDS * 200)

interface Seen {
  readonly type: string
  readonly reason?: unknown
  readonly ref?: unknown
}

/** A process that is told of all nodes, and of what it monitors. */
function watcher(node: Node): { readonly seen: Seen[]; readonly watching: Promise<void>; monitor(pid: Pid): void } {
  const seen: Seen[] = []
  let begin = (): void => undefined
  const watching = new Promise<void>((resolve) => (begin = resolve))
  const pid = node.spawn(
    handler((self) => {
      self.monitorNodes(true)
      begin()
      return (message) => {
        if (Array.isArray(message)) self.monitor(message[0] as Pid)
        else seen.push(message as Seen)
      }
    }),
  )
  return { seen, watching, monitor: (target) => void node.send(pid, [target]) }
}

/** Runs one after another and says of each that fails which it was. */
async function expectOfAll(run: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await expect(run(seed), `seed ${seed}; PIDMESH_HISTORIES=${seed} gets there`).resolves.toBeUndefined()
  }
}

const brokenProtocol = (cluster: TestCluster): unknown[] =>
  cluster.log.lines
    .filter(({ message }) => message === 'peer broke the protocol')
    .map(({ fields }) => fields['problem'])

describe('two nodes that dial each other at the same time', () => {
  it(
    `come together once after a cut, whatever the delays of their connections (${SEEDS} seeds)`,
    { timeout },
    async () => {
      await expectOfAll(async (seed) => {
        const cluster = new TestCluster({ seed, latencyMs: [1, 20] })
        const nodes = [await cluster.start('a'), await cluster.start('b')]
        await cluster.advance(500)
        cluster.partition(['a'], ['b'])
        await cluster.advance(10_000)
        const watchers = nodes.map(watcher)
        await cluster.settle()
        cluster.heal()
        await cluster.advance(3_000)
        expect(watchers.map(({ seen }) => seen.map(({ type }) => type))).toEqual([['nodeup'], ['nodeup']])
        expect(brokenProtocol(cluster)).toEqual([])
        await cluster.stop()
      })
    },
  )

  it(`come together once when all start at the same time with all as seeds (${SEEDS} seeds)`, { timeout }, async () => {
    await expectOfAll(async (seed) => {
      const cluster = new TestCluster({ seed, latencyMs: [1, 20] })
      const seeds = ['127.0.0.1:30001', '127.0.0.1:30002', '127.0.0.1:30003']
      const starting = ['a', 'b', 'c'].map((name, i) => cluster.begin(name, { port: 30_001 + i, seeds }))
      const nodes = await cluster.run(Promise.all(starting))
      await cluster.advance(10_000)
      expect(nodes.map((node) => node.nodes().length)).toEqual([2, 2, 2])
      expect(cluster.log.lines.filter(({ message }) => message === 'node down')).toEqual([])
      expect(brokenProtocol(cluster)).toEqual([])
      await cluster.stop()
    })
  })
})

describe('cuts and crashes at random', () => {
  it(`give one DOWN a monitor, and nodeup and nodedown in turn (${SEEDS} seeds)`, { timeout }, async () => {
    await expectOfAll(async (seed) => {
      const cluster = new TestCluster({ seed })
      const random = seededRandom(seed * 7)
      const below = (limit: number): number => Math.floor(random.fraction() * limit)
      const { seen, monitor } = watcher(await cluster.start('a'))
      let other: Node | undefined = await cluster.start('b', { port: 30_002 })
      let monitors = 0
      for (let step = 0; step < 40; step++) {
        const dice = below(6)
        if (dice === 0) cluster.network.cut('a', 'b')
        else if (dice === 1) cluster.network.cut('b', 'a')
        else if (dice === 2) cluster.heal()
        else if (dice === 3 && other !== undefined) {
          const lifeMs = 1 + below(9_000)
          monitor(other.spawn(async (self) => void (await self.receive({ timeoutMs: lifeMs }))))
          monitors++
        } else if (dice === 4 && other !== undefined && below(4) === 0) {
          cluster.crash('b')
          other = undefined
        } else if (dice === 5 && other === undefined) {
          // It may find its own name in use: a cut has kept the crash from the other node.
          other = await cluster.start('b', { port: 30_002 }).catch(() => undefined)
        }
        await cluster.advance(below(3_000))
      }
      cluster.heal()
      await cluster.advance(30_000)
      const downs = seen.filter(({ type }) => type === 'DOWN').map(({ ref }) => String(ref))
      expect(downs).toHaveLength(monitors)
      expect(new Set(downs).size).toBe(monitors)
      const turns = seen.filter(({ type }) => type !== 'DOWN').map(({ type }) => type)
      expect(turns).toEqual(turns.map((_, i) => (i % 2 === 0 ? 'nodeup' : 'nodedown')))
      await cluster.stop()
    })
  })
})

describe.each<TransportKind>(['grpc', 'tcp'])('over %s', (transport) => {
  const running: Node[] = []

  async function start(name: string, more: Partial<NodeOptions> = {}): Promise<Node> {
    const node = await startNode({
      name: `${name}@127.0.0.1`,
      cookie: 'secret cookie',
      logLevel: 'silent',
      transport,
      ...more,
    })
    running.push(node)
    return node
  }

  async function pair(): Promise<[Node, Node]> {
    const a = await start('a')
    const b = await start('b', { seeds: [a.address] })
    await expect.poll(() => a.nodes()).toEqual([b.name])
    return [a, b]
  }

  afterEach(async () => {
    for (const node of running.splice(0)) await node.stop()
  })

  it('the crash of a process with 5,000 watchers on another node tells them all why, and the connection stays up', async () => {
    const [a, b] = await pair()
    const room = a.spawn(
      handler(() => (message) => {
        if (message === 'crash') throw new Error('x'.repeat(2_000))
      }),
    )
    const { seen, watching } = watcher(b)
    await watching
    const reasons: unknown[] = []
    for (let i = 0; i < 5_000; i++) {
      b.spawn(async (self) => {
        self.monitor(room)
        // After the monitor, on the same connection: the last of these to arrive is after the last of those.
        if (i === 4_999) self.send(room, 'crash')
        reasons.push((await self.receive('DOWN')).reason)
      })
    }
    await expect.poll(() => reasons.length, { timeout: 15_000 }).toBe(5_000)
    expect(new Set(reasons.map((reason) => JSON.stringify(reason))).size).toBe(1)
    expect(reasons[0]).toMatchObject({ error: { message: 'x'.repeat(1_024) } })
    expect(seen).toEqual([])
  })

  it('the end of a process with 2,100 watchers on another node and a reason of 6 KB is no frame that is too large', async () => {
    const [a, b] = await pair()
    const reason = { details: 'x'.repeat(6_000) }
    const room = a.spawn(async (self) => {
      await self.receive()
      self.exit(reason)
    })
    const { seen, watching } = watcher(b)
    await watching
    const reasons: unknown[] = []
    for (let i = 0; i < 2_100; i++) {
      b.spawn(async (self) => {
        self.monitor(room)
        if (i === 2_099) self.send(room, 'end')
        reasons.push((await self.receive('DOWN')).reason)
      })
    }
    await expect.poll(() => reasons.length, { timeout: 15_000 }).toBe(2_100)
    expect(reasons).toEqual(new Array(2_100).fill(reason))
    expect(seen).toEqual([])
  })

  it('a burst that is over the limit of a connection ends it with buffer_limit, and the nodes come together again', async () => {
    const [a, b] = await pair()
    const { seen, watching } = watcher(b)
    await watching
    const sink = a.spawn(handler(() => () => undefined))
    for (let i = 0; i < 20; i++) b.send(sink, new Uint8Array(1024 * 1024))
    await expect
      .poll(() => seen, { timeout: 15_000 })
      .toMatchObject([{ type: 'nodedown', reason: 'buffer_limit' }, { type: 'nodeup' }])
    const sizes: number[] = []
    const counter = a.spawn(handler(() => (message) => void sizes.push((message as Uint8Array).length)))
    const largest = 7.9 * 1024 * 1024
    b.send(counter, new Uint8Array(largest))
    await expect.poll(() => sizes, { timeout: 15_000 }).toEqual([Math.floor(largest)])
  })
})
