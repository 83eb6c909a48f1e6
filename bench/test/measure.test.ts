import { describe, expect, it } from 'vitest'
import type { FigurePlan, Part } from '../src/group.ts'
import { gateway } from '../src/groups/gateway.ts'
import { globalEts } from '../src/groups/global-ets.ts'
import { ways } from '../src/groups/ways.ts'
import { takenTogether } from '../src/measure.ts'

function plan(name: string, workload: string, value?: string): FigurePlan {
  const parts: Record<string, Part> = { ours: { workload, size: 1 } }
  const figure = { name, unit: 'ms', kind: 'ms', higherIsBetter: false, parts } as const
  return value === undefined ? figure : { ...figure, value }
}

function namesOf(plans: readonly FigurePlan[]): string[][] {
  return takenTogether(plans).map((together) => together.map(({ name }) => name))
}

describe('figures are taken from the same runs', () => {
  it('if they have the same parts and each names a value', () => {
    expect(namesOf([plan('a', 'x', 'one'), plan('b', 'y', 'one'), plan('c', 'x', 'two')])).toEqual([['a', 'c'], ['b']])
  })

  it('never without a value: two figures of one workload are two measurements', () => {
    expect(namesOf([plan('a', 'x'), plan('b', 'x'), plan('c', 'x', 'one')])).toEqual([['a'], ['b'], ['c']])
  })

  it('in every group if they agree on rounds and children', () => {
    for (const together of takenTogether([...globalEts.figures, ...gateway.figures, ...ways.figures])) {
      const runs = together.map(({ maxRounds, freshChild, onlyWhenAsked }) => ({
        maxRounds,
        freshChild,
        onlyWhenAsked,
      }))
      expect(new Set(runs.map((run) => JSON.stringify(run))).size).toBe(1)
    }
  })
})
