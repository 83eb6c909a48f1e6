/**
 * Two simulated nodes with a way of keeping names each. Time is virtual.
 */
import { handler, type Node, type Pid, type Via } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import type { ConformanceLab } from '@pidmesh/via-kit/testing'
import { FakeServer } from '@pidmesh/via-kit/testing'

export interface Member<Names extends Via> {
  readonly node: Node
  readonly names: Names
}

export class Lab<Names extends Via> implements ConformanceLab {
  readonly cluster: TestCluster
  readonly server: FakeServer
  readonly members: readonly [Member<Names>, Member<Names>]

  constructor(cluster: TestCluster, server: FakeServer, members: readonly [Member<Names>, Member<Names>]) {
    this.cluster = cluster
    this.server = server
    this.members = members
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.cluster.run(promise)
  }

  pass(ms: number): Promise<void> {
    return this.cluster.advance(ms)
  }

  spawn({ node }: Member<Names>, got: unknown[] = []): Pid {
    return node.spawn(handler(() => (message: unknown) => got.push(message)))
  }
}

export async function startLab<Names extends Via>(
  way: (node: Node, server: FakeServer) => Promise<Names>,
): Promise<Lab<Names>> {
  const cluster = new TestCluster({ seed: 1, latencyMs: 2 })
  const server = new FakeServer(cluster.clock)
  const members: Member<Names>[] = []
  for (const name of ['a', 'b']) {
    const node = await cluster.start(name)
    members.push({ node, names: await cluster.run(way(node, server)) })
  }
  const [one, other] = members
  if (one === undefined || other === undefined) throw new Error('two nodes')
  return new Lab(cluster, server, [one, other])
}
