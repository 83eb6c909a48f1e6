import { handler, startNode } from '@pidmesh/runtime'

const cookie = 'only-to-try-it-out'
const store = await startNode({ name: 'store@127.0.0.1', cookie })
const source = await startNode({ name: 'source@127.0.0.1', cookie, seeds: [store.address] })

let received = 0
const sink = store.spawn(
  handler((self) => (message: Uint8Array | 'end') => {
    if (message === 'end') self.exit('shutdown')
    else received += message.length
  }),
)

const part = new Uint8Array(64 * 1024)
source.spawn(async (self) => {
  for (let sent = 0; sent < 320; sent++) {
    // Waits while the connection is congested. What was on its way when it ended is lost.
    if ((await self.sendOk(sink, part)) === 'noconnection') return
  }
  self.send(sink, 'end')
})
await source.self.sendOk(sink, part) // code outside of processes does it so

await source.self.awaitDown(sink, 60_000)
console.log(`${received / 1024 / 1024} MiB, and the connection stands: ${source.nodes().length === 1}`)

await source.stop()
await store.stop()
