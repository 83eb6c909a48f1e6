import { GlobalEts, type Claimant, type NameLostMessage } from '@pidmesh/global-ets'
import { handler, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

/** Who has more players keeps the room. The same function on all nodes, and of its argument alone. */
const mostPlayers = { name: 'most_players', sortKey: ({ meta }: Claimant) => Number(meta['players'] ?? 0) }
const options = { policy: mostPlayers, loser: 'tell' } as const

const cluster = new TestCluster()
const [a, b] = [await cluster.start('a'), await cluster.start('b')]
const onA = await cluster.run(GlobalEts.start(a, options))
const onB = await cluster.run(GlobalEts.start(b, options))
const room = (node: Node) =>
  node.spawn(
    handler(
      () =>
        ({ type, name, policy }: NameLostMessage) =>
          console.log(`${node.name}: ${type} ${name}, by ${policy}`),
    ),
  )

cluster.partition(['a'], ['b'])
await cluster.advance(5_000) // both have noticed
console.log(onA.registerName('room:1', room(a), { players: 2 }))
console.log(onB.registerName('room:1', room(b), { players: 5 }))
cluster.heal()
await cluster.advance(5_000)
console.log(onA.lookup('room:1')?.node, onA.metaOf('room:1'))
await cluster.stop()
