/**
 * What the histories have found, told step by step.
 */
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'

describe('found by the simulation', () => {
  it('a dialer that refuses what has been accepted breaks no protocol: the connection has ended', async () => {
    // Two nodes of one name, which know nothing of each other.
    const cluster = new TestCluster({ seed: 1 })
    const b = await cluster.start('b', { seeds: [] })
    const other = await cluster.start('b', { host: 'other b', seeds: [] })
    const told: unknown[] = []
    other.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return (message) => told.push(message)
      }),
    )
    await cluster.settle()
    // a dials both at once. Both ask for its proof, and accept it; the other b, for whom the handshake is over then, is up with a.
    // a gets the first's word first, so that the second's comes from a second node of a name that is up already: it refuses.
    // That two others have one name is no fault of its own, and no reason not to start.
    const a = await cluster.start('a', { seeds: [b.address, other.address] })
    await cluster.advance(100)
    expect(a.nodes()).toEqual([b.name])
    // The other b took the refusal for a fault of a's. Between honest nodes of different names the same has come of a stall in the midst of two handshakes.
    expect(cluster.log.lines.filter(({ level }) => level === 'error')).toEqual([])
    expect(told).toMatchObject([{ type: 'nodeup' }, { type: 'nodedown', reason: 'connection_closed' }])
  })

  it('a node that was stalled in the middle of its handshake reads what stands unread before it gives up', async () => {
    const cluster = new TestCluster({ seed: 1, latencyMs: 100 })
    const a = await cluster.start('a', { netTickTimeMs: 60_000 })
    const starting = cluster.begin('b', { seeds: [a.address], netTickTimeMs: 60_000 })
    // It is accepted, and the word of that is on its way, when it stops for longer than a handshake may take.
    await cluster.advance(350)
    expect(a.nodes()).toHaveLength(1)
    cluster.stall('b', 6_000)
    const b = await cluster.run(starting)
    expect([b.nodes(), cluster.network.dials]).toEqual([[a.name], 1])
  })

  it('a node that begins in the millisecond in which its last life has begun, by a clock that was put back, is another one', async () => {
    for (let seed = 1; seed <= 1_500; seed++) {
      const cluster = new TestCluster({ seed })
      const a = await cluster.start('a')
      const bornMs = a.clock.wallMs()
      await cluster.advance(10_000)
      cluster.crash('a')
      cluster.jumpWallClock('a', bornMs - a.clock.wallMs())
      const later = await cluster.start('a')
      expect(later.clock.wallMs()).toBe(bornMs)
      // One in a thousand was the same, so that pids of the one led to processes of the other.
      expect(later.incarnation, `seed ${seed}`).not.toBe(a.incarnation)
    }
  })
})
