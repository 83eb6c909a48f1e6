import { call, child, DynamicSupervisor, GenServer, start, Supervisor, Task, type Call } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

class Room extends GenServer<Call<{ type: 'topic' }, string>> {
  private topic = ''
  override init(topic: string) {
    this.topic = topic
  }
  override handleCall(request: Call<{ type: 'topic' }, string>) {
    return this.reply(request, this.topic)
  }
}

class Portal extends GenServer<Call<{ type: 'page' }, string>> {
  // Two things at once. Each has until its `await` is over; both end with the portal.
  override async handleCall(request: Call<{ type: 'page' }, string>) {
    const news = Task.async(this.self, async () => 'nothing new')
    const weather = Task.async(this.self, async () => 'rain')
    return this.reply(request, `${await Task.await(news)}, and ${await Task.await(weather)}`)
  }
}

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
await Supervisor.start(node, {}, [DynamicSupervisor.childSpec({ maxChildren: 2 }, { name: 'rooms' })])

// A room whenever somebody wants one. It isn't started again once it has ended: `temporary`.
for (const topic of ['tea', 'chess', 'cats']) {
  const started = await DynamicSupervisor.startChild(node, 'rooms', child(Room, [topic], { restart: 'temporary' }))
  console.log(topic, started.type)
}
const rooms = await DynamicSupervisor.whichChildren(node, 'rooms')
console.log('rooms:', rooms.length)

const portal = await start(node, Portal, [])
console.log(await call(node, portal, { type: 'page' }))
await node.stop()
