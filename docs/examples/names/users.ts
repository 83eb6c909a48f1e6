import { GlobalEts, type NamesMessage } from '@pidmesh/global-ets'
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

const cluster = new TestCluster() // in production: startNode, on each machine
const [a, b] = [await cluster.start('a'), await cluster.start('b')]
const onA = await cluster.run(GlobalEts.start(a))
const onB = await cluster.run(GlobalEts.start(b))

const alice = a.spawn(handler(() => (message) => console.log('alice gets', message)))
const watcher = b.spawn(
  handler(() => ({ changes }: NamesMessage) => {
    for (const { type, name, meta } of changes) console.log('b hears:', type, name, meta)
  }),
)
onB.watch(watcher, { prefix: 'user:' })

console.log(onA.registerName('user:alice', alice, { room: 'lobby' }))
console.log(onA.registerName('user:alice', alice))
await cluster.advance(10)

console.log(onB.send('user:alice', { type: 'notice' }))
console.log(onB.send('user:bob', { type: 'notice' }))
console.log(onB.select({ prefix: 'user:' }).map(({ name, node }) => `${name} on ${node}`))
await cluster.advance(10)

cluster.crash('a') // as with kill -9
await cluster.advance(10)
console.log(onB.whereisName('user:alice'))
await cluster.stop()
