/**
 * Where a history is played here.
 */
import type { Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

export async function onNewNode<T>(play: (cluster: TestCluster, node: Node) => Promise<T>): Promise<T> {
  const cluster = new TestCluster()
  try {
    return await play(cluster, await cluster.start('a'))
  } finally {
    await cluster.stop()
  }
}
