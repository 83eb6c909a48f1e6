import { nodeName, startNode } from '@pidmesh/runtime'

const cookie = 'only-to-try-it-out'
const kitchen = await startNode({ name: 'kitchen@127.0.0.1', cookie })
const bar = await startNode({ name: 'bar@127.0.0.1', cookie, seeds: [kitchen.address] }) // in another process, or on another host, as a rule

console.log(bar.nodes())
kitchen.send({ name: 'barkeeper', node: bar.name }, 'a beer') // to a registered name there; dropped if nobody has it

const there = nodeName('bar@127.0.0.1') // where only a text is at hand
kitchen.send({ name: 'barkeeper', node: there }, 'another')
kitchen.disconnectNode(there)
console.log(kitchen.nodes())

await bar.stop()
await kitchen.stop()
