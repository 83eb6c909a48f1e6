import { GlobalEts } from '@pidmesh/global-ets'
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

const cluster = new TestCluster()
const node = await cluster.start('a')
const names = await cluster.run(GlobalEts.start(node, { policy: 'newest' }))
const account = { balance: 0, epoch: 0 } // a row of a database

/** What the database does: `update … where epoch <= $1`. */
function write(epoch: number, balance: number) {
  if (epoch < account.epoch) return 'refused'
  Object.assign(account, { epoch, balance })
  return 'written'
}

const [first, second] = [node.spawn(handler(() => () => {})), node.spawn(handler(() => () => {}))]
const epochOfFirst = names.takeover('account:7', first) ?? 0
console.log(write(epochOfFirst, 10))
const epochOfSecond = names.takeover('account:7', second) ?? 0
console.log(write(epochOfSecond, 20))
console.log(write(epochOfFirst, 11)) // one who has lost the name, and doesn't know it yet
await cluster.stop()
