/**
 * What a name costs: its registration and the end of it, and memory.
 */
import { quantileOf, type Answer } from '../../figures.ts'
import { pause, type Cluster } from './cluster.ts'

const SINGLE_NAMES = 200
/** What the other nodes and the store have yet to do when the last call has returned. */
const SETTLE_MS = 300

/**
 * On the near node. In milliseconds: all names registered, all given up, the CPU of all nodes and the store for both; and quantiles of a registration that goes
 * alone.
 */
export async function registrations(cluster: Cluster, size: number): Promise<Answer> {
  const { near } = cluster
  near.hold(size)
  const startCpuMs = cluster.cpuMs()
  const register = await near.register()
  await pause(SETTLE_MS)
  const unregister = await near.unregister()
  await pause(SETTLE_MS)
  const cpu = cluster.cpuMs() - startCpuMs
  near.letGo()

  near.hold(Math.min(SINGLE_NAMES, size))
  const tookMs = await near.registerSingly()
  await near.unregister()
  near.letGo()
  const [p50, p99] = [quantileOf(tookMs, 0.5), quantileOf(tookMs, 0.99)]
  return { values: { register, unregister, cpu, p50, p99 }, operations: size }
}

/** What names of the far node add to it, to the third, and to the store, in bytes. Their processes are there before. */
export async function memory(cluster: Cluster, size: number): Promise<Answer> {
  const { far } = cluster
  await far.child.ask('hold', size)
  const before = await bytesIn(cluster)
  await far.child.ask('register')
  await cluster.untilRegistered(far, size)
  const after = await bytesIn(cluster)
  const values = { holder: after.holder - before.holder, other: after.other - before.other }
  if (before.store === undefined || after.store === undefined) return { values, operations: size }
  return { values: { ...values, store: after.store - before.store }, operations: size }
}

async function bytesIn({ far, third, store }: Cluster) {
  const [holder, other, stored] = await Promise.all([
    far.child.ask<number>('settledBytes'),
    third.child.ask<number>('settledBytes'),
    store.bytes?.(),
  ])
  return { holder, other, store: stored }
}
