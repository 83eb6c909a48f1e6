/**
 * Plays one history.
 */
import { createHash } from 'node:crypto'
import { drawPlan } from './plan.ts'
import { World } from './world.ts'

export interface Outcome {
  readonly seed: number
  /** The first is what happened first. */
  readonly broken: readonly string[]
  readonly lines: readonly string[]
  readonly stats: {
    readonly turns: number
    readonly dials: number
    readonly mostDowns: number
    readonly lines: number
    readonly virtualMs: number
  }
}

export async function playHistory(seed: number): Promise<Outcome> {
  const world = new World(drawPlan(seed))
  const { judge, cluster } = world
  try {
    await world.play()
  } catch (error) {
    judge.breach(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  return {
    seed,
    broken: judge.broken,
    lines: world.lines,
    stats: {
      turns: cluster.turns,
      dials: cluster.network.dials,
      mostDowns: judge.mostDowns(),
      lines: world.lines.length,
      virtualMs: cluster.clock.monotonicMs(),
    },
  }
}

/** The same for the same history, played on the same code. */
export function traceHash({ lines, broken }: Outcome): string {
  return createHash('sha256').update(lines.join('\n')).update(broken.join('\n')).digest('hex').slice(0, 16)
}
