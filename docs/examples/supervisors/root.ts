import { once } from 'node:events'
import { processChild, Supervisor } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

const node = await startNode({ name: 'shop@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
const children = [processChild('hopeless', () => Promise.reject(new Error('as always')))]
const end = new AbortController()
const endProgram = (): void => end.abort()

// #region end
const root = await Supervisor.start(node, {}, children)
node.spawn(async (self) => {
  await self.awaitDown(root, Infinity)
  endProgram() // await node.stop(), and process.exit(1)
})
// #endregion

if (!end.signal.aborted) await once(end.signal, 'abort')
await node.stop()
