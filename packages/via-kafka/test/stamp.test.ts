import { describe, expect, it } from 'vitest'
import { after, laterOf } from '../src/stamp.ts'

describe('how a writer counts', () => {
  it('goes on at 0 after the last number of 32 bits, also in the midst of a batch', () => {
    expect(after({ epoch: 3, sequence: 2 ** 31 - 3 }, 2)).toEqual({ epoch: 3, sequence: 2 ** 31 - 1 })
    expect(after({ epoch: 3, sequence: 2 ** 31 - 1 }, 1)).toEqual({ epoch: 3, sequence: 0 })
    expect(after({ epoch: 3, sequence: 2 ** 31 - 1 }, 5)).toEqual({ epoch: 3, sequence: 4 })
  })

  it('has no epoch after the last one of 16 bits', () => {
    expect(laterOf({ epoch: 32_766, sequence: 9 })).toEqual({ epoch: 32_767, sequence: 0 })
    expect(laterOf({ epoch: 32_767, sequence: 9 })).toBeUndefined()
  })
})
