import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BOUNDS, Histogram } from '../src/histogram.ts'

it('what is seen is counted in the first bucket whose bound it does not pass, and above them all in the last', () => {
  const histogram = new Histogram([1, 2, 5])
  for (const value of [0, 1, 1.5, 2, 4, 5, 5.1, 100]) histogram.observe(value)
  expect(histogram.stats).toEqual({ bounds: [1, 2, 5], counts: [2, 2, 2, 2], sum: 118.6, count: 8 })
})

it('what is no number is not counted', () => {
  const histogram = new Histogram([1])
  histogram.observe(NaN)
  expect(histogram.stats).toEqual({ bounds: [1], counts: [0, 0], sum: 0, count: 0 })
})

it('stats are of their moment', () => {
  const histogram = new Histogram([1])
  const { stats } = histogram
  histogram.observe(1)
  expect(stats.counts).toEqual([0, 0])
})

it('the counts are as many as were seen, and the bounds ascend', () => {
  for (const bounds of Object.values(BOUNDS)) {
    expect(bounds.every((bound, at) => at === 0 || bound > (bounds[at - 1] ?? Infinity))).toBe(true)
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (values) => {
        const histogram = new Histogram(bounds)
        for (const value of values) histogram.observe(value)
        const { counts, count } = histogram.stats
        expect(count).toBe(values.length)
        counts.forEach((inBucket, at) => {
          const above = bounds[at - 1] ?? -Infinity
          expect(inBucket).toBe(values.filter((value) => value > above && value <= (bounds[at] ?? Infinity)).length)
        })
      }),
    )
  }
})
