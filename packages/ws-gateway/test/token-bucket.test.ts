import fc from 'fast-check'
import { expect, it } from 'vitest'
import { giveBack, take, type FullAtMs, type Rate } from '../src/token-bucket.ts'

const rate = { perSecond: 10, burst: 3 }

/** One that is full. */
class Bucket {
  private readonly rate: Rate
  private fullAtMs: FullAtMs = undefined

  constructor(given: Rate = rate) {
    this.rate = given
  }

  /** Whether there were so many. */
  take(nowMs: number, cost?: number): boolean {
    const taken = take(this.fullAtMs, this.rate, nowMs, cost)
    this.fullAtMs = taken ?? this.fullAtMs
    return taken !== undefined
  }

  giveBack(): void {
    this.fullAtMs = giveBack(this.fullAtMs, this.rate)
  }
}

it('a bucket gives its burst at once, and then as many a second as its rate', () => {
  const bucket = new Bucket()
  expect([1, 2, 3, 4].map(() => bucket.take(0))).toEqual([true, true, true, false])
  expect(bucket.take(99)).toBe(false)
  expect(bucket.take(100)).toBe(true)
  expect(bucket.take(100)).toBe(false)
})

it('a burst is whole whatever fraction of a millisecond a token takes, and whenever it is', () => {
  for (const perSecond of [3, 7, 11, 300, 999, 7_777])
    for (const nowMs of [0, 0.1, 123_456.789, 2 ** 33 + 0.3]) {
      const bucket = new Bucket({ perSecond, burst: 256 })
      const taken = Array.from({ length: 257 }, () => bucket.take(nowMs))
      expect(taken.filter(Boolean).length, `${perSecond} a second at ${nowMs}`).toBe(256)
    }
})

it('a bucket that was left alone for long has its burst, and no more', () => {
  const bucket = new Bucket()
  expect(bucket.take(3_600_000, 3)).toBe(true)
  expect(bucket.take(3_600_000)).toBe(false)
  expect(bucket.take(7_200_000, 3)).toBe(true)
  expect(bucket.take(7_200_000)).toBe(false)
})

it('a take that fails takes nothing, and one of more than the burst always fails', () => {
  const bucket = new Bucket()
  expect(bucket.take(0, 4)).toBe(false)
  expect(bucket.take(0, 3)).toBe(true)
})

it('what is given back can be taken again, and is no more than the burst', () => {
  const bucket = new Bucket()
  bucket.giveBack()
  expect(bucket.take(0)).toBe(true)
  bucket.giveBack()
  bucket.giveBack()
  expect(bucket.take(0, 3)).toBe(true)
  expect(bucket.take(0)).toBe(false)
  bucket.giveBack()
  expect([bucket.take(0), bucket.take(0)]).toEqual([true, false])
})

it('in no time is more taken than the burst and what has come back, nor is a clock that goes back a gift', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: -50, max: 500 }), fc.integer({ min: 1, max: 3 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(steps, (takes) => {
      const bucket = new Bucket()
      let nowMs = 0
      let latestMs = 0
      let taken = 0
      for (const [passedMs, cost] of takes) {
        nowMs += passedMs
        latestMs = Math.max(latestMs, nowMs)
        if (bucket.take(nowMs, cost)) taken += cost
        expect(taken).toBeLessThanOrEqual(rate.burst + (latestMs / 1_000) * rate.perSecond + 1e-6)
      }
    }),
  )
})
