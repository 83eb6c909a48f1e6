import { describe, expect, it } from 'vitest'
import { outcomesOf, percentOf } from '../src/contestants/ways/outcomes.ts'

describe('what has become of a message', () => {
  it('is one of four cases: by what the sender was told, and by what has come', () => {
    const sent = [
      { n: 0, isSaidSent: true },
      { n: 1, isSaidSent: true },
      { n: 2, isSaidSent: false },
      { n: 3, isSaidSent: false },
      { n: 4, isSaidSent: true },
    ]
    const outcomes = outcomesOf(sent, new Set([-1, 0, 3, 4, 99]))
    expect(outcomes).toEqual({ delivered: 2, reported: 1, lost: 1, late: 1 })
    expect(percentOf(outcomes)).toEqual({ delivered: 40, reported: 20, lost: 20, late: 20 })
  })
})
