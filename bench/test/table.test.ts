import { describe, expect, it } from 'vitest'
import { summaryOf, tableOf } from '../src/table.ts'

const beam = { median: 200, min: 100, max: 300 }
const figure = { name: 'join', unit: 'ms', higherIsBetter: false, peers: { beam } }

describe('the table', () => {
  it('has a dash for ours, and no ratio, where only a peer has the figure', () => {
    expect(tableOf([figure], ['beam']).split('\n').at(-1)?.split(/ {2,}/)).toEqual(['join', 'ms', '–', '200'])
  })

  it('says of a target that ours is missing, and not its peer', () => {
    const row = tableOf([{ ...figure, target: { peer: 'beam', ratio: 1 } }], ['beam'])
      .split('\n')
      .at(-1)
    expect(row?.split(/ {2,}/)).toEqual(['join', 'ms', '–', '200', '≤ 1 × beam', '? ours is missing'])
  })

  it('has the ratio of ours to the peer beside the peer', () => {
    const ours = { median: 100, min: 100, max: 100 }
    expect(tableOf([{ ...figure, ours }], ['beam'])).toContain('200 (0.50 ×)')
  })

  it('has no ratio to a peer that has nothing', () => {
    const nothing = { median: 0, min: 0, max: 0 }
    const row = (ours: typeof nothing): string | undefined =>
      tableOf([{ ...figure, ours, peers: { beam: nothing } }], ['beam'])
        .split('\n')
        .at(-1)
    expect(row(nothing)?.split(/ {2,}/)).toEqual(['join', 'ms', '0.00', '0.00'])
    expect(row(beam)?.split(/ {2,}/)).toEqual(['join', 'ms', '200', '0.00'])
  })
})

describe('the summary', () => {
  it('names what could not be judged', () => {
    const unjudged = { ...figure, target: { peer: 'beam', ratio: 1 } }
    expect(summaryOf([unjudged], [])).toBe('no target was judged\nnot judged, ours or its peer is missing: join')
  })
})
