/**
 * Nodes that are killed, and nodes that are stopped.
 */
import type { Answer } from '../../figures.ts'
import type { Cluster } from './global-ets-cluster.ts'

/** What the table and the samplers have begun before the kill is not of it. */
const SETTLE_MS = 200
const NAMES_PER_PROCESS = 10
/** A stopped node is continued when the healthy one has all names, and after so long in any case. */
const STOPPED_AT_MOST_MS = 3_000
/** Reported as it is if the stopped node has not converged by then. */
const CONVERGES_WITHIN_MS = 20_000
const ASK_AGAIN_MS = 1_000

/** The third node has all names, and is killed. `gone`: from the kill until both others have none; `block`: the longest block of an event loop of theirs from before until after. */
export function kill9(cluster: Cluster, size: number): Promise<Answer> {
  const { near, second } = cluster
  return cluster.withThird(async (third, kill) => {
    await third.hold(size)
    await third.register({ from: 0, count: size, callers: 1, perTurn: 1_000 })
    await Promise.all([near.untilSize(size), second.untilSize(size)])
    await pause(SETTLE_MS)
    await Promise.all([near.startBlocks(), second.startBlocks()])
    const gone = [near.untilSize(0), second.untilSize(0)]
    await pause(SETTLE_MS)
    const startMs = performance.now()
    kill('SIGKILL')
    await Promise.all(gone)
    const goneMs = performance.now() - startMs
    await pause(SETTLE_MS)
    const blocksMs = await Promise.all([near.longestBlock(), second.longestBlock()])
    return { values: { gone: goneMs, block: Math.max(...blocksMs) }, operations: size }
  })
}

/**
 * The third node is stopped while the near one registers. `slowest`: the slowest call; `healthy`: from the first call until the second node has all; `converged`: from
 * SIGCONT until the third has all.
 */
export function stopped(cluster: Cluster, size: number): Promise<Answer> {
  const { near, second } = cluster
  return cluster.withThird(async (third, kill) => {
    await near.hold(Math.ceil(size / NAMES_PER_PROCESS), NAMES_PER_PROCESS)
    kill('SIGSTOP')
    const startMs = performance.now()
    const registering = near.register({ from: 0, count: size, callers: 1, perTurn: 100 })
    const healthy = second.untilSize(size).then(() => performance.now() - startMs)
    await Promise.race([Promise.all([registering, healthy]), pause(STOPPED_AT_MOST_MS)])
    const continuedMs = performance.now()
    kill('SIGCONT')
    // Its connection may be lost while it is asked, and come back.
    while (!(await third.hasSize(size, ASK_AGAIN_MS)) && performance.now() - continuedMs < CONVERGES_WITHIN_MS) {
      await pause(1)
    }
    const convergedMs = performance.now() - continuedMs
    const [{ slowestMs }, healthyMs] = await Promise.all([registering, healthy])
    await Promise.all([near.release(), near.untilSize(0), second.untilSize(0)])
    return { values: { slowest: slowestMs, healthy: healthyMs, converged: convergedMs }, operations: size }
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
