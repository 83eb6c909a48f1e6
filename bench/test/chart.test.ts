import { describe, expect, it } from 'vitest'
import { chartOf } from '../src/chart.ts'
import { chartsOf } from '../src/ways-charts.ts'

const spread = (median: number) => ({ median, min: median, max: median })

describe('a chart', () => {
  it('has bars in proportion, a note in place of one that is not there, and no markup of a text', () => {
    const rows = [
      { label: 'a<b', parts: [{ value: 10, colour: 'ours' as const }] },
      { label: 'c', parts: [{ value: 5, colour: 'other' as const }] },
      { label: 'd', parts: [], note: 'not known' },
    ]
    const svg = chartOf([{ title: 'T', rows }])
    expect([...svg.matchAll(/<rect class="(?:ours|other)" .*?width="([\d.]+)"/g)].map(([, width]) => width)).toEqual([
      '430.0',
      '215.0',
    ])
    expect(svg).toContain('a&lt;b')
    expect(svg).toContain('not known')
  })
})

describe('the charts of the ways', () => {
  it('say of who has no such figure that it is not known', () => {
    const name = 'SIGSTOP of the holder: until a push is said not to be sent'
    const other = { name: 'x', unit: 's', higherIsBetter: false, peers: { kafka: spread(1) } }
    const figure = { name, unit: 's', higherIsBetter: false, ours: spread(4), peers: {} }
    const { 'faults.svg': faults } = chartsOf([figure, other])
    expect(faults).toMatch(/>kafka<\/text><text [^>]*>not known</)
  })
})
