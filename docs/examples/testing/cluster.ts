import { call, GenServer, start, type Call } from '@pidmesh/gen-server'
import { TestCluster } from '@pidmesh/runtime/testing'

class Counter extends GenServer<Call<{ type: 'next' }, number>> {
  private count = 0
  override handleCall(request: Call<{ type: 'next' }, number>) {
    return this.reply(request, ++this.count)
  }
}

const cluster = new TestCluster({ seed: 7 })
const a = await cluster.start('a') // the node a@127.0.0.1
const b = await cluster.start('b') // connected with all that run
const counter = await cluster.run(start(b, Counter, [])) // `run`: lets time go on until the promise has settled
console.log('the count is', await cluster.run(call(a, counter, { type: 'next' })))

cluster.partition(['a'], ['b']) // nothing gets through, and nobody is told
await cluster.advance(4_500) // until the ticks are missed
console.log('a sees', a.nodes())
cluster.heal()
await cluster.advance(2_000)
console.log('a sees', a.nodes())

cluster.crash('b') // as kill -9
await cluster.stop()
