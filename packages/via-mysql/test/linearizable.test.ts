import { describe, expect, it } from 'vitest'
import { isLinearizable, type Call, type Outcome } from './services/linearizable.ts'

function call(owner: string, [begunAt, endedAt]: [number, number], outcome: Outcome): Call {
  return { name: 'a', owner, value: `of ${owner}`, begunAt, endedAt, ...outcome }
}

describe('the oracle of the races', () => {
  it('takes no history in which two have a name', () => {
    const true1 = call('1', [1, 4], { op: 'put', isOurs: true })
    expect(isLinearizable([true1, call('2', [2, 3], { op: 'put', isOurs: false })])).toBe(true)
    expect(isLinearizable([true1, call('2', [2, 3], { op: 'put', isOurs: true })])).toBe(false)
  })

  it('takes what overlaps in any order, and what does not in its own', () => {
    const put = call('1', [1, 4], { op: 'put', isOurs: true })
    const nothing: Outcome = { op: 'find', found: undefined }
    expect(isLinearizable([put, call('2', [2, 3], nothing)])).toBe(true)
    expect(isLinearizable([put, call('2', [5, 6], nothing)])).toBe(false)
    expect(isLinearizable([put, call('2', [5, 6], { op: 'find', found: 'of 1' })])).toBe(true)
  })

  it('wants the former that there was, and larger epochs', () => {
    const first = call('1', [1, 2], { op: 'take', epoch: 5, former: undefined })
    expect(isLinearizable([first, call('2', [3, 4], { op: 'take', epoch: 6, former: 'of 1' })])).toBe(true)
    expect(isLinearizable([first, call('2', [3, 4], { op: 'take', epoch: 6, former: undefined })])).toBe(false)
    expect(isLinearizable([first, call('2', [3, 4], { op: 'take', epoch: 5, former: 'of 1' })])).toBe(false)
  })

  it('lets a release free the name, of its owner only', () => {
    const put = call('1', [1, 2], { op: 'put', isOurs: true })
    const other = call('2', [5, 6], { op: 'put', isOurs: true })
    expect(isLinearizable([put, call('1', [3, 4], { op: 'release' }), other])).toBe(true)
    expect(isLinearizable([put, call('3', [3, 4], { op: 'release' }), other])).toBe(false)
  })
})
