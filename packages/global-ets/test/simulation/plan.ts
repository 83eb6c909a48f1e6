/**
 * What happens in a history, drawn from its seed before it begins: what the table is like, who does what to it, and which faults there are.
 *
 * Who is who is known only when it happens: a step bears numbers, which choose among those who are there then.
 *
 * Half of the faults fall into the last fifth, and most come with a burst of changes: what is on its way then is what gets lost.
 */
import { seededRandom } from '@pidmesh/runtime/testing'

/** What is done to the table on one node. */
export type Act =
  | 'register'
  | 'register_again'
  | 'register_many'
  | 'unregister'
  | 'set_meta'
  | 'takeover'
  | 'die'
  | 'die_many'
  | 'watch'
  | 'unwatch'
  | 'many_in_a_turn'

/** What happens to the cluster. */
export type Fault =
  | 'cut_one_way'
  | 'cut'
  | 'isolate'
  | 'delay'
  | 'slow_reader'
  | 'reset'
  | 'torn_batch'
  | 'half_open'
  | 'crash'
  | 'power_failure'
  | 'stop'
  | 'stall'
  | 'server_crash'
  | 'server_crash_twice'
  | 'rot'
  | 'table_restart'
  | 'in_the_midst'

export type Draws = readonly [number, number, number, number]

export interface Step {
  readonly atMs: number
  readonly what: { readonly type: 'act'; readonly act: Act } | { readonly type: 'fault'; readonly fault: Fault }
  /** Numbers in [0, 1) that its parts are chosen with. */
  readonly draws: Draws
}

export type PolicyKind = 'smaller_node' | 'newest' | 'largest'

export interface Plan {
  readonly seed: number
  readonly kind: 'names' | 'groups'
  readonly policy: PolicyKind
  readonly loser: 'exit' | 'tell'
  readonly isOrdered: boolean
  readonly hosts: readonly string[]
  readonly latencyMs: readonly [number, number]
  readonly netTickTimeMs: number
  /** So little is taken of one node that it is refused, or asked later. */
  readonly isTight: boolean
  /** By host: the ring, batches, chunks and turns of its table are tiny. */
  readonly tiny: readonly boolean[]
  /** A fault that lasts, and one who is down, may last longer than what is kept of a node that is gone. */
  readonly isLong: boolean
  /** When all faults are over. */
  readonly endMs: number
  readonly steps: readonly Step[]
}

/** The cluster comes together before anything is done to it. */
export const FIRST_FAULT_MS = 600

export const ACTS: Readonly<Record<Act, number>> = {
  register: 22,
  register_again: 5,
  register_many: 3,
  unregister: 7,
  set_meta: 6,
  takeover: 5,
  die: 8,
  die_many: 1,
  watch: 4,
  unwatch: 2,
  many_in_a_turn: 5,
}

export const FAULTS: Readonly<Record<Fault, number>> = {
  cut_one_way: 7,
  cut: 9,
  isolate: 5,
  delay: 5,
  slow_reader: 3,
  reset: 12,
  torn_batch: 10,
  half_open: 5,
  crash: 8,
  power_failure: 4,
  stop: 3,
  stall: 5,
  server_crash: 10,
  server_crash_twice: 4,
  rot: 4,
  table_restart: 4,
  in_the_midst: 16,
}

const HOSTS = [
  [2, 5],
  [3, 8],
  [4, 2],
  [5, 0.6],
  [7, 0.2],
] as const
const SLOWEST_MS = [
  [3, 4],
  [20, 4],
  [80, 2],
] as const
const POLICIES = [
  ['smaller_node', 4],
  ['newest', 3],
  ['largest', 2],
] as const

const acts = Object.entries(ACTS) as [Act, number][]
const faults = Object.entries(FAULTS) as [Fault, number][]

export function drawPlan(seed: number): Plan {
  const { fraction } = seededRandom(seed)
  const between = (least: number, most: number): number => least + (most - least) * fraction()
  const hosts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].slice(0, chosen(HOSTS, fraction()))
  const slowest = chosen(SLOWEST_MS, fraction())
  const netTickTimeMs = fraction() < 0.5 ? 1_000 : 2_000
  const endMs = FIRST_FAULT_MS + between(1.5, 4) * netTickTimeMs
  const steps: Step[] = []
  const add = (atMs: number, what: Step['what']): void => {
    steps.push({ atMs, what, draws: [fraction(), fraction(), fraction(), fraction()] })
  }
  const act = (atMs: number): void => add(atMs, { type: 'act', act: chosen(acts, fraction()) })
  for (let left = 8 + Math.floor(fraction() * 20); left > 0; left--) act(between(FIRST_FAULT_MS / 2, endMs))
  const lateFromMs = endMs - (endMs - FIRST_FAULT_MS) / 5
  for (let left = 1 + Math.floor(fraction() * 3); left > 0; left--) {
    for (const atMs of [between(FIRST_FAULT_MS, lateFromMs), between(lateFromMs, endMs)]) {
      add(atMs, { type: 'fault', fault: chosen(faults, fraction()) })
      if (fraction() < 0.2) continue
      for (let burst = 1 + Math.floor(fraction() * 6); burst > 0; burst--) act(atMs + between(-slowest - 2, 4))
    }
  }
  steps.sort((a, b) => a.atMs - b.atMs)
  return {
    seed,
    kind: fraction() < 0.8 ? 'names' : 'groups',
    policy: chosen(POLICIES, fraction()),
    loser: fraction() < 0.8 ? 'exit' : 'tell',
    isOrdered: fraction() < 0.3,
    hosts,
    latencyMs: [1, slowest],
    netTickTimeMs,
    isTight: fraction() < 0.015,
    tiny: hosts.map(() => fraction() < 0.4),
    isLong: fraction() < 0.015,
    endMs,
    steps,
  }
}

/** One of the values, by weight. */
function chosen<T>(weights: readonly (readonly [value: T, weight: number])[], fraction: number): T {
  let left = fraction * weights.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [value, weight] of weights) if ((left -= weight) < 0) return value
  throw new Error('a fraction is below 1')
}

/** The one that a number in [0, 1) stands for. */
export function pick<T>(items: readonly T[], fraction: number): T | undefined {
  return items[Math.floor(fraction * items.length)]
}
