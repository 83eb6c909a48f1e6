import {
  call,
  child,
  DynamicSupervisor,
  GenServer,
  processChild,
  start,
  stop,
  Supervisor,
  Task,
  type Call,
  type ChildSpec,
} from '@pidmesh/gen-server'
import { handler, type Context, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

class Counter extends GenServer<Call<{ type: 'get' }, number>> {
  private count = 0
  override init(from: number) {
    this.count = from
  }
  override handleCall(request: Call<{ type: 'get' }, number>) {
    return this.reply(request, this.count)
  }
}

class Room extends GenServer<Call<{ type: 'name' }, string>> {
  private name = ''
  override init(name: string) {
    this.name = name
  }
  override handleCall(request: Call<{ type: 'name' }, string>) {
    return this.reply(request, this.name)
  }
}

const startPool = (self: Context): Pid => self.spawnLink(handler(() => () => undefined))
const fetchAnswer = async ({ signal }: { signal: AbortSignal }): Promise<number> => (signal.aborted ? 0 : 42)

const cluster = new TestCluster()
const node = await cluster.start('a')
const other = await cluster.start('b')

// #region child
const children: ChildSpec[] = [
  child(Counter, [5], { name: 'counter', restart: 'transient' }), // a GenServer or GenStatem: its arguments are checked by type
  processChild('ticker', async (self) => self.receive(), { shutdown: 'brutal_kill' }), // a process that is no server
  Supervisor.childSpec({ strategy: 'one_for_all' }, [child(Counter, [0])], { name: 'inner' }), // a supervisor
  DynamicSupervisor.childSpec({ maxChildren: 100 }, { name: 'rooms' }), // a dynamic one
  Task.childSpec(async (self) => self.log.info({}, 'we are up')), // a task
  { id: 'pool', start: async (self) => startPool(self) }, // anything: starts a process, and gives its pid
]
// #endregion

class Parent extends GenServer {
  override async init() {
    const { self } = this
    // #region start
    const own = await Supervisor.startLink(self, { intensity: 3, periodMs: 10_000 }, children) // linked to the caller, its parent
    const free = await Supervisor.start(node, {}, []) // linked to nobody
    // #endregion
    // #region stop
    await stop(self, free) // with `normal`; stop(self, free, 'shutdown') with another reason. Resolves when all is stopped
    // #endregion
    if (node.isProcessAlive(free) || !node.isProcessAlive(own)) throw new Error('it should be the other way round')
  }
}
await cluster.run(start(node, Parent, []))

class Lobby extends GenServer<Call<{ type: 'open' }, number>> {
  override async handleCall(request: Call<{ type: 'open' }, number>) {
    const { self } = this
    // #region simple
    const template = (name: string) => child(Room, [name], { restart: 'transient' })
    const rooms = await Supervisor.start(self, { strategy: 'simple_one_for_one' }, template)
    await Supervisor.startChild(self, rooms, ['lobby']) // checked by type; from another node, too
    // #endregion
    await call(other, rooms, { type: 'which_children' })
    // #region dynamic
    const players = await DynamicSupervisor.startLink(self, { intensity: 3, maxChildren: 10_000 }, { name: 'players' })
    const started = await DynamicSupervisor.startChild(self, players, child(Counter, [0], { restart: 'temporary' }))
    // #endregion
    if (started.type !== 'ok') throw new Error(started.type)
    // #region task
    const answer = Task.async(self, (task) => fetchAnswer({ signal: task.signal })) // linked: one's failure is the other's
    const value = await Task.await(answer) // 5 s; or Task.await(answer, timeoutMs)
    // #endregion
    return this.reply(request, value)
  }
}
const lobby = await cluster.run(start(node, Lobby, []))
const value = await cluster.run(call(node, lobby, { type: 'open' }))
if (value !== 42) throw new Error(`it is ${value}`)
await cluster.stop()
