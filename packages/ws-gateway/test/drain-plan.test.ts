import fc from 'fast-check'
import { expect, it } from 'vitest'
import { drainPlan } from '../src/drain-plan.ts'

it('sockets are closed evenly over the time, beginning at once', () => {
  expect(drainPlan({ sockets: 6, overMs: 300, maxPerTick: 100 })).toEqual([
    { atMs: 0, sockets: 2 },
    { atMs: 100, sockets: 2 },
    { atMs: 200, sockets: 2 },
  ])
  expect(drainPlan({ sockets: 3, overMs: 30_000, maxPerTick: 100 })).toEqual([
    { atMs: 0, sockets: 1 },
    { atMs: 10_000, sockets: 1 },
    { atMs: 20_000, sockets: 1 },
  ])
})

it('no tick has more than its most, and the drain takes longer for it', () => {
  const plan = drainPlan({ sockets: 1_000, overMs: 200, maxPerTick: 100 })
  expect(plan).toHaveLength(10)
  expect(plan.at(-1)).toEqual({ atMs: 900, sockets: 100 })
})

it('without sockets there is nothing to do, and without time they go as fast as may be', () => {
  expect(drainPlan({ sockets: 0, overMs: 30_000, maxPerTick: 100 })).toEqual([])
  expect(drainPlan({ sockets: 5, overMs: 0, maxPerTick: 100 })).toEqual([{ atMs: 0, sockets: 5 }])
})

it('every socket has its time, whatever the numbers are', () => {
  const options = fc.record({
    sockets: fc.nat({ max: 20_000 }),
    overMs: fc.integer({ min: 0, max: 60_000 }),
    maxPerTick: fc.integer({ min: 1, max: 500 }),
  })
  fc.assert(
    fc.property(options, ({ sockets, overMs, maxPerTick }) => {
      const plan = drainPlan({ sockets, overMs, maxPerTick })
      const sizes = plan.map((batch) => batch.sockets)
      expect(sizes.reduce((all, one) => all + one, 0)).toBe(sockets)
      if (sockets === 0) return
      expect(Math.min(...sizes)).toBeGreaterThan(0)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxPerTick)
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      const times = plan.map((batch) => batch.atMs)
      expect(times[0]).toBe(0)
      expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
      const enoughMs = Math.max(100, overMs, Math.ceil(sockets / maxPerTick) * 100)
      expect(times.at(-1)).toBeLessThan(enoughMs)
    }),
  )
})
