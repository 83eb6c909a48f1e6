/**
 * The charts of docs/three-ways.md, from the report of group `ways`. Pure.
 */
import { chartOf, type Colour, type Panel, type Row } from './chart.ts'
import { WAYS } from './contestants/ways/way-names.ts'
import type { Figure } from './figures.ts'
import { OURS } from './group.ts'

const OUTCOMES: readonly (readonly [string, Colour, string])[] = [
  ['pushes that come', 'good', 'comes'],
  ['pushes that come, and were said not to be sent', 'late', 'comes, said not sent'],
  ["pushes that don't come, and are said not to be sent", 'told', 'not sent, and said so'],
  ["pushes that don't come, in silence", 'lost', 'lost in silence'],
]
const CUTS = ['cut of 3 s between two nodes', 'cut of 3 s between the store and all nodes']

/** By the names of their files. What the report does not have is left out. */
export function chartsOf(figures: readonly Figure[]): Readonly<Record<string, string>> {
  const of = (names: readonly string[], absent?: string): Panel[] =>
    figures.filter(({ name }) => names.includes(name)).map((figure) => panelOf(figure, peersOf(figures), absent))
  return {
    'names.svg': chartOf([
      ...of(['register, 100 callers', 'register, one name at a time, p50']),
      ...of(['register and unregister, CPU of all nodes and the store']),
      ...of(['a name on the node that has it, heap', 'a name on another node, heap']),
      ...of(['a name in the store'], 'nothing of names'),
    ]),
    'pushes.svg': chartOf([
      ...of(['push to 1,000 connections of another node', 'a push, CPU of all nodes and the store']),
      ...of(['a push to another node, one a millisecond, p50', 'a push to another node, one a millisecond, p99']),
    ]),
    'faults.svg': chartOf([
      ...CUTS.map((cut) => outcomesOf(cut, figures)),
      ...of(
        [
          'kill -9 of the holder: until a push is said not to be sent',
          "kill -9 of the holder: until its name is nobody's",
          'SIGSTOP of the holder: until a push is said not to be sent',
          "SIGSTOP of the holder: until its name is nobody's",
        ],
        'not known',
      ),
    ]),
    'deploy.svg': chartOf(
      of([
        'deploy: 1,000 clients of a node that stops are registered on the others',
        'deploy: CPU of all nodes and the store, a client',
      ]),
    ),
  }
}

/** Those that took part, in their order. */
function peersOf(figures: readonly Figure[]): readonly string[] {
  return WAYS.filter((way) => figures.some(({ peers }) => peers[way] !== undefined))
}

function panelOf(figure: Figure, peers: readonly string[], absent = 'none'): Panel {
  const rows = [OURS, ...peers].map((name): Row => {
    const value = valueOf(figure, name)
    const label = labelOf(name)
    if (value === undefined) return { label, parts: [], note: absent }
    return { label, parts: [{ value: Math.max(0, value), colour: name === OURS ? 'ours' : 'other' }] }
  })
  return { title: `${figure.name}, ${figure.unit}`, rows }
}

function outcomesOf(cut: string, figures: readonly Figure[]): Panel {
  const rows = [OURS, ...peersOf(figures)].map((name): Row => {
    const parts = OUTCOMES.map(([outcome, colour]) => {
      const figure = figures.find((one) => one.name === `${cut}: ${outcome}`)
      return { value: (figure && valueOf(figure, name)) ?? 0, colour }
    })
    return { label: labelOf(name), parts, note: '' }
  })
  return {
    title: `${cut}, % of pushes`,
    rows,
    max: 100,
    legend: OUTCOMES.map(([, colour, meaning]) => [colour, meaning]),
  }
}

function labelOf(name: string): string {
  return name === OURS ? 'global-ets' : name
}

function valueOf({ ours, peers }: Figure, name: string): number | undefined {
  return (name === OURS ? ours : peers[name])?.median
}
