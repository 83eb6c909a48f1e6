/**
 * What is sent to a node while something is under way to it goes with what is sent next.
 */
import { randomUUID } from 'node:crypto'
import { handler, startNode, type Context, type Node, type Pid, type Ref } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

const LATENCY_MS = 10
/** No ticks among the frames. */
const QUIET = { netTickTimeMs: 240_000 }

describe('Messages to another node', () => {
  let cluster: TestCluster
  let near: Node
  let receiver: Pid
  let got: number[]
  /** When frames of signals have left the near node, in milliseconds. */
  let framesAtMs: number[]

  beforeEach(async () => {
    cluster = new TestCluster({ latencyMs: LATENCY_MS, socketBytes: 0 })
    near = await cluster.start('a', QUIET)
    const far = await cluster.start('b', QUIET)
    got = []
    receiver = far.spawn(handler(() => (message) => void got.push((message as { n: number }).n)))
    await cluster.advance(1_000)
    const startMs = cluster.clock.monotonicMs()
    framesAtMs = []
    cluster.network.observe((event) => {
      if (event.type === 'sent' && event.from === 'a') framesAtMs.push(cluster.clock.monotonicMs() - startMs)
    })
  })

  afterEach(async () => {
    await cluster.stop()
  })

  /** One in each millisecond. */
  const sendOneByOne = async (count: number, padding?: Uint8Array): Promise<void> => {
    for (let n = 0; n < count; n++) {
      near.send(receiver, { n, padding })
      await cluster.advance(1)
    }
  }

  it('leave at once if nothing is under way, and those that follow leave together when it has been passed on', async () => {
    await sendOneByOne(30)
    await cluster.advance(2 * LATENCY_MS)
    expect(framesAtMs).toEqual([0, 10, 20, 30])
    expect(got).toEqual(Array.from({ length: 30 }, (_, n) => n))
  })

  it('leave each for itself as long as sockets take them', async () => {
    const wide = new TestCluster({ latencyMs: LATENCY_MS })
    onTestFinished(() => wide.stop())
    const from = await wide.start('a')
    const to = await wide.start('b')
    const arrivedAtMs: number[] = []
    const sink = to.spawn(handler(() => () => void arrivedAtMs.push(wide.clock.monotonicMs() - startMs)))
    const startMs = wide.clock.monotonicMs()
    for (let n = 0; n < 3; n++) {
      from.send(sink, n)
      await wide.advance(1)
    }
    await wide.advance(LATENCY_MS)
    expect(arrivedAtMs).toEqual([10, 11, 12])
  })

  it('leave at once whatever is under way, if they are 4 KiB', async () => {
    await sendOneByOne(7, new Uint8Array(1_500))
    expect(framesAtMs).toEqual([0, 3, 6])
    await cluster.advance(2 * LATENCY_MS)
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('arrive over a slow connection in frames that show that their sender is there', async () => {
    const slow = new TestCluster({ socketBytes: 0 })
    onTestFinished(() => slow.stop())
    const from = await slow.start('a')
    const to = await slow.start('b')
    let arrived = 0
    const sink = to.spawn(handler(() => () => void arrived++))
    slow.network.setRate('a', 'b', 4_000)
    for (let n = 0; n < 3_000; n++) {
      from.send(sink, { n, padding: new Uint8Array(60) })
      await slow.advance(10)
    }
    await slow.advance(120_000)
    expect([arrived, from.nodes()]).toEqual([3_000, [to.name]])
  })
})

describe.each(['grpc', 'tcp'] as const)('Over %s', (transport) => {
  it.each(['dials', 'listens'] as const)(
    'a node that %s, and sends something twice in each lap of the event loop, makes nobody wait for laps',
    async (role) => {
      const cookie = randomUUID()
      const start = (name: string, seeds: readonly string[]): Promise<Node> =>
        startNode({ name: `${name}@127.0.0.1`, cookie, seeds, transport, logLevel: 'silent' })
      const listener = await start('listener', [])
      const dialer = await start('dialer', [listener.address])
      const [near, far] = role === 'dials' ? [dialer, listener] : [listener, dialer]
      const echo = far.spawn(
        handler(
          (self) =>
            ({ replyTo }: { replyTo?: Ref }) =>
              void (replyTo && self.send(replyTo, 0)),
        ),
      )
      let laps = 0
      let isOver = false
      near.spawn(async (self) => {
        for (; !isOver; laps++) {
          self.send(echo, {})
          // The turn ends, and what it has sent leaves.
          await new Promise((resolve) => process.nextTick(resolve))
          self.send(echo, {})
          await new Promise((resolve) => setImmediate(resolve))
        }
      })
      const lapsOfCalls: number[] = []
      const call = async (self: Context): Promise<void> => {
        for (let n = 0; n < 50; n++) {
          const before = laps
          await self.request(echo, (replyTo) => ({ replyTo }), 30_000)
          lapsOfCalls.push(laps - before)
        }
      }
      await Promise.all(
        Array.from(
          { length: 20 },
          () => new Promise<void>((resolve) => near.spawn((self) => call(self).then(resolve))),
        ),
      )
      isOver = true
      await dialer.stop()
      await listener.stop()
      // With a frame more in each lap than was passed on they were hundreds, and more with each call.
      expect(lapsOfCalls.toSorted((a, b) => a - b).at(900)).toBeLessThan(40)
    },
  )
})
