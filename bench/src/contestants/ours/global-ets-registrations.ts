/**
 * Names that come, are looked up, and go.
 */
import { quantileOf, type Answer } from '../../figures.ts'
import type { Cluster } from './global-ets-cluster.ts'
import type { Registering } from './global-ets-member.ts'

const PASSES = 5
const PACED_INTERVAL_MS = 5

/**
 * So many names, each of a process of its own. Each value is in milliseconds: `register` until the last call has returned, `visible` until all three nodes have said that they have all,
 * `lookup` and `lookupFar` to look each of them up once where they are registered and elsewhere, `release` from the first end of a process until no node has a name.
 */
export function register(
  cluster: Cluster,
  how: Pick<Registering, 'callers' | 'perTurn'>,
  size: number,
): Promise<Answer> {
  const { near, second } = cluster
  return cluster.withThird(async (third) => {
    const all = { from: 0, count: size }
    await near.hold(size)
    const startMs = performance.now()
    const [{ ms }] = await Promise.all([
      near.register({ ...all, ...how }),
      second.untilSize(size),
      third.untilSize(size),
    ])
    const visibleMs = performance.now() - startMs
    const lookupMs = await near.lookups(all, PASSES)
    const lookupFarMs = await second.lookups(all, PASSES)
    const releaseMs = performance.now()
    await Promise.all([near.release(), near.untilSize(0), second.untilSize(0), third.untilSize(0)])
    return {
      values: {
        register: ms,
        visible: visibleMs,
        lookup: lookupMs,
        lookupFar: lookupFarMs,
        release: performance.now() - releaseMs,
      },
      operations: size,
    }
  })
}

/** How long it takes until a name is seen on the second node, when names come one by one. `p50` and `p99`. */
export async function visible({ near, second }: Cluster, size: number): Promise<Answer> {
  const all = { from: 0, count: size }
  await near.hold(size)
  await second.watch(all)
  const [begun, seen] = await Promise.all([near.registerPaced(all, PACED_INTERVAL_MS), second.seen()])
  const tookMs = begun.map((ms, n) => (seen[n] ?? NaN) - ms)
  await Promise.all([near.release(), near.untilSize(0), second.untilSize(0)])
  return { values: { p50: quantileOf(tookMs, 0.5), p99: quantileOf(tookMs, 0.99) }, operations: size }
}
