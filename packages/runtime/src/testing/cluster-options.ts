/**
 * What a test cluster is made with, checked at the caller: a misspelt option would make a test pass that should fail.
 */
import { PidmeshError, shown } from '../errors.ts'
import { checkOptions } from '../process/checks.ts'
import { isSocketBytes } from '../transport/memory-checks.ts'

export interface TestClusterOptions {
  /** Chooses who is next, and all random numbers of the nodes. @default 1 */
  readonly seed?: number | undefined
  /** From one node to another; two numbers: drawn between them for each direction of each connection. @default 1 */
  readonly latencyMs?: number | readonly [least: number, most: number] | undefined
  /** What the socket of a connection holds of what is on its way: only what is more counts as buffered at its node. @default 65_536 */
  readonly socketBytes?: number | undefined
  /**
   * Turns and timers without time going on, and without an end to them: a livelock in what is tested. Also moments at which timers fire in one `run`, for a promise
   * that never settles. @default 1_000_000
   */
  readonly maxTurns?: number | undefined
}

export interface CheckedClusterOptions {
  readonly seed: number
  readonly latencyMs: readonly [least: number, most: number]
  readonly socketBytes: number
  readonly maxTurns: number
}

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkClusterOptions(given: TestClusterOptions): CheckedClusterOptions {
  const options = checkOptions('TestCluster', given, ['seed', 'latencyMs', 'socketBytes', 'maxTurns'])
  const { seed = 1, latencyMs = 1, socketBytes = 64 * 1024, maxTurns = 1_000_000 } = options
  if (!Number.isInteger(seed)) throw badOption(`seed of TestCluster must be an integer, not ${shown(seed)}`)
  if (typeof maxTurns !== 'number' || !(maxTurns >= 1))
    throw badOption(`maxTurns of TestCluster must be a number of turns, 1 or more, not ${shown(maxTurns)}`)
  if (!isSocketBytes(socketBytes))
    throw badOption(`socketBytes of TestCluster must be a number of bytes, 0 or more, not ${shown(socketBytes)}`)
  return { seed, latencyMs: checkLatency(latencyMs), socketBytes, maxTurns }
}

function checkLatency(given: number | readonly [number, number]): readonly [number, number] {
  const latency = typeof given === 'number' ? ([given, given] as const) : given
  if (Array.isArray(latency) && latency.length === 2) {
    const [least, most] = latency
    if (Number.isFinite(least) && Number.isFinite(most) && 0 <= least && least <= most) return [least, most]
  }
  throw badOption(
    `latencyMs of TestCluster must be a finite number of milliseconds, 0 or more, or two of them, the lower first, not ${shown(given)}`,
  )
}

export function badOption(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_OPTION', problem)
}
