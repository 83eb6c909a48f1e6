import { describe, expect, it } from 'vitest'
import { figureOf, quantileOf, sampleOf } from '../src/figures.ts'
import type { FigurePlan } from '../src/group.ts'

const answer = { values: { register: 500, owner: 30_000 }, operations: 1_000 }

function plan(more: Partial<FigurePlan>): FigurePlan {
  const parts = { ours: { workload: 'w', size: 1 }, beam: { workload: 'w', size: 1 } }
  return { name: 'a figure', unit: 'ms', kind: 'ms', higherIsBetter: false, parts, ...more }
}

describe('a sample of an answer with several values', () => {
  it('is the value that the figure names: milliseconds, a rate of all operations, or microseconds or bytes of one', () => {
    expect(sampleOf({ kind: 'ms', value: 'register' }, answer)).toBe(500)
    expect(sampleOf({ kind: 'operationsPerSecond', value: 'register' }, answer)).toBe(2_000)
    expect(sampleOf({ kind: 'usPerOperation', value: 'owner' }, answer)).toBe(30_000)
    expect(sampleOf({ kind: 'usPerOperation' }, { ms: 500, operations: 2_000 })).toBe(250)
    expect(sampleOf({ kind: 'bytesPerOperation', value: 'owner' }, answer)).toBe(30)
  })

  it('is none, if the contestant has no such value', () => {
    expect(sampleOf({ kind: 'ms', value: 'block' }, answer)).toBeUndefined()
  })

  it('can not be taken from an answer with one value only, nor without a name', () => {
    expect(() => sampleOf({ kind: 'ms', value: 'register' }, { ms: 1, operations: 1 })).toThrow('register')
    expect(() => sampleOf({ kind: 'ms' }, answer)).toThrow('the answer has no ms')
  })
})

describe('a quantile', () => {
  it('is the smallest value that so large a share of them does not exceed, in whatever order they are', () => {
    const values = [4, 1, 3, 2]
    expect(quantileOf(values, 0.5)).toBe(2)
    expect(quantileOf(values, 0.51)).toBe(3)
    expect(quantileOf(values, 0.99)).toBe(4)
    expect(quantileOf([7], 0.01)).toBe(7)
    expect(values).toEqual([4, 1, 3, 2])
  })

  it('of nothing is an error', () => {
    expect(() => quantileOf([], 0.5)).toThrow('there are no values')
  })
})

describe('a figure', () => {
  const target = { peer: 'beam', ratio: 0.5 }

  it('is judged by the ratio of medians', () => {
    const samples = new Map([
      ['ours', [1, 9, 2]],
      ['beam', [4, 5, 3]],
    ])
    expect(figureOf(plan({ target }), samples)).toMatchObject({ ratio: 0.5, holds: true })
  })

  it('that only a peer takes part in has no ours, and is not judged, whatever the target', () => {
    const parts = { beam: { workload: 'w', size: 1 } }
    const samples = new Map([['beam', [4]]])
    const figure = figureOf(plan({ parts, target }), samples)
    expect(figure.peers).toEqual({ beam: { median: 4, min: 4, max: 4 } })
    expect(Object.keys(figure)).not.toContain('ours')
    expect(Object.keys(figure)).not.toContain('holds')
    expect(Object.keys(figureOf(plan({ parts, target: { absolute: 10 } }), samples))).not.toContain('holds')
  })

  it('that ours takes part in and has no sample of is an error', () => {
    expect(() => figureOf(plan({}), new Map([['beam', [4]]]))).toThrow('a figure: there are no samples of ours')
  })
})
