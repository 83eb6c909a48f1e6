import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fullBucket, giveBack, take } from '../src/token-bucket.ts'

const rate = { perSecond: 10, burst: 3 }

it('a bucket gives its burst at once, and then as many a second as its rate', () => {
  const bucket = fullBucket(rate, 0)
  expect([1, 2, 3, 4].map(() => take(bucket, rate, 0))).toEqual([true, true, true, false])
  expect(take(bucket, rate, 99)).toBe(false)
  expect(take(bucket, rate, 100)).toBe(true)
  expect(take(bucket, rate, 100)).toBe(false)
})

it('a bucket that was left alone for long has its burst, and no more', () => {
  const bucket = fullBucket(rate, 0)
  expect(take(bucket, rate, 3_600_000, 3)).toBe(true)
  expect(take(bucket, rate, 3_600_000)).toBe(false)
})

it('a take that fails takes nothing, and one of more than the burst always fails', () => {
  const bucket = fullBucket(rate, 0)
  expect(take(bucket, rate, 0, 4)).toBe(false)
  expect(take(bucket, rate, 0, 3)).toBe(true)
})

it('what is given back can be taken again, and is no more than the burst', () => {
  const bucket = fullBucket(rate, 0)
  giveBack(bucket, rate)
  expect(take(bucket, rate, 0, 3)).toBe(true)
  expect(take(bucket, rate, 0)).toBe(false)
  giveBack(bucket, rate)
  expect(take(bucket, rate, 0)).toBe(true)
})

it('in no time is more taken than the burst and what has come back, nor is a clock that goes back a gift', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: -50, max: 500 }), fc.integer({ min: 1, max: 3 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(steps, (takes) => {
      const bucket = fullBucket(rate, 0)
      let nowMs = 0
      let latestMs = 0
      let taken = 0
      for (const [passedMs, cost] of takes) {
        nowMs += passedMs
        latestMs = Math.max(latestMs, nowMs)
        if (take(bucket, rate, nowMs, cost)) taken += cost
        expect(taken).toBeLessThanOrEqual(rate.burst + (latestMs / 1_000) * rate.perSecond + 1e-6)
      }
    }),
  )
})
