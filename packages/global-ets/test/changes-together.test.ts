/**
 * When a node's own changes go to the others: a lone one at once, many together. A message to another node takes a millisecond here.
 */
import type { NamesMessage } from '@pidmesh/global-ets'
import { handler, hasType, type NameMeta } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReplicatedTable } from '../src/engine/replicated-table.ts'
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

  it('that waits does not hold up what comes from others, and is told with it', async () => {
    const told = watched(a)
    b.names.registerName('theirs', idle(b))
    await cluster.settle()
    await cluster.advance(0.5)
    await register('first', 'second')
    await cluster.advance(0.5)
    expect(told).toEqual([['first'], ['second', 'theirs']])
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first', 'theirs'])
    await cluster.advance(1)
    expect(b.names.registeredNames()).toEqual(['first', 'second', 'theirs'])
  })

  it('goes with no more messages where somebody watches, and other nodes change something all the time', async () => {
    const others = [b, await join(cluster, 'c'), await join(cluster, 'd'), await join(cluster, 'e')]
    watched(a)
    await cluster.advance(1_500)
    const { signalsSent } = a.node.counters()
    for (let n = 0; n < 200; n++) {
      const other = others[n % others.length] ?? b
      other.names.registerName(`theirs:${n}`, idle(other))
      await register(`user:${n}`)
      await cluster.advance(0.25)
    }
    await cluster.advance(3)
    expect(b.names.size).toBe(400)
    // 50 ms, and as many messages to each.
    expect(a.node.counters().signalsSent - signalsSent).toBeLessThan(60 * others.length)
  })

  it('need not come for a copy that is wrong to be found: what it comes to is said every tenth second', async () => {
    await register('wrong')
    await cluster.advance(1_500)
    const { replica } = Reflect.get(b.names, 'table') as ReplicatedTable<unknown>
    const [view] = replica.views.values()
    if (view?.copy === undefined) throw new Error('b has no copy of a')
    replica.table.removeRow(view.copy, replica.table.find(view.copy, 'wrong'))
    await cluster.advance(10_100)
    expect(b.names.whereisName('wrong')).toBeDefined()
  })

  it('and many others, without a pause, do not keep a copy that is wrong from being found', async () => {
    await register('wrong')
    await cluster.advance(1_500)
    const { replica } = Reflect.get(b.names, 'table') as ReplicatedTable<unknown>
    const [view] = replica.views.values()
    if (view?.copy === undefined) throw new Error('b has no copy of a')
    replica.table.removeRow(view.copy, replica.table.find(view.copy, 'wrong'))
    expect(b.names.whereisName('wrong')).toBeUndefined()
    for (let n = 0; n < 8_000; n++) {
      await register(`user:${n}`)
      await cluster.advance(0.25)
      if (b.names.whereisName('wrong') !== undefined) break
    }
    expect(b.names.whereisName('wrong')).toBeDefined()
    expect(b.names.size).toBeGreaterThan(1_000)
  })

  it('is told to those who watch if the table is stopped before its millisecond is over', async () => {
    const told = watched(a)
    await register('first', 'second')
    await cluster.run(a.names.stop())
    expect(told).toEqual([['first'], ['second']])
  })

  it('is told to them also if there is no server just then', async () => {
    const told = watched(a)
    await register('first')
    a.node.exit(a.node.whereis('pidmesh_global_ets:default') ?? a.node.self.pid, 'kill')
    await register('second')
    await cluster.run(a.names.stop())
    expect(told).toEqual([['first'], ['second']])
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
