/**
 * What names take, and how long it takes a node to get them all.
 */
import type { Answer } from '../../figures.ts'
import type { Cluster, MemberNode } from './global-ets-cluster.ts'

const NAMES_PER_PROCESS_OF_A_MILLION = 100
const BULK = { callers: 1, perTurn: 1_000 }
/** Short turns: that the names are registered must not be what blocks. */
const GENTLY = { callers: 1, perTurn: 100 }

/** A node that is connected, and has no table, starts one. `join`: from then until it has all names. */
export async function join(cluster: Cluster, size: number): Promise<Answer> {
  const { near, second } = cluster
  await near.hold(size)
  await Promise.all([near.register({ from: 0, count: size, ...BULK }), second.untilSize(size)])
  const joinMs = await cluster.withOther((other) => other.join(size))
  await Promise.all([near.release(), near.untilSize(0), second.untilSize(0)])
  return { values: { join: joinMs }, operations: size }
}

/**
 * What the names add to the heap and what it keeps outside of itself, where they are registered (`owner`) and elsewhere (`replica`). Their processes are there before, and so
 * don't count. Buffers that are kept for a time only have `settleMs` to be given up. They stay: each run has a child process to itself.
 */
export async function bytes(
  { near, second }: Cluster,
  { settleMs }: { readonly settleMs: number },
  size: number,
): Promise<Answer> {
  await near.hold(size)
  const before = { owner: await near.bytes(), replica: await second.bytes() }
  await Promise.all([near.register({ from: 0, count: size, ...BULK }), second.untilSize(size)])
  await pause(settleMs)
  const owner = (await near.bytes()) - before.owner
  const replica = (await second.bytes()) - before.replica
  return { values: { owner, replica }, operations: size }
}

/**
 * So many names on three nodes, a third of them registered on each. `heap`: what the names add to the fullest node; `visible`: from the first registration until all three have all; `join`: a
 * fourth node gets all; `block`: the longest block of an event loop of the three from the first registration until the fourth has all. They stay.
 */
export function million(cluster: Cluster, size: number): Promise<Answer> {
  const { near, second } = cluster
  return cluster.withThird(async (third) => {
    const members = [near, second, third]
    const each = Math.ceil(size / members.length)
    const total = each * members.length
    const ofEach = <T>(ask: (member: MemberNode, index: number) => Promise<T>): Promise<T[]> =>
      Promise.all(members.map(ask))
    await ofEach((member) =>
      member.hold(Math.ceil(each / NAMES_PER_PROCESS_OF_A_MILLION), NAMES_PER_PROCESS_OF_A_MILLION),
    )
    const before = await ofEach((member) => member.bytes())
    await ofEach((member) => member.startBlocks())
    const startMs = performance.now()
    await ofEach(async (member, index) => {
      await member.register({ from: index * each, count: each, ...GENTLY })
      await member.untilSize(total)
    })
    const visibleMs = performance.now() - startMs
    const joinMs = await cluster.withOther((other) => other.join(total))
    const blocksMs = await ofEach((member) => member.longestBlock())
    const after = await ofEach((member) => member.bytes())
    const heap = Math.max(...after.map((held, index) => held - (before[index] ?? 0)))
    return {
      values: { heap, visible: visibleMs, join: joinMs, block: Math.max(...blocksMs) },
      operations: total,
    }
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
