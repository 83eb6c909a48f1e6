/**
 * A deploy of one of three nodes: it stops, and its clients come to the two others, at once and all together. They heed no hint when to come: the worst case.
 */
import type { Answer } from '../../figures.ts'
import { monotonicUs } from '../gateway/clock.ts'
import type { Load } from '../gateway/load.ts'
import { until, type Cluster } from './cluster.ts'

const AT_ONCE = 100

/** In milliseconds: from the stop until the last client is registered again, and the CPU of all nodes and the store until then. */
export async function deploy(cluster: Cluster, load: Load, size: number): Promise<Answer> {
  const { near, far, third } = cluster
  const opening = { dialect: 'bare', atOnce: AT_ONCE, query: '' } as const
  await load.open({ ...opening, port: third.port, count: size })
  await cluster.untilRegistered(third, size)
  await load.roam({ ...opening, ports: [near.gateway.port, far.port] })
  const [startUs, startCpuMs] = [monotonicUs(), cluster.cpuMs()]
  const stopped = third.child.ask('stop')
  const again = ((await load.roamed(size)) - startUs) / 1_000
  const cpu = cluster.cpuMs() - startCpuMs
  await stopped
  await load.close()
  await cluster.untilRegistered(far, 0)
  await until('no names', () => near.size() === 0)
  await cluster.replaceThird()
  return { values: { again, cpu }, operations: size }
}
