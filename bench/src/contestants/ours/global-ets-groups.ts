/**
 * Groups of processes.
 */
import type { Answer } from '../../figures.ts'
import type { Cluster } from './global-ets-cluster.ts'

/**
 * So many processes of the near node, each of which joins a group, and leaves it. In milliseconds: `visible` until all three nodes list all members; `members`: as many
 * listings on the second node, of groups with a hundredth of the members each.
 */
export async function groups(cluster: Cluster, size: number): Promise<Answer> {
  const { near, second } = cluster
  return cluster.withThird(async (third) => {
    // Of an earlier run they are there already.
    if (!cluster.hasGroups) await Promise.all([near.startGroups(), second.startGroups()])
    cluster.hasGroups = true
    await third.startGroups()
    const all = [near, second, third]
    await near.hold(size)
    const startMs = performance.now()
    const visible = Promise.all(all.map((node) => node.untilMembers(size)))
    const joinMs = await near.changeGroups('join')
    await visible
    const visibleMs = performance.now() - startMs
    const membersMs = await second.getMembers(size)
    const leaveMs = await near.changeGroups('leave')
    await Promise.all(all.map((node) => node.untilMembers(0)))
    await near.release()
    return { values: { join: joinMs, visible: visibleMs, members: membersMs, leave: leaveMs }, operations: size }
  })
}
