/**
 * Plays one history and judges it.
 */
import { faultsOf } from '@pidmesh/runtime/testing'
import { Model, type Statistics } from './model.ts'
import { drawPlan } from './plan.ts'
import { entryText } from './record.ts'
import { Stage } from './stage.ts'

export interface Outcome {
  readonly seed: number
  readonly broken: readonly string[]
  readonly lines: readonly string[]
}

export function emptyStatistics(): Statistics {
  return { restarts: 0, gaveUp: 0, autoShutdowns: 0, failedStarts: 0, killsAfterTimeout: 0 }
}

export async function playHistory(seed: number, statistics: Statistics = emptyStatistics()): Promise<Outcome> {
  const stage = new Stage(drawPlan(seed))
  const faults = await faultsOf(async () => {
    try {
      await stage.play()
    } catch (error) {
      stage.breach(textOf(error))
    }
  })
  for (const fault of faults) stage.breach(`nobody handles ${textOf(fault)}`)
  const { entries, lives } = stage.chronicle
  for (const life of lives) {
    const rule = new Model(life, entries, statistics).judge()
    if (rule !== undefined) stage.breach(rule)
  }
  return { seed, broken: stage.broken, lines: entries.map(entryText) }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
