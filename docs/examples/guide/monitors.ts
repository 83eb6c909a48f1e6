import { startNode } from '@pidmesh/runtime'

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })

// Who is online? However a connection ends, one message DOWN comes; and who monitors is not harmed by it.
const presence = node.spawn(async (self) => {
  const alice = self.spawnMonitor((connection) => connection.receive('bye'))
  const bob = self.spawnMonitor((connection) => connection.receive('bye'))

  self.send(alice.pid, { type: 'bye' }) // ends as it should
  self.exit(bob.pid, 'kill') // is ended, whatever it is at
  for (let gone = 0; gone < 2; gone++) {
    const down = await self.receive('DOWN')
    console.log(down.ref.equals(alice.ref) ? 'alice' : 'bob', 'has gone:', down.reason)
  }

  self.monitor(bob.pid) // too late: there is nobody any more
  console.log('once more:', (await self.receive('DOWN')).reason)
})

await node.self.awaitDown(presence, 1_000)
await node.stop()
