/**
 * The five interleavings that break simple_global, step by step. It keeps one slot a name: `{ name, pid }`, gossiped whole and merged by "is the other node smaller",
 * purged by node. Here each owner's claims are kept apart, and what is seen follows from all of them.
 */
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Member, idle, join } from './lab.ts'

/** All cuts of these histories are noticed by then: four ticks, and a quarter of one. */
const NOTICED_MS = 5_000
const MET_MS = 5_000

let cluster: TestCluster
let a: Member
let b: Member
let c: Member

/** Who has the name, as each of the three sees it. */
const seen = (name: string): (string | undefined)[] => [a, b, c].map(({ names }) => names.whereisName(name)?.toString())

function expectNoErrors(): void {
  expect(cluster.log.lines.filter(({ level }) => level === 'error')).toEqual([])
}

beforeEach(async () => {
  cluster = new TestCluster()
  a = await join(cluster, 'a')
  b = await join(cluster, 'b')
  c = await join(cluster, 'c')
})

afterEach(async () => {
  await cluster.stop()
})

describe('what breaks a table of one slot a name', () => {
  // simple_global: c takes b's late row into the slot that is empty again, after a's withdrawal has come and gone. b has given its row up long ago, and withdraws
  // nothing any more: c keeps a row of a dead process for ever.
  it('a row that comes late by a slow way, when all that would have refused it has gone, does not stay', async () => {
    // What b says reaches c a second later than what a says.
    cluster.network.setLatency('b', 'c', 1_000)
    cluster.partition(['a'], ['b'])
    const [onA, onB] = [idle(a), idle(b)]
    expect(b.names.registerName('x', onB)).toBe('yes')
    expect(a.names.registerName('x', onA)).toBe('yes')
    await cluster.advance(100)
    expect(c.names.whereisName('x')?.equals(onA)).toBe(true)
    // The two meet: b's process loses, and ends.
    cluster.heal()
    cluster.network.setLatency('b', 'c', 1_000)
    await cluster.advance(20)
    expect(b.node.isProcessAlive(onB)).toBe(false)
    // a's ends too: nobody has the name, and at c only b's late row is still to come.
    a.node.exit(onA, 'kill')
    await cluster.advance(20)
    expect(c.names.whereisName('x')).toBeUndefined()
    await cluster.advance(3_000)
    expect(seen('x')).toEqual([undefined, undefined, undefined])
    expect(c.names.size).toBe(0)
    expectNoErrors()
  })

  // simple_global: b's own slot has been overwritten by a's row, so that the end of b's process withdraws nothing; c, which is apart from a and still has b's row,
  // is never told.
  it('the end of a process that has lost is known to those who never saw the winner', async () => {
    cluster.partition(['a'], ['b', 'c'])
    await cluster.advance(NOTICED_MS)
    const [onA, onB] = [idle(a), idle(b)]
    expect(a.names.registerName('x', onA)).toBe('yes')
    expect(b.names.registerName('x', onB)).toBe('yes')
    await cluster.advance(100)
    expect(c.names.whereisName('x')?.equals(onB)).toBe(true)
    // Only a and b meet.
    for (const [from, to] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const)
      cluster.network.heal(from, to)
    await cluster.advance(MET_MS)
    expect(b.node.isProcessAlive(onB)).toBe(false)
    expect(b.names.whereisName('x')?.equals(onA)).toBe(true)
    expect(c.names.whereisName('x')).toBeUndefined()
    cluster.heal()
    await cluster.advance(MET_MS)
    expect(seen('x')).toEqual([onA, onA, onA].map(String))
    expectNoErrors()
  })

  // simple_global: c has overwritten b's row with a's. When a leaves, c purges a's row and has none, though b's process lives and b still says that it has the
  // name: nobody says it again.
  it('a claim that another one hides is seen again when that one goes with its node', async () => {
    // a and b don't see each other, c sees both.
    cluster.partition(['a'], ['b'])
    await cluster.advance(NOTICED_MS)
    const [onA, onB] = [idle(a), idle(b)]
    expect(b.names.registerName('x', onB)).toBe('yes')
    await cluster.advance(20)
    expect(c.names.whereisName('x')?.equals(onB)).toBe(true)
    expect(a.names.registerName('x', onA)).toBe('yes')
    await cluster.advance(20)
    expect(c.names.whereisName('x')?.equals(onA)).toBe(true)
    cluster.crash('a')
    await cluster.advance(20)
    expect(b.node.isProcessAlive(onB)).toBe(true)
    expect([b, c].map(({ names }) => names.whereisName('x')?.equals(onB))).toEqual([true, true])
    expectNoErrors()
  })

  // simple_global: a's row has been gossiped when a withdraws it, and is decided about as it comes: b ends its process for a claim that a has given up. Then nobody
  // has the name.
  it('nobody is ended for a claim that has been withdrawn before the two have met', async () => {
    cluster.partition(['a'], ['b', 'c'])
    await cluster.advance(NOTICED_MS)
    const [onA, onB] = [idle(a), idle(b)]
    expect(a.names.registerName('x', onA)).toBe('yes')
    expect(b.names.registerName('x', onB)).toBe('yes')
    await cluster.advance(100)
    a.names.unregisterName('x')
    cluster.heal()
    await cluster.advance(MET_MS)
    expect(b.node.isProcessAlive(onB)).toBe(true)
    expect(a.node.isProcessAlive(onA)).toBe(true)
    expect(seen('x')).toEqual([onB, onB, onB].map(String))
    // And where both are on their way at the same moment.
    const [againA, againB] = [idle(a), idle(b)]
    expect(a.names.registerName('y', againA)).toBe('yes')
    expect(b.names.registerName('y', againB)).toBe('yes')
    a.names.unregisterName('y')
    await cluster.advance(100)
    expect(b.node.isProcessAlive(againB)).toBe(true)
    expect(seen('y')).toEqual([againB, againB, againB].map(String))
    expectNoErrors()
  })

  // simple_global: the new server of b says what it has, and then comes the `DOWN` of the old one, upon which a purges all that is b's: what has just been said goes
  // too.
  it('what a new table server has said is not purged with the end of the old one, however late that is noticed', async () => {
    const onB = idle(b)
    b.names.registerName('x', onB)
    await cluster.advance(20)
    // What b says needs longer than a new server needs to start: `DOWN` and hello come together, and the rows behind them.
    for (const to of ['a', 'c']) cluster.network.setLatency('b', to, 400)
    const server = b.node.whereis('pidmesh_global_ets:default')
    if (server === undefined) throw new Error('there is no table server')
    b.node.exit(server, 'kill')
    await cluster.advance(100)
    expect(b.node.whereis('pidmesh_global_ets:default')?.equals(server)).toBe(false)
    expect(a.names.whereisName('x')?.equals(onB)).toBe(true)
    const later = idle(b)
    b.names.registerName('y', later)
    await cluster.advance(5_000)
    expect(seen('x')).toEqual([onB, onB, onB].map(String))
    expect(seen('y')).toEqual([later, later, later].map(String))
    expect(a.names.countOn(b.node.name)).toBe(2)
  })
})
