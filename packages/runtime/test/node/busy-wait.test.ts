import { handler, type Context, type Node, type Pid, type Ref } from '@pidmesh/runtime'
import { afterEach, expect, it } from 'vitest'
import { startNodeWith } from '../../src/node/node.ts'
import type { BusyWait, Clock } from '../../src/ports.ts'
import { MemoryLogger } from '../../src/testing/memory-logger.ts'
import { nactPump } from '../../src/system/nact-pump.ts'
import { systemClock } from '../../src/system/system-clock.ts'
import { systemRandom } from '../../src/system/system-random.ts'
import { tcpTransport } from '../../src/transport/sockets/tcp.ts'

/** Stands still unless it is told to go on: how fast this machine is doesn't matter. */
let nowMs = 1_000
const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }

const nodes: Node[] = []
afterEach(() => Promise.all(nodes.splice(0).map((node) => node.stop())))

/** A node, until when it was to wait awake each time, and how often what it waited for was there. */
async function start(
  name: string,
  seeds: readonly string[],
): Promise<{ node: Node; waits: number[]; ends: { count: number } }> {
  const waits: number[] = []
  const ends = { count: 0 }
  const busyWait: BusyWait = { until: (ms) => waits.push(ms), end: () => void ends.count++ }
  const node = await startNodeWith({ name: `${name}@127.0.0.1`, cookie: 'a test cookie', seeds }, () => ({
    clock,
    random: systemRandom,
    pump: nactPump,
    busyWait,
    transport: tcpTransport(undefined),
    log: new MemoryLogger(),
  }))
  nodes.push(node)
  return { node, waits, ends }
}

function run<T>(node: Node, body: (self: Context) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    node.spawn(async (self) => body(self).then(resolve, reject))
  })
}

it('nodes whose processes ask and answer in turn wait awake for each other; for one that is only sent to nobody does', async () => {
  const b = await start('b', [])
  const a = await start('a', [b.node.address])
  const answerer: Pid = b.node.spawn(
    handler((self) => (message) => {
      if (typeof message === 'object') self.send(message as Ref, 'answer')
    }),
  )
  await run(a.node, async (self) => {
    for (let n = 0; n < 50; n++) await self.request(answerer, (replyTo) => replyTo, 5_000)
  })
  expect(a.waits.length).toBeGreaterThan(20)
  expect(b.waits.length).toBeGreaterThan(20)
  // The last answer was waited for by a, and nothing came after it for b.
  expect(a.ends.count).toBe(a.waits.length)
  expect(b.ends.count).toBe(b.waits.length - 1)
  expect(new Set([...a.waits, ...b.waits])).toEqual(new Set([1_000.4]))
  const [before, ofB] = [a.waits.length, b.waits.length]
  await run(a.node, async (self) => {
    for (let n = 0; n < 100; n++) {
      self.send(answerer, 'one that is not answered')
      await new Promise((resolve) => setImmediate(resolve))
      nowMs += 1
    }
  })
  // What it had to its credit: after each of these nothing came.
  expect(a.waits.length - before).toBeLessThanOrEqual(9)
  expect(b.waits.length).toBe(ofB)
})

it('an answer that comes in parts is waited for as any other', async () => {
  const b = await start('b', [])
  const a = await start('a', [b.node.address])
  const answerer = b.node.spawn(
    handler((self) => (replyTo) => {
      self.send(replyTo as Ref, 'x'.repeat(100_000))
    }),
  )
  await run(a.node, async (self) => {
    for (let n = 0; n < 50; n++) await self.request(answerer, (replyTo) => replyTo, 5_000)
  })
  expect(a.waits.length).toBeGreaterThan(20)
  expect(a.ends.count).toBe(a.waits.length)
})
