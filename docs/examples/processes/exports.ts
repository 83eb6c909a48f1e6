import { erpc, spawnMonitorOn, spawnOn, startNode, type Context } from '@pidmesh/runtime'

const cookie = 'only-to-try-it-out'
const far = await startNode({ name: 'far@127.0.0.1', cookie })
const node = await startNode({ name: 'near@127.0.0.1', cookie, seeds: [far.address] })

// Any node of the cluster may run them; their arguments are not checked.
far.exportFunctions({
  add: (_self, a: number, b: number) => a + b,
  worker: (self: Context, job: string) => self.log.info({ job }, 'done'),
})

console.log(await erpc.call<number>(node, far.name, 'add', [1, 2])) // runs it there, in a process of its own
await erpc.call<number>(node, far.name, 'add', [1, 2], 500) // waits for 500 ms at most; the default is 5,000, Infinity for ever
erpc.cast(node, far.name, 'worker', ['paint']) // without a result; nobody is told if it can't be called

await spawnOn(node, far.name, 'worker', ['paint']) // gives the pid of a process there, of which self is the first argument
const watcher = node.spawn(async (self) => {
  await spawnMonitorOn(self, far.name, 'worker', ['paint']) // spawnLinkOn likewise
  console.log('ended:', (await self.receive('DOWN')).reason) // however soon that is
})

await node.self.awaitDown(watcher, 5_000)
await node.stop()
await far.stop()
