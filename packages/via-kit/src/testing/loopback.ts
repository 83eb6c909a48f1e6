/**
 * Two nodes of this OS process, connected over loopback, with a way of keeping names each: where the store is a real one, time is, too.
 */
import { startNode, type Node, type Via } from '@pidmesh/runtime'
import type { ConformanceLab, ConformanceMember } from './rules.ts'

export class LoopbackLab implements ConformanceLab {
  readonly members: readonly [ConformanceMember, ConformanceMember]

  private constructor(members: readonly [ConformanceMember, ConformanceMember]) {
    this.members = members
  }

  /** `way` starts a node's part. What a part holds is to end with its node. */
  static async start(way: (node: Node) => Promise<Via>): Promise<LoopbackLab> {
    const cookie = 'conformance of ways of keeping names'
    const logLevel = 'error'
    const one = await startNode({ name: 'one@127.0.0.1', cookie, logLevel })
    const other = await startNode({ name: 'other@127.0.0.1', cookie, logLevel, seeds: [one.address] })
    return new LoopbackLab([
      { node: one, names: await way(one) },
      { node: other, names: await way(other) },
    ])
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return promise
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ node }) => node.stop()))
  }
}
