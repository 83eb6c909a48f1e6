import { ProcessGroups, type GroupMessage } from '@pidmesh/global-ets'
import { handler, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

const cluster = new TestCluster() // in production: startNode, on each machine
const [a, b] = [await cluster.start('a'), await cluster.start('b')]
const onA = await cluster.run(ProcessGroups.start<{ nick?: string }>(a))
const onB = await cluster.run(ProcessGroups.start<{ nick?: string }>(b))
const guest = (node: Node, nick: string) => node.spawn(handler(() => (message) => console.log(nick, 'gets', message)))

const watcher = b.spawn(
  handler(
    () =>
      ({ type, group }: GroupMessage) =>
        console.log('b hears:', type, group),
  ),
)
onB.monitorGroup(watcher, 'room:lobby')

const [alice, bob] = [guest(a, 'alice'), guest(b, 'bob')]
onA.join('room:lobby', alice, { nick: 'alice' })
onB.join('room:lobby', bob, { nick: 'bob' })
await cluster.advance(10)

for (const { meta } of onA.presence('room:lobby')) console.log('present:', meta.nick)
console.log(onA.broadcast('room:lobby', 'hello'))
await cluster.advance(10)
await cluster.stop()
