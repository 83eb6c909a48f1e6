/**
 * Plays one history.
 */
import { createHash } from 'node:crypto'
import { faultsOf } from '@pidmesh/runtime/testing'
import { drawPlan } from './plan.ts'
import { World } from './world.ts'

export interface Outcome {
  readonly seed: number
  /** The first is what happened first. */
  readonly broken: readonly string[]
  readonly lines: readonly string[]
  /** What there was in it, and how often. */
  readonly seen: ReadonlyMap<string, number>
  readonly turns: number
}

export async function playHistory(seed: number): Promise<Outcome> {
  const world = new World(drawPlan(seed))
  const { judge, cluster, lines } = world
  const faults = await faultsOf(async () => {
    try {
      await world.play()
    } catch (error) {
      judge.breach(textOf(error))
    }
  })
  for (const fault of faults) judge.breach(`nobody handles ${textOf(fault)}`)
  return { seed, broken: judge.broken, lines, seen: judge.seen, turns: cluster.turns }
}

/** The same for the same history, played on the same code. */
export function traceHash({ lines, broken }: Outcome): string {
  return createHash('sha256').update(lines.join('\n')).update(broken.join('\n')).digest('hex').slice(0, 16)
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
