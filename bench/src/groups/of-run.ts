/**
 * Figures of one run: they get the same parts, so that they are taken from the same runs.
 */
import type { FigurePlan, Part } from '../group.ts'

/** A figure but for what it has in common with others of its run. */
export type FigureOfRun = Omit<FigurePlan, 'parts' | 'maxRounds' | 'freshChild' | 'onlyWhenAsked'>
export type Runs = Pick<FigurePlan, 'maxRounds' | 'freshChild' | 'onlyWhenAsked'>

export function ofRun(
  parts: Readonly<Record<string, Part>>,
  runs: Runs,
  figures: readonly FigureOfRun[],
): FigurePlan[] {
  return figures.map((figure) => ({ ...figure, ...runs, parts }))
}
