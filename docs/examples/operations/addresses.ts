import { startNode } from '@pidmesh/runtime'
import type { Discovery } from '@pidmesh/runtime'

const cookie = 'only-to-try-it-out'
const other = await startNode({ name: 'other@127.0.0.1', cookie })

// #region discovery
/** Lists what it is given, to the node that it is started by. */
class Addresses implements Discovery {
  private found: (addresses: readonly string[]) => void = () => undefined
  start(found: (addresses: readonly string[]) => void) {
    this.found = found
    return () => (this.found = () => undefined)
  }
  /** All of them, each time: one that is missing is dialed no more. */
  set(...addresses: string[]) {
    this.found(addresses)
  }
}

const addresses = new Addresses()
const node = await startNode({ name: 'node@127.0.0.1', cookie, discovery: addresses })
// Later, whenever it is known where others are:
addresses.set(other.address)
// #endregion

const watcher = node.spawn(async (self) => {
  self.monitorNodes(true)
  if (node.nodes().length === 0) await self.receive('nodeup')
})
if ((await node.self.awaitDown(watcher, 10_000)) !== 'normal') throw new Error('it has not connected')
await node.stop()
await other.stop()
