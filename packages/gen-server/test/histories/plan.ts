/**
 * A random tree of supervisors, and what is done to it: drawn from a seed.
 */
import type { AutoShutdown, Restart, Shutdown, Strategy } from '@pidmesh/gen-server'
import { seededRandom } from '@pidmesh/runtime/testing'

export interface ChildPlan {
  readonly id: string
  readonly restart: Restart
  readonly shutdown: Shutdown
  readonly significant: boolean
  readonly runs: WorkerPlan | SupervisorPlan
}

export interface WorkerPlan {
  readonly type: 'worker'
  /** A server; a process without a server's protocol; a function that may say that it isn't wanted. */
  readonly as: 'server' | 'process' | 'function'
  readonly traps: boolean
}

export interface SupervisorPlan {
  readonly type: 'supervisor'
  readonly strategy: Strategy | 'dynamic'
  readonly intensity: number
  readonly periodMs: number
  readonly autoShutdown: AutoShutdown
  /** Of a dynamic one: what it is given after its start. */
  readonly children: readonly ChildPlan[]
}

/** `at` and `child` choose among those that are there, `how` draws what else there is to draw. */
export type Act =
  | {
      readonly type: 'crash' | 'exit' | 'kill' | 'unlink' | 'kill_supervisor' | 'kill_and_terminate'
      readonly at: number
      readonly how: number
    }
  | {
      readonly type: 'start_child' | 'terminate_child' | 'restart_child' | 'delete_child' | 'which_children'
      readonly at: number
      readonly child: number
      readonly how: number
    }

export interface Step {
  readonly act: Act
  readonly thenMs: number
}

export interface Plan {
  readonly seed: number
  readonly root: SupervisorPlan
  readonly steps: readonly Step[]
  /** The pauses come first. */
  readonly stepsInShutdown: readonly Step[]
  /** Of a hundred starts of workers so many fail: from the first on, or after the tree has started. */
  readonly failing: { readonly percent: number; readonly fromStart: boolean }
}

export class Dice {
  private readonly random: ReturnType<typeof seededRandom>

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  below(limit: number): number {
    return Math.floor(this.random.fraction() * limit)
  }

  percent(chance: number): boolean {
    return this.below(100) < chance
  }

  of<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0]
  }
}

const RESTARTS = ['permanent', 'permanent', 'transient', 'temporary'] as const
const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'] as const
const AUTO_SHUTDOWNS = ['never', 'never', 'any_significant', 'all_significant'] as const
const SHUTDOWNS_MS = [0, 5, 50, 5_000] as const
const PAUSES_MS = [0, 0, 1, 2, 5, 20, 60, 300, 2_000] as const
const MAX_DEPTH = 4

export function drawPlan(seed: number): Plan {
  const dice = new Dice(seed)
  const root = drawSupervisor(dice, 1)
  const steps = Array.from({ length: 5 + dice.below(25) }, () => ({ act: drawAct(dice), thenMs: dice.of(PAUSES_MS) }))
  const stepsInShutdown = Array.from({ length: dice.below(4) }, () => ({ act: drawAct(dice), thenMs: dice.below(30) }))
  const failing = { percent: dice.of([0, 10, 25, 60] as const), fromStart: dice.percent(20) }
  return { seed, root, steps, stepsInShutdown, failing }
}

function drawSupervisor(dice: Dice, depth: number): SupervisorPlan {
  const strategy = dice.of(STRATEGIES)
  const autoShutdown = strategy === 'dynamic' ? 'never' : dice.of(AUTO_SHUTDOWNS)
  const children = Array.from({ length: 1 + dice.below(4) }, (_, index) =>
    drawChild(dice, { id: `c${index}`, depth, autoShutdown }),
  )
  return {
    type: 'supervisor',
    strategy,
    // The root's is large: its end is the end of the history.
    intensity: depth === 1 ? 5 + dice.below(20) : dice.of([0, 1, 2, 5]),
    periodMs: dice.of([1, 20, 300, 5_000]),
    autoShutdown,
    children,
  }
}

export function drawChild(
  dice: Dice,
  { id, depth, autoShutdown }: { readonly id: string; readonly depth: number; readonly autoShutdown: AutoShutdown },
): ChildPlan {
  const restart = dice.of(RESTARTS)
  const significant = restart !== 'permanent' && autoShutdown !== 'never' && dice.percent(60)
  if (depth < MAX_DEPTH && dice.percent(35)) {
    const shutdown = dice.of([Infinity, Infinity, 50, 'brutal_kill'] as const)
    return { id, restart, shutdown, significant, runs: drawSupervisor(dice, depth + 1) }
  }
  const shutdown = dice.percent(15) ? 'brutal_kill' : dice.percent(10) ? Infinity : dice.of(SHUTDOWNS_MS)
  const as = dice.of(['server', 'server', 'process', 'function'] as const)
  return { id, restart, shutdown, significant, runs: { type: 'worker', as, traps: dice.percent(60) } }
}

const ACTS = [
  'crash',
  'crash',
  'crash',
  'exit',
  'exit',
  'exit',
  'kill',
  'kill',
  'unlink',
  'kill_supervisor',
  'kill_and_terminate',
  'start_child',
  'start_child',
  'terminate_child',
  'restart_child',
  'delete_child',
  'which_children',
] as const satisfies readonly Act['type'][]

function drawAct(dice: Dice): Act {
  return { type: dice.of(ACTS), at: dice.below(1_000), child: dice.below(1_000), how: dice.below(1_000_000) }
}
