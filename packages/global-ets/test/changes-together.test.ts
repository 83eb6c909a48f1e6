/**
 * When a node's own changes go to the others: a lone one at once, many together. A message to another node takes a millisecond here.
 */
import type { NamesMessage } from '@pidmesh/global-ets'
import { handler, hasType, type NameMeta } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Member, idle, join } from './lab.ts'

let cluster: TestCluster
let a: Member
let b: Member

beforeEach(async () => {
  cluster = new TestCluster()
  a = await join(cluster, 'a')
  b = await join(cluster, 'b')
  await cluster.advance(1_500)
})

afterEach(async () => {
  await cluster.stop()
})

/** Each in a turn of its own. */
async function register(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    expect(a.names.registerName(name, idle(a))).toBe('yes')
    await cluster.settle()
  }
}

describe("a change of the node's own rows", () => {
  it('goes at once if none has gone just before', async () => {
    await register('first')
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first'])
    await register('second')
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first', 'second'])
  })

  it('that follows within a millisecond goes together with the others of that millisecond', async () => {
    const { signalsSent } = a.node.counters()
    await register('first', 'second', 'third', 'fourth')
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first'])
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first', 'fourth', 'second', 'third'])
    expect(a.node.counters().signalsSent - signalsSent).toBe(2)
  })

  it('goes with at most one message a millisecond, however long they come', async () => {
    const { signalsSent } = a.node.counters()
    for (let ms = 0; ms < 100; ms++) {
      await register(...Array.from({ length: 5 }, (_, n) => `user:${ms}:${n}`))
      await cluster.advance(1)
    }
    await cluster.advance(2)
    expect(b.names.size).toBe(500)
    expect(a.node.counters().signalsSent - signalsSent).toBe(101)
  })

  it('waits for nothing once there are 32 KiB of them', async () => {
    await register('first')
    const pid = idle(a)
    for (let n = 0; n < 3_000; n++) a.names.registerName(`user:${String(n).padStart(7, '0')}`, pid)
    await cluster.settle()
    await cluster.advance(1)
    expect(b.names.size).toBeGreaterThan(1_000)
    await cluster.advance(1)
    expect(b.names.size).toBe(3_001)
  })

  it('is told to those who watch on its own node in the same go', async () => {
    const told = watched(a)
    await register('first', 'second', 'third')
    expect(told).toEqual([['first']])
    await cluster.advance(1)
    expect(told).toEqual([['first'], ['second', 'third']])
  })

  it('that waits does not hold up what comes from others, and goes out with what is told of that', async () => {
    const told = watched(a)
    b.names.registerName('theirs', idle(b))
    await cluster.settle()
    await cluster.advance(0.5)
    await register('first', 'second')
    await cluster.advance(0.5)
    expect(told).toEqual([['first'], ['second', 'theirs']])
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first', 'second', 'theirs'])
  })
})

/** The names in each message to a process of that node which watches. */
function watched({ node, names }: Member): string[][] {
  const told: string[][] = []
  names.watch(
    node.spawn(
      handler(() => (message) => {
        if (!hasType(message, 'names')) return
        told.push((message as NamesMessage<NameMeta>).changes.map(({ name }) => name))
      }),
    ),
  )
  return told
}
