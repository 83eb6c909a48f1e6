/**
 * The faults of the memory network, on links alone.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Link, LinkEnd, LinkEvents } from '../../src/ports.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { MemoryNetwork } from '../../src/transport/memory.ts'

class Side implements LinkEvents {
  readonly got: number[] = []
  readonly ends: LinkEnd['type'][] = []
  private given: Link | undefined

  get link(): Link {
    if (this.given === undefined) throw new Error('there is no link yet')
    return this.given
  }

  set link(link: Link) {
    this.given = link
  }

  onFrame([first = -1]: Uint8Array): void {
    this.got.push(first)
  }

  onEnd(end: LinkEnd): void {
    this.ends.push(end.type)
  }

  send(...numbers: number[]): void {
    for (const number of numbers) this.link.send(Uint8Array.of(number))
  }
}

describe('the memory network', () => {
  let clock: VirtualClock
  let network: MemoryNetwork
  let near: Side
  let far: Side

  function pass(ms: number): void {
    const endMs = clock.monotonicMs() + ms
    while (clock.fireNext(endMs));
    clock.passTo(endMs)
  }

  beforeEach(async () => {
    clock = new VirtualClock()
    network = new MemoryNetwork(clock, () => 10)
    near = new Side()
    far = new Side()
    const [a, b] = [network.transport('a'), network.transport('b')]
    const address = await b.listen('127.0.0.1:0', (link) => {
      far.link = link
      return far
    })
    near.link = a.dial(address, near)
    pass(20)
  })

  it('holds what is sent in a cut, and lets it go in order when it heals, before what is on its way then', () => {
    network.cut('a', 'b')
    near.send(1)
    pass(50)
    near.send(2)
    pass(5)
    network.heal('a', 'b')
    pass(6)
    expect(far.got).toEqual([])
    near.send(3)
    pass(30)
    expect(far.got).toEqual([1, 2, 3])
  })

  it('keeps the order when the latency changes', () => {
    near.send(1)
    network.setLatency('a', 'b', 100)
    near.send(2)
    pass(50)
    expect(far.got).toEqual([])
    network.setLatency('a', 'b', 1)
    near.send(3)
    pass(2)
    expect(far.got).toEqual([1, 2, 3])
  })

  it('passes on at the rate of a slow reader, so that bytes stay buffered at the other side', () => {
    network.setRate('a', 'b', 1_000)
    near.link.send(new Uint8Array(500))
    near.link.send(new Uint8Array(500))
    pass(520)
    expect(near.link.bufferedBytes).toBe(500)
    pass(500)
    expect(near.link.bufferedBytes).toBe(0)
    expect(far.got).toHaveLength(2)
  })

  it('a link that breaks loses what is on its way, and tells both sides', () => {
    near.send(1)
    far.send(2)
    network.break('a', 'b')
    pass(100)
    expect([near.got, near.ends, far.got, far.ends]).toEqual([[], ['failed'], [], ['failed']])
    expect(network.openLinks('a', 'b')).toBe(0)
  })

  it('an option of a fault that is undefined is one that was not given', () => {
    network.break('a', 'b', { arriving: undefined, tellMs: undefined })
    pass(100)
    expect([near.ends, far.ends]).toEqual([['failed'], ['failed']])
    network.crash('a', { isTold: undefined })
  })

  it('lets the first of the frames that are on their way arrive before the end, if it is told to', () => {
    near.send(1, 2, 3, 4)
    network.break('b', 'a', { arriving: (inFlight) => inFlight / 2 })
    near.send(5)
    pass(100)
    expect([far.got, far.ends]).toEqual([[1, 2], ['failed']])
  })

  it('a half-open link: who is not told sends to nobody, and nobody is told when he closes', () => {
    network.break('a', 'b', { tellMs: { b: Infinity } })
    pass(100)
    expect([near.ends, far.ends]).toEqual([['failed'], []])
    far.send(1, 2)
    pass(1_000)
    expect([near.got, far.link.bufferedBytes, network.openLinks('a', 'b')]).toEqual([[], 2, 1])
    far.link.close()
    pass(1_000)
    expect([near.ends, network.openLinks('a', 'b')]).toEqual([['failed'], 0])
  })

  it('tells a side late that the link is over, whatever is cut', () => {
    network.cut('a', 'b')
    network.break('a', 'b', { tellMs: { b: 300 } })
    pass(299)
    expect([near.ends, far.ends]).toEqual([['failed'], []])
    pass(2)
    expect(far.ends).toEqual(['failed'])
  })

  it('a stalled host reads nothing; then it gets all, in order', () => {
    network.stall('b')
    near.send(1)
    pass(1_000)
    near.send(2)
    pass(5)
    expect([far.got, network.unread('a', 'b')]).toEqual([[], 1])
    network.resume('b')
    pass(5)
    expect(far.got).toEqual([1, 2])
  })

  it('a crash ends the links of a host, and a power failure tells nobody', () => {
    network.crash('b', { isTold: false })
    near.send(1)
    pass(1_000)
    expect([near.ends, near.link.bufferedBytes]).toEqual([[], 1])
    network.crash('a')
    pass(1_000)
    expect([near.ends, far.got, network.openLinks('a', 'b')]).toEqual([[], [], 0])
  })

  it('says what it does, for those who look on', () => {
    const seen: string[] = []
    network.observe((event) => seen.push(event.type))
    near.send(1)
    pass(10)
    near.link.close()
    pass(10)
    expect(seen).toEqual(['sent', 'arrives', 'over', 'over'])
    expect([network.dials, network.mostBufferedBytes]).toEqual([1, 1])
  })
})
