/**
 * The beat in which a gateway looks at all of its sockets.
 */
import { expect, it } from 'vitest'
import type { Clock } from '@pidmesh/runtime'
import { MemoryLogger, seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { CLOSE, type CloseCause } from '../src/close-codes.ts'
import type { Connection } from '../src/connection.ts'
import { DEFAULT_THRESHOLDS } from '../src/load.ts'
import { Sockets } from '../src/sockets.ts'

/** Beats, by when they come; and a clock on which the node may be stalled: then timers fire later than they are due. */
function beating(): { readonly beats: number[]; readonly sockets: Sockets; stall(ms: number): void; next(): void } {
  const time = new VirtualClock()
  let stalledMs = 0
  const clock: Clock = {
    monotonicMs: () => time.monotonicMs() + stalledMs,
    wallMs: () => time.wallMs() + stalledMs,
    setTimer: (delayMs, fire) => time.setTimer(delayMs, fire),
  }
  const sockets = new Sockets({
    ...{ clock, log: new MemoryLogger(), random: seededRandom(1) },
    ...{ heapThresholds: DEFAULT_THRESHOLDS, heapShare: () => 0 },
  })
  const beats: number[] = []
  sockets.add({ beat: (nowMs: number) => void beats.push(nowMs) } as unknown as Connection)
  sockets.start()
  return { beats, sockets, stall: (ms) => void (stalledMs += ms), next: () => void time.fireNext(Infinity) }
}

it('sockets are looked at once a second', () => {
  const { beats, next } = beating()
  for (let n = 0; n < 3; n++) next()
  expect(beats).toEqual([1_000, 2_000, 3_000])
})

it.each([300, 12_000])(
  'after a stall of its own, of %d ms, a gateway judges nobody before it has read what stands in the sockets',
  (stalledMs) => {
    const { beats, stall, next } = beating()
    next()
    stall(stalledMs)
    next()
    expect(beats).toEqual([1_000])
    next()
    expect(beats).toEqual([1_000, 2_001 + stalledMs])
    next()
    expect(beats).toEqual([1_000, 2_001 + stalledMs, 3_000 + stalledMs])
  },
)

it('a gateway that is stalled again and again looks at its sockets all the same, once for each beat', () => {
  const { beats, stall, next } = beating()
  for (let n = 0; n < 6; n++) {
    stall(2_000)
    next()
  }
  expect(beats).toHaveLength(3)
})

it('one that has stopped looks at none any more, also just after a stall', () => {
  const { beats, sockets, stall, next } = beating()
  stall(12_000)
  next()
  sockets.stop()
  next()
  expect(beats).toEqual([])
})

/** The sockets of a node that has so much of its heap in use, at one beat after the other; the last goes on. */
function socketsAt(...shares: readonly number[]): { readonly sockets: Sockets; readonly clock: VirtualClock } {
  const clock = new VirtualClock()
  let reading = 0
  const sockets = new Sockets({
    ...{ clock, log: new MemoryLogger(), random: seededRandom(1) },
    ...{ heapThresholds: DEFAULT_THRESHOLDS, heapShare: () => shares[reading++] ?? shares.at(-1) ?? 0 },
  })
  return { sockets, clock }
}

it('of the last five readings of the heap the least counts: garbage that only waits to be collected keeps nobody out', () => {
  const { sockets, clock } = socketsAt(0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.9)
  sockets.start()
  const loads = Array.from({ length: 8 }, () => {
    clock.fireNext(Infinity)
    return sockets.load
  })
  sockets.stop()
  expect(loads).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'refuse', 'ok', 'ok'])
})

it.each([
  [100, Array.from({ length: 64 }, (_, index) => 99 - index)],
  [3, [2, 1]],
])(
  'of %d sockets those are closed for which most waits when the heap is nearly full, 64 at a time, and none for which nothing does',
  (count, expected) => {
    const { sockets, clock } = socketsAt(0.96)
    const shed: number[] = []
    for (let index = 0; index < count; index++) {
      // None of them in order.
      const bufferedBytes = (index * 37) % count
      const take = ({ code }: CloseCause): void => void (code === CLOSE.tryLater.code && shed.push(bufferedBytes))
      sockets.add({ bufferedBytes, beat: () => undefined, shed: take } as unknown as Connection)
    }
    sockets.start()
    clock.fireNext(Infinity)
    sockets.stop()
    expect(shed).toEqual(expected)
  },
)

it('in a drain the clients are told to come back within a second, and not all at once', async () => {
  const { sockets } = socketsAt(0)
  const hints: number[] = []
  for (let index = 0; index < 50; index++) {
    const close = ({ code, reason }: CloseCause): void => {
      expect(code).toBe(1012)
      hints.push(Number(/^service_restart;retry_after_ms=(\d+)$/.exec(reason)?.[1]))
    }
    sockets.add({ close } as unknown as Connection)
  }
  await sockets.drain(0)
  expect(hints).toHaveLength(50)
  expect(Math.min(...hints)).toBeLessThan(250)
  expect(Math.max(...hints)).toBeGreaterThan(750)
  expect(Math.max(...hints)).toBeLessThanOrEqual(1_000)
})

it('in a drain the sockets are closed evenly over its time', async () => {
  const { sockets, clock } = socketsAt(0)
  const closedMs: number[] = []
  const close = () => void closedMs.push(clock.monotonicMs())
  for (let index = 0; index < 5; index++) sockets.add({ close } as unknown as Connection)
  const drained = sockets.drain(500)
  while (clock.fireNext(Infinity)) await new Promise((resolve) => setImmediate(resolve))
  await drained
  expect(closedMs).toEqual([0, 100, 200, 300, 400])
})
