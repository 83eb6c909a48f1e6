import { startNode } from '@pidmesh/runtime'

const node = await startNode({ name: 'main@127.0.0.1', cookie: 'only-to-try-it-out' })
const pid = node.spawn((self) => self.receive('done'))
node.send(pid, { type: 'done' })

// #region end
const reason = await node.self.awaitDown(pid, 5_000) // undefined if it hasn't ended within five seconds
// #endregion

if (reason !== 'normal') throw new Error('it has not ended as it should')
await node.stop()
