import { formatReason, startNode } from '@pidmesh/runtime'

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })

// Two processes of which neither makes sense alone: one reads from a socket, the other writes to it.
const reader = node.spawn(async (self) => {
  await self.receive('data')
  throw new Error('this is no JSON')
})
const writer = node.spawn(async (self) => {
  self.link(reader)
  await self.receive() // nothing ever comes
})

// A third wants to know when they end, and to live on: it traps exits, so that they come as messages.
const owner = node.spawn(
  async (self) => {
    self.link(writer)
    self.send(reader, { type: 'data' })
    const exit = await self.receive('EXIT')
    console.log('the writer has ended:', formatReason(exit.reason))
  },
  { trapExit: true },
)

await node.self.awaitDown(owner, 1_000)
console.log('reader alive:', node.isProcessAlive(reader), '– writer alive:', node.isProcessAlive(writer))
await node.stop()
