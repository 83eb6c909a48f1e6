/**
 * Nobody waits longer than a turn for a process with a long mailbox: neither processes, nor timers, nor sockets.
 */
import { createConnection, createServer } from 'node:net'
import { handler, startNode, type Context, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, describe, expect, it } from 'vitest'

const MESSAGES = 1_000_000

describe('in a turn', () => {
  const cluster = new TestCluster()

  afterEach(async () => {
    await cluster.stop()
  })

  it.each([0.001, 0.01, 0.1, 1])(
    'a process whose messages take %f ms each gives way to another after the turn budget of 5 ms, and one message at most',
    async (costMs) => {
      const node = await cluster.start('a')
      const { clock } = cluster
      const work = handler(() => () => clock.passTo(clock.monotonicMs() + costMs))
      const seenAtMs: number[] = []
      const busy = node.spawn(work)
      const other = node.spawn(handler(() => () => void seenAtMs.push(clock.monotonicMs())))
      await cluster.settle()
      const count = Math.min(MESSAGES, 50 / costMs)
      for (let i = 0; i < count; i++) node.send(busy, i)
      const sentAtMs = clock.monotonicMs()
      node.send(other, 'my turn')
      await cluster.settle()
      expect(clock.monotonicMs() - sentAtMs).toBeGreaterThan(40)
      // A stride of quick messages may be begun before its end is known.
      expect((seenAtMs[0] ?? Infinity) - sentAtMs).toBeLessThanOrEqual(5 + Math.max(costMs, 0.2))
      await cluster.stop()
    },
  )

  it('what is sent to another node leaves when the turn is over, though others still have work to do', async () => {
    const [a, b] = [await cluster.start('a'), await cluster.start('b')]
    const { clock } = cluster
    const buffered: number[] = []
    const far = b.spawn(handler(() => () => undefined))
    const busy = a.spawn(
      handler(() => () => {
        buffered.push(a.counters().bufferedBytes)
        clock.passTo(clock.monotonicMs() + 1)
      }),
    )
    await cluster.settle()
    a.send(far, 'hello')
    for (let i = 0; i < 20; i++) a.send(busy, i)
    await cluster.settle()
    expect(buffered[0]).toBeGreaterThan(0)
    expect(buffered.slice(5)).toEqual(new Array<number>(15).fill(0))
  })

  it('handlers with a million messages each take turns, a thousand messages at a time', async () => {
    const node = await cluster.start('a')
    const order: number[] = []
    let previous = -1
    const busy = [0, 1, 2].map((n) =>
      node.spawn(
        handler(() => () => {
          if (previous !== n) order.push(n)
          previous = n
        }),
      ),
    )
    await cluster.settle()
    for (let i = 0; i < 10_000; i++) for (const pid of busy) node.send(pid, i)
    await cluster.settle()
    expect(order).toEqual(Array.from({ length: 30 }, (_, i) => i % 3))
  })

  it('a plain process has its share beside handlers that never rest: its code runs on between two passes of the queue', async () => {
    const node = await cluster.start('a')
    const busy = node.spawn(handler((self) => () => (received < 100 ? void self.send(self.pid, 'on') : undefined)))
    let received = 0
    let handled = 0
    node.trace(busy, { receive: true }, () => handled++)
    const plain = node.spawn(async (self) => {
      for (;;) {
        await self.receive()
        received++
        self.send(self.pid, 'on')
        if (received === 100) self.exit('done')
      }
    })
    node.send(busy, 'begin')
    node.send(plain, 'begin')
    await cluster.settle()
    expect(received).toBe(100)
    // A quantum of messages to each of its own.
    expect(handled).toBeLessThan(110 * 1_000)
  })
})

describe('on the real machine', () => {
  const running: Node[] = []

  afterEach(async () => {
    for (const node of running.splice(0)) await node.stop()
  })

  async function start(): Promise<Node> {
    const node = await startNode({ name: 'fair@127.0.0.1', cookie: 'a test cookie', logLevel: 'silent' })
    running.push(node)
    return node
  }

  const kinds: Record<string, (node: Node, handled: () => void) => ReturnType<Node['spawn']>> = {
    'a handler': (node, handled) => node.spawn(handler(() => handled)),
    'an async handler': (node, handled) =>
      node.spawn(
        handler(() => async () => {
          await Promise.resolve()
          handled()
        }),
      ),
    'a plain process': (node, handled) =>
      node.spawn(async (self: Context) => {
        for (;;) {
          await self.receive()
          handled()
        }
      }),
    'a plain process that polls': (node, handled) =>
      node.spawn(async (self: Context) => {
        for (;;) {
          const message = await self.receive({ timeoutMs: 0 })
          if (message === undefined) await self.receive()
          handled()
        }
      }),
  }

  it.each(Object.keys(kinds))(
    '%s that works off a million messages lets timers, sockets and other processes in all the while',
    { timeout: 30_000 },
    async (kind) => {
      const node = await start()
      let handled = 0
      let work = 0
      const busy = kinds[kind]?.(node, () => {
        handled++
        // Some work, so that the whole takes many turns on any machine.
        for (let n = 0; n < 50; n++) work += Math.sqrt(n)
      })
      if (busy === undefined) throw new Error(`no process of kind ${kind}`)
      // Each notes how far the busy process has come, as often as it gets its turn.
      const seen = { timer: [] as number[], process: [] as number[], socket: [] as number[] }
      let working = true
      const tick = (): void => {
        seen.timer.push(handled)
        if (working) timer = setTimeout(tick, 0)
      }
      let timer = setTimeout(tick, 0)
      const other = node.spawn(
        handler((self) => () => {
          seen.process.push(handled)
          if (working) self.sendAfter(0, self.pid, 'again')
        }),
      )
      const server = createServer((peer) => peer.on('error', () => undefined).pipe(peer)).listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as { port: number }
      const socket = createConnection(port, '127.0.0.1')
      await new Promise((resolve) => socket.once('connect', resolve))
      socket.on('data', () => {
        seen.socket.push(handled)
        if (working) socket.write('x')
      })
      socket.write('x')
      node.send(other, 'begin')
      for (let i = 0; i < MESSAGES; i++) node.send(busy, i)
      await expect.poll(() => handled, { timeout: 25_000, interval: 5 }).toBe(MESSAGES)
      working = false
      clearTimeout(timer)
      socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      expect(work).toBeGreaterThan(0)
      for (const [who, marks] of Object.entries(seen)) {
        const between = marks.filter((mark) => mark > 0 && mark < MESSAGES)
        expect(between.length, `turns of the ${who}`).toBeGreaterThanOrEqual(5)
        const gaps = [0, ...between, MESSAGES].map((mark, i, all) => mark - (all[i - 1] ?? 0))
        // No share of the whole without a turn: each gap is a small part of it, whatever the machine does.
        expect(Math.max(...gaps), `longest gap of the ${who}`).toBeLessThan(MESSAGES / 2)
      }
    },
  )
})
