/**
 * Takes a group's figures: in each round all contestants do their part in turn, so that what else the machine does meets them alike, and every other round
 * in reverse, so that nobody always runs in another's wake. What counts is the ratio of medians; a number alone belongs to one machine and one moment.
 */
import { Contestant } from './contestant.ts'
import { sampleOf, type Answer, type Samples } from './figures.ts'
import type { Command, FigurePlan, Part } from './group.ts'

/** A contestant that is installed. */
export interface Runner {
  readonly command: Command
  /** The child that lives as long as the group. */
  readonly contestant: Contestant
}

export interface Pace {
  readonly rounds: number
  readonly quick: boolean
}

/** With `--quick` sizes are divided by this. */
const QUICK_SHARE = 10
/** What a rate is warmed up with is its size divided by this. */
const WARM_UP_SHARE = 4

interface Entry {
  readonly name: string
  readonly runner: Runner
  readonly part: Part
}

/** Figures that are taken from the same runs, in the order of the plans: those of the same parts that name values; any other is alone. */
export function takenTogether(plans: readonly FigurePlan[]): FigurePlan[][] {
  const together = new Map<string, FigurePlan[]>()
  for (const [index, plan] of plans.entries()) {
    const key = plan.value === undefined ? `${index}` : JSON.stringify(plan.parts)
    const others = together.get(key)
    if (others === undefined) together.set(key, [plan])
    else others.push(plan)
  }
  return [...together.values()]
}

/** The samples of each of the plans, which are taken together: the first says how. */
export async function measure(
  plans: readonly FigurePlan[],
  runners: ReadonlyMap<string, Runner>,
  { rounds, quick }: Pace,
): Promise<Samples[]> {
  const [first] = plans
  if (first === undefined) return []
  const entries = entriesOf(first, runners)
  const samples = plans.map(() => new Map<string, number[]>())
  const lastRound = Math.min(rounds, first.maxRounds ?? rounds)
  // Round 0 warms up and does not count.
  for (let round = first.freshChild ? 1 : 0; round <= lastRound; round++) {
    for (const { name, runner, part } of round % 2 === 0 ? entries : entries.toReversed()) {
      const size = quick ? Math.max(1, Math.round(part.size / QUICK_SHARE)) : part.size
      const answer = await (first.freshChild
        ? runFresh(name, runner, { ...part, size })
        : runner.contestant.run(part.workload, size, warmUpOf(first, size)))
      if (round > 0) keep(plans, samples, name, answer)
    }
  }
  return samples
}

/** Only of a rate. */
function warmUpOf({ kind }: FigurePlan, size: number): number {
  return kind === 'operationsPerSecond' ? Math.ceil(size / WARM_UP_SHARE) : 0
}

function keep(
  plans: readonly FigurePlan[],
  samples: readonly Map<string, number[]>[],
  name: string,
  answer: Answer,
): void {
  for (const [index, plan] of plans.entries()) {
    const sample = sampleOf(plan, answer)
    const ofPlan = samples[index]
    if (sample === undefined || ofPlan === undefined) continue
    const known = ofPlan.get(name)
    if (known === undefined) ofPlan.set(name, [sample])
    else known.push(sample)
  }
}

/** As the plan names them: ours first, where it takes part. */
function entriesOf({ parts }: FigurePlan, runners: ReadonlyMap<string, Runner>): Entry[] {
  return Object.entries(parts).flatMap(([name, part]) => {
    const runner = runners.get(name)
    return runner === undefined ? [] : [{ name, runner, part }]
  })
}

async function runFresh(name: string, { command }: Runner, { workload, size }: Part) {
  const fresh = await Contestant.start(name, command)
  try {
    return await fresh.run(workload, size)
  } finally {
    await fresh.end()
  }
}
