/**
 * What happens in a history, drawn from its seed before it begins: who does what to whom, and which faults there are.
 *
 * Who is who is known only when it happens: a step bears numbers, which choose among those who are there then.
 *
 * Half of the faults fall into the last fifth, and most come with a burst of signals: what is on its way then is what gets lost, doubled or mixed up.
 */
import { seededRandom } from '@pidmesh/runtime/testing'

/** What a process is told to do. */
export type Act =
  | 'send'
  | 'send_large'
  | 'send_ok'
  | 'send_name'
  | 'send_alias'
  | 'exit_signal'
  | 'monitor'
  | 'monitor_name'
  | 'demonitor'
  | 'link'
  | 'unlink'
  | 'tangle'
  | 'monitor_node'
  | 'call'
  | 'open_alias'
  | 'close_alias'
  | 'spawn'
  | 'die'

/** What happens to the cluster. */
export type Fault =
  | 'cut_one_way'
  | 'cut'
  | 'isolate'
  | 'delay'
  | 'slow_reader'
  | 'reset'
  | 'half_open'
  | 'torn_batch'
  | 'told_late'
  | 'crash'
  | 'power_failure'
  | 'roll_back'
  | 'stop'
  | 'stall'
  | 'stutter'
  | 'wall_jump'
  | 'impostor'
  | 'disconnect'
  | 'dial_together'
  | 'flood'

export interface Step {
  readonly atMs: number
  readonly what: { readonly type: 'act'; readonly act: Act } | { readonly type: 'fault'; readonly fault: Fault }
  /** Numbers in [0, 1) that its parts are chosen with. */
  readonly draws: readonly [number, number, number, number]
}

export type Draws = Step['draws']

export interface Plan {
  readonly seed: number
  readonly hosts: readonly string[]
  readonly latencyMs: readonly [number, number]
  /** What sockets hold: with none, small signals wait for those that are on their way. */
  readonly socketBytes: number
  readonly netTickTimeMs: number
  /** A second node of the name of the first starts before anything has happened, and has to be refused. */
  readonly hasEarlyImpostor: boolean
  /** When all faults are over. */
  readonly endMs: number
  readonly steps: readonly Step[]
}

/** The cluster comes together before anything is done to it. */
export const FIRST_FAULT_MS = 1_500

export const ACTS: Readonly<Record<Act, number>> = {
  send: 20,
  send_large: 1,
  send_ok: 3,
  send_name: 6,
  send_alias: 6,
  exit_signal: 5,
  monitor: 12,
  monitor_name: 4,
  demonitor: 4,
  link: 10,
  unlink: 5,
  tangle: 3,
  monitor_node: 3,
  call: 3,
  open_alias: 2,
  close_alias: 1,
  spawn: 4,
  die: 4,
}

export const FAULTS: Readonly<Record<Fault, number>> = {
  cut_one_way: 12,
  cut: 10,
  isolate: 5,
  delay: 6,
  slow_reader: 4,
  reset: 9,
  half_open: 6,
  torn_batch: 9,
  told_late: 6,
  crash: 8,
  power_failure: 4,
  roll_back: 5,
  stop: 4,
  stall: 12,
  stutter: 4,
  wall_jump: 3,
  impostor: 3,
  disconnect: 4,
  dial_together: 8,
  flood: 0.8,
}

const HOSTS = [
  [2, 5],
  [3, 4],
  [4, 1],
] as const
const SLOWEST_MS = [
  [3, 4],
  [20, 4],
  [80, 2],
] as const
const SOCKETS_BYTES = [
  [0, 1],
  [64 * 1024, 1],
] as const
const NET_TICK_TIMES_MS = [
  [2_000, 4],
  [4_000, 6],
] as const

const acts = Object.entries(ACTS) as [Act, number][]
const faults = Object.entries(FAULTS) as [Fault, number][]

export function drawPlan(seed: number): Plan {
  const random = seededRandom(seed)
  const { fraction } = random
  const between = (least: number, most: number): number => least + (most - least) * fraction()
  const hosts = ['a', 'b', 'c', 'd'].slice(0, chosen(HOSTS, fraction()))
  const slowest = chosen(SLOWEST_MS, fraction())
  const socketBytes = chosen(SOCKETS_BYTES, fraction())
  const netTickTimeMs = chosen(NET_TICK_TIMES_MS, fraction())
  const endMs = FIRST_FAULT_MS + between(2.5, 5) * netTickTimeMs
  const steps: Step[] = []
  const add = (atMs: number, what: Step['what']): void => {
    steps.push({ atMs, what, draws: [fraction(), fraction(), fraction(), fraction()] })
  }
  const act = (atMs: number): void => add(atMs, { type: 'act', act: chosen(acts, fraction()) })

  for (let left = 10 + Math.floor(fraction() * 30); left > 0; left--) act(between(FIRST_FAULT_MS / 2, endMs))
  const lateFromMs = endMs - (endMs - FIRST_FAULT_MS) / 5
  for (let left = 1 + Math.floor(fraction() * 4); left > 0; left--) {
    for (const atMs of [between(FIRST_FAULT_MS, lateFromMs), between(lateFromMs, endMs)]) {
      add(atMs, { type: 'fault', fault: chosen(faults, fraction()) })
      if (fraction() < 0.25) continue
      for (let burst = 2 + Math.floor(fraction() * 7); burst > 0; burst--) act(atMs + between(-slowest - 2, 2))
    }
  }
  steps.sort((a, b) => a.atMs - b.atMs)
  const hasEarlyImpostor = fraction() < 0.1
  return { seed, hosts, latencyMs: [1, slowest], socketBytes, netTickTimeMs, hasEarlyImpostor, endMs, steps }
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
