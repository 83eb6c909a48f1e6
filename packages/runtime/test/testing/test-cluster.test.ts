/**
 * What a test cluster does to its nodes.
 */
import { handler } from '@pidmesh/runtime'
import { faultsOf, MemoryLogger, TestCluster } from '@pidmesh/runtime/testing'
import { beforeEach, describe, expect, it, vi } from 'vitest'

describe('a test cluster', () => {
  let cluster: TestCluster

  beforeEach(() => {
    cluster = new TestCluster({ seed: 1, latencyMs: 1 })
  })

  it('a stalled node runs nothing; then its timers fire, late, before it reads what was sent to it', async () => {
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.advance(500)
    const got: string[] = []
    const pid = a.spawn(
      handler((self) => {
        self.sendAfter(100, self.pid, 'timer')
        return (message) => got.push(`${String(message)} at ${cluster.clock.monotonicMs() - startMs}`)
      }),
    )
    await cluster.settle()
    const startMs = cluster.clock.monotonicMs()
    cluster.stall('a', 1_000)
    b.send(pid, 'sent')
    await cluster.advance(999)
    expect(got).toEqual([])
    await cluster.advance(2)
    expect(got).toEqual(['timer at 1000', 'sent at 1000'])
    expect(a.nodes()).toEqual([b.name])
  })

  it('a stall of a node that has crashed is none of its next life', async () => {
    const a = await cluster.start('a')
    await cluster.start('b')
    cluster.crash('b')
    cluster.stall('b', 60_000)
    await cluster.start('b', { seeds: [a.address] })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual(['b@127.0.0.1'])
  })

  it('a crash in a stall ends the stall', async () => {
    const a = await cluster.start('a')
    await cluster.start('b')
    cluster.stall('b', 60_000)
    cluster.crash('b')
    await cluster.advance(100)
    await cluster.start('b', { seeds: [a.address] })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual(['b@127.0.0.1'])
  })

  it('after a power failure the other nodes find out by their ticks', async () => {
    const a = await cluster.start('a')
    await cluster.start('b')
    await cluster.advance(500)
    cluster.crash('b', { isTold: false })
    await cluster.advance(2_000)
    expect(a.nodes()).toEqual(['b@127.0.0.1'])
    await cluster.advance(3_000)
    expect(a.nodes()).toEqual([])
  })

  it('a node that has been stopped is no seed of those that start after it, its own next life included', async () => {
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.run(b.stop())
    const dialed: string[] = []
    cluster.network.observe((event) => event.type === 'dial' && dialed.push(event.address))
    await cluster.start('c')
    const again = await cluster.start('b')
    await cluster.advance(60_000)
    expect(a.nodes()).toEqual(['b@127.0.0.1', 'c@127.0.0.1'])
    expect(dialed).not.toContain(b.address)
    expect(again.nodes()).toEqual(['a@127.0.0.1', 'c@127.0.0.1'])
    expect(cluster.log.lines.filter(({ level }) => level === 'warn')).toEqual([])
  })

  it('a node with a logger of its own logs there, and the others in `log`', async () => {
    const own = new MemoryLogger()
    const a = await cluster.start('a', { logger: own })
    const b = await cluster.start('b')
    for (const node of [a, b])
      node.spawn(() => {
        throw new RangeError(`on ${node.name}`)
      })
    await cluster.settle()
    const crashes = ({ lines }: MemoryLogger): unknown[] =>
      lines.filter(({ fields }) => fields['report'] === 'crash').map(({ fields }) => fields['node'])
    expect(crashes(own)).toEqual([a.name])
    expect(crashes(cluster.log)).toEqual([b.name])
  })

  it('a promise that never settles is told as that, with the seed: nothing is left to happen, or so much time has gone', async () => {
    const never = new Promise(() => undefined)
    await expect(cluster.run(never)).rejects.toThrow(/still pending, and nothing is left .*\(seed 1\)/)
    const ticking = new TestCluster({ seed: 7, maxTurns: 200 })
    await ticking.start('a')
    await ticking.start('b')
    await expect(ticking.run(never)).rejects.toThrow(/still pending, after \d{4,} ms of the cluster's time \(seed 7\)/)
  })

  it("goes on while a test runner's fake timers stand still", async () => {
    vi.useFakeTimers()
    try {
      const a = await cluster.start('a')
      await cluster.start('b')
      await cluster.advance(500)
      expect(a.nodes()).toEqual(['b@127.0.0.1'])
      expect(await faultsOf(async () => undefined)).toEqual([])
      await cluster.stop()
    } finally {
      vi.useRealTimers()
    }
  })

  it('who is not told that a connection has broken finds out when the other dials him', async () => {
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.advance(500)
    cluster.break('a', 'b', { tellMs: { b: Infinity } })
    await cluster.advance(10)
    expect([a.nodes(), b.nodes()]).toEqual([[], [a.name]])
    await cluster.advance(6_000)
    expect([a.nodes(), b.nodes()]).toEqual([[b.name], [a.name]])
    expect(cluster.network.openLinks('a', 'b')).toBe(1)
  })

  it("a host's wall clock jumps for all its lives, and for nobody else", async () => {
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    cluster.jumpWallClock('a', -3_600_000)
    expect(b.clock.wallMs() - a.clock.wallMs()).toBe(3_600_000)
    cluster.crash('a')
    const later = await cluster.start('a')
    expect(b.clock.wallMs() - later.clock.wallMs()).toBe(3_600_000)
  })

  it('a second node of the same name, on a host of its own, is refused; and let in where the first is not heard', async () => {
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.advance(500)
    const seeds = [b.address]
    await expect(cluster.start('a', { host: 'impostor', seeds })).rejects.toThrow(/already running/)
    cluster.partition(['a'], ['b'])
    await cluster.advance(3_000)
    const impostor = await cluster.start('a', { host: 'impostor', seeds })
    await cluster.advance(100)
    expect([impostor.name, impostor.nodes(), b.nodes()]).toEqual([a.name, [b.name], [a.name]])
    cluster.crash('impostor')
    cluster.heal()
    await cluster.advance(10_000)
    expect([a.nodes(), b.nodes()]).toEqual([[b.name], [a.name]])
  })
})
