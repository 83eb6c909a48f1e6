import { expect, it } from 'vitest'
import { MemoryLogger, seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { DEFAULT_THRESHOLDS, heapShare, nextLoad, type Load } from '../src/load.ts'
import { Sockets } from '../src/sockets.ts'

const walk = (...shares: number[]): Load[] => {
  let load: Load = 'ok'
  return shares.map((share) => (load = nextLoad(load, share)))
}

it('a node refuses at 85 % of its heap, and sheds at 95 %', () => {
  expect(walk(0.5, 0.849, 0.85, 0.949, 0.95, 1)).toEqual(['ok', 'ok', 'refuse', 'refuse', 'shed', 'shed'])
  expect(walk(0.99)).toEqual(['shed'])
})

it('comes back a step only when it is well below the threshold, so that it does not flap', () => {
  expect(walk(0.86, 0.84, 0.81, 0.79, 0.84)).toEqual(['refuse', 'refuse', 'refuse', 'ok', 'ok'])
  expect(walk(0.96, 0.94, 0.91, 0.89, 0.94, 0.79)).toEqual(['shed', 'shed', 'shed', 'refuse', 'refuse', 'ok'])
  expect(walk(0.96, 0.5)).toEqual(['shed', 'ok'])
  expect(walk(0.96, 0.82)).toEqual(['shed', 'refuse'])
})

it('the thresholds may be others', () => {
  const thresholds = { refuseAt: 0.5, shedAt: 0.6, margin: 0 }
  expect(nextLoad('ok', 0.5, thresholds)).toBe('refuse')
  expect(nextLoad('refuse', 0.49, thresholds)).toBe('ok')
  expect(nextLoad('ok', 0.6, thresholds)).toBe('shed')
})

it('the share of this heap is one', () => {
  expect(heapShare()).toBeGreaterThan(0)
  expect(heapShare()).toBeLessThan(1)
})

it('a reading of the user that fails ends nothing, is logged once, and V8 is asked in its place', () => {
  const [clock, log] = [new VirtualClock(), new MemoryLogger()]
  const readings: (() => number)[] = [
    () => {
      throw new Error('the file is away')
    },
    () => NaN,
    () => 0.9,
  ]
  const random = seededRandom(1)
  const sockets = new Sockets({
    ...{ clock, log, random, heapThresholds: DEFAULT_THRESHOLDS },
    heapShare: () => (readings.length > 1 ? readings.shift() : readings[0])?.() ?? 0,
  })
  sockets.start()
  for (let beat = 0; beat < 2; beat++) clock.fireNext(Infinity)
  expect(sockets.load).toBe('ok')
  expect(log.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "error: heapShare failed: V8's own figures are taken in its place",
  ])
  for (let beat = 0; beat < 5; beat++) clock.fireNext(Infinity)
  expect(sockets.load).toBe('refuse')
  sockets.stop()
})
