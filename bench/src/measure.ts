/**
 * Takes a group's figures: in each round all contestants do their part in turn, so that what else the machine does meets them alike, and every other round
 * in reverse, so that nobody always runs in another's wake. What counts is the ratio of medians; a number alone belongs to one machine and one moment.
 */
import { Contestant } from './contestant.ts'
import { sampleOf, type Samples } from './figures.ts'
import { OURS, type Command, type FigurePlan, type Part } from './group.ts'

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

interface Entry {
  readonly name: string
  readonly runner: Runner
  readonly part: Part
}

export async function measure(
  plan: FigurePlan,
  runners: ReadonlyMap<string, Runner>,
  { rounds, quick }: Pace,
): Promise<Samples> {
  const entries = entriesOf(plan, runners)
  const samples = new Map<string, number[]>(entries.map(({ name }) => [name, []]))
  const lastRound = Math.min(rounds, plan.maxRounds ?? rounds)
  // Round 0 warms up and does not count.
  for (let round = plan.freshChild ? 1 : 0; round <= lastRound; round++) {
    for (const { name, runner, part } of round % 2 === 0 ? entries : entries.toReversed()) {
      const size = quick ? Math.max(1, Math.round(part.size / QUICK_SHARE)) : part.size
      const answer = await (plan.freshChild
        ? runFresh(name, runner, { ...part, size })
        : runner.contestant.run(part.workload, size))
      if (round > 0) samples.get(name)?.push(sampleOf(plan.kind, answer))
    }
  }
  return samples
}

/** Ours first, then the peers as the plan names them. */
function entriesOf({ name: figure, parts }: FigurePlan, runners: ReadonlyMap<string, Runner>): Entry[] {
  if (parts[OURS] === undefined) throw new Error(`${figure}: ${OURS} has no part in it`)
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
