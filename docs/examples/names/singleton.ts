import { child, GenServer, startLink, Supervisor, type StartError } from '@pidmesh/gen-server'
import { GlobalEts, type NamesMessage } from '@pidmesh/global-ets'
import { via, type ExitMessage, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

/** What the whole cluster is to have one of. */
class Clock extends GenServer {
  override init() {
    console.log('the clock is on', this.node)
  }
}

/** One on each node: starts a clock whenever nobody has its name. */
class Keeper extends GenServer<never, never, 'try'> {
  private names: GlobalEts | undefined = undefined

  override init(names: GlobalEts) {
    this.self.trapExit = true // the end of its clock is a message
    this.names = names
    names.watch(this.pid, { name: 'clock' })
    return this.ok({ continue: 'try' })
  }

  override async handleContinue() {
    if (this.names === undefined) return
    const started = startLink(this.self, Clock, [], { name: via(this.names, 'clock') })
    await started.catch(({ code, reason }: StartError) => {
      if (code !== 'ERR_ALREADY_STARTED') this.self.exit(reason) // otherwise another node was quicker
    })
  }

  override handleInfo(message: NamesMessage | ExitMessage) {
    if (message.type === 'names')
      return message.changes.some(({ type }) => type === 'left') ? this.noreply({ continue: 'try' }) : this.noreply()
    const { reason } = message
    if (typeof reason !== 'object' || !('name_conflict' in reason)) return this.stop(reason) // its supervisor counts it
    console.log('the one on', this.node, 'gives way')
    return this.noreply()
  }
}

async function join(node: Node): Promise<void> {
  const names = await GlobalEts.start(node)
  await names.filled() // or it starts one, and hears of the other later
  await Supervisor.start(node, {}, [child(Keeper, [names])])
}

const cluster = new TestCluster()
for (const name of ['a', 'b', 'c']) await cluster.run(join(await cluster.start(name)))

console.log('a crashes')
cluster.crash('a')
await cluster.advance(1_000)

console.log('a cable is pulled')
cluster.partition(['b'], ['c'])
await cluster.advance(5_000)

console.log('and put back')
cluster.heal()
await cluster.advance(5_000)

await cluster.stop()
