import { once } from 'node:events'
import { processChild, Supervisor, type ChildSpec } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

async function begin(children: ChildSpec[], endProgram: () => void): Promise<() => Promise<void>> {
  const node = await startNode({ name: 'shop@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
  // #region end
  const root = await Supervisor.start(node, {}, children)
  let isMeant = false
  node.spawn(async (self) => {
    await self.awaitDown(root, Infinity)
    if (!isMeant) endProgram() // await node.stop(), and process.exit(1)
  })

  /** On SIGTERM. It ends the supervisor at the top, too, with the same reason, `shutdown`, that it has when it gives up. */
  function goDown(): Promise<void> {
    isMeant = true
    return node.stop()
  }
  // #endregion
  return goDown
}

// It gives up.
const end = new AbortController()
const goDown = await begin([processChild('hopeless', () => Promise.reject(new Error('as always')))], () => end.abort())
if (!end.signal.aborted) await once(end.signal, 'abort')
await goDown()

// It is told to end: that is no failure.
let hasFailed = false
const goDownAsTold = await begin([processChild('diligent', (self) => self.receive())], () => (hasFailed = true))
await goDownAsTold()
if (hasFailed) throw new Error('what was meant is taken for a failure')
