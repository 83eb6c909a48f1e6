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

  it('the old life of a node that is dialed while another one has its name is not up for a moment: the dialer refuses before it proves anything', async () => {
    const cluster = new TestCluster()
    const a = await cluster.start('a')
    const old = await cluster.start('b')
    const told: unknown[] = []
    old.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return (message) => told.push(message)
      }),
    )
    await cluster.advance(100)
    // It stands still for so long that it counts as dead, and is dialed in vain. Another life takes its name.
    cluster.stall('b', 8_000)
    await cluster.advance(5_000)
    const later = await cluster.start('b', { host: 'later b', seeds: [a.address] })
    // What a has said to the old one, when it dialed it, stands unread until here.
    await cluster.advance(4_000)
    expect(a.nodes()).toEqual([later.name])
    expect(told).toMatchObject([{ type: 'nodedown' }])
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

  it('a node that is stalled again and again reads what stands unread before it says why a connection has ended', async () => {
    const cluster = new TestCluster({ seed: 1 })
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    const told: unknown[] = []
    b.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return (message) => told.push(message)
      }),
    )
    await cluster.settle()
    // It hears nothing of a, and each stall begins half a millisecond after the one before it: the look that is to come when all is read comes with the next one.
    cluster.network.cut('a', 'b')
    for (let stall = 0; stall < 4; stall++) cluster.clock.setTimer(stall * 2_200.5, () => cluster.stall('b', 2_200))
    await cluster.advance(8_700)
    // By b's own ticks, which say that it has heard nothing for so long.
    expect(a.nodes()).toEqual([])
    cluster.heal()
    await cluster.advance(5_000)
    // What a has done stood unread. Of two looks that were due together the second trusted the watch that the first had set.
    expect(told).toMatchObject([{ type: 'nodedown', reason: 'connection_closed' }, { type: 'nodeup' }])
  })

  it('a host whose node could not start, just after a stall, is not deaf for the next one', async () => {
    const cluster = new TestCluster({ seed: 1 })
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    cluster.network.transport('other')
    cluster.partition(['b'], ['other'])
    // a refuses its name; b does not answer, for 5 s, at the end of which it is stalled.
    const second = cluster.begin('a', { host: 'other', seeds: [a.address, b.address] })
    cluster.clock.setTimer(4_900, () => cluster.stall('other', 300))
    await expect(cluster.run(second)).rejects.toMatchObject({ code: 'ERR_DUPLICATE_NODE' })
    cluster.heal()
    const c = await cluster.start('c', { host: 'other', seeds: [a.address] })
    await cluster.advance(1_000)
    expect([...c.nodes()].sort()).toEqual([a.name, b.name])
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
