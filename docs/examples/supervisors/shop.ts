import { call, child, DynamicSupervisor, GenServer, start, Supervisor, Task, type Call } from '@pidmesh/gen-server'
import { TestCluster } from '@pidmesh/runtime/testing'

type StockCall = Call<{ type: 'take'; item: string }, boolean>

class Stock extends GenServer<StockCall> {
  private items: string[] = []
  override init(items: string[]) {
    this.items = [...items]
  }
  override handleCall(request: StockCall) {
    if (request.item === 'a bug') throw new Error('there is one')
    const found = this.items.includes(request.item)
    this.items = this.items.filter((item) => item !== request.item)
    return this.reply(request, found)
  }
}

class Order extends GenServer<Call<{ type: 'pay' }, 'thank you'>> {
  override init({ customer }: { customer: string }) {
    this.log.debug({ customer }, 'an order')
  }
  override handleCall(request: Call<{ type: 'pay' }, 'thank you'>) {
    return this.stopAfterReply(request, 'thank you', 'normal')
  }
}

const cluster = new TestCluster() // in earnest: await startNode({ … })
const node = await cluster.start('shop')

// The tree: the stock, and below it the orders, as many as there are.
const shop = await cluster.run(
  Supervisor.start(node, { strategy: 'rest_for_one', intensity: 3, periodMs: 10_000 }, [
    child(Stock, [['tea', 'cups']], { name: 'stock' }),
    DynamicSupervisor.childSpec({ maxChildren: 1_000 }, { name: 'orders' }),
    DynamicSupervisor.childSpec({}, { name: 'tasks' }),
  ]),
)

// An order more. It is not restarted when it has ended as it should.
const order = child(Order, [{ customer: 'alice' }], { restart: 'transient' })
const started = await cluster.run(DynamicSupervisor.startChild(node, 'orders', order))
if (started.type === 'max_children') throw new Error('come back tomorrow')

// The stock crashes, and is there again; so are the orders' and the tasks' supervisors, empty: they were started after it.
await cluster.run(call(node, 'stock', { type: 'take', item: 'a bug' }).catch(() => undefined))
await cluster.settle()
const hasTea = await cluster.run(call(node, 'stock', { type: 'take', item: 'tea' }))
const orders = await cluster.run(DynamicSupervisor.countChildren(node, 'orders'))
if (!hasTea || orders.active !== 0) throw new Error('the tree was not restarted')

// Two things at once, in a process: a failure of the first would end it, one of the second wouldn't.
class Clerk extends GenServer<Call<{ type: 'report' }, string>> {
  override async handleCall(request: Call<{ type: 'report' }, string>) {
    const left = Task.async(this.self, (task) => call(task, 'stock', { type: 'take', item: 'cups' }))
    const mail = await Task.asyncNolink(this.self, 'tasks', async () => 'nothing new')
    const news = await Task.yield(mail, 1_000)
    const text = news?.type === 'ok' ? news.value : 'no news'
    return this.reply(request, `${await Task.await(left)}, ${text}`)
  }
}
const clerk = await cluster.run(start(node, Clerk, []))
const report = await cluster.run(call(node, clerk, { type: 'report' }))
if (report !== 'true, nothing new') throw new Error(report)

// Off for today.
const closed = await cluster.run(Supervisor.terminateChild(node, shop, 'orders'))
if (closed !== 'ok') throw new Error(closed)
await cluster.stop()
