import { call, GenServer, start, type Call, type ServerRef } from '@pidmesh/gen-server'
import { GlobalEts } from '@pidmesh/global-ets'
import { startNode, via } from '@pidmesh/runtime'

type CounterCall = Call<{ type: 'get' }, number> | Call<{ type: 'add'; by: number }, number>

class Counter extends GenServer<CounterCall> {
  private count = 0
  override init(from: number) {
    this.count = from
  }
  override handleCall(request: CounterCall) {
    switch (request.type) {
      case 'get':
        return this.reply(request, this.count)
      case 'add':
        return this.reply(request, (this.count += request.by))
    }
  }
}

const node = await startNode({ name: 'counter1@127.0.0.1', cookie: 'a-shared-secret' })
const names = await GlobalEts.start(node)
const counter = await start(node, Counter, [5], { name: via(names, 'counter:1') })
console.log(await call(node, counter, { type: 'add', by: 2 }))

// From another node, by its name in the table; the type of the reference is all that it needs to know:
const node2 = await startNode({ name: 'counter2@127.0.0.1', cookie: 'a-shared-secret', seeds: [node.address] })
const names2 = await GlobalEts.start(node2)
await names2.filled() // with the names of the nodes that it is connected with
const remote: ServerRef<CounterCall, never> = via(names2, 'counter:1')
console.log(await call(node2, remote, { type: 'get' }))

await node2.stop()
await node.stop()
