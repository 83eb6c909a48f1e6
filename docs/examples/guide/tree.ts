import { child, GenServer, stop, Supervisor } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

class Part extends GenServer {
  private name = ''
  override init(name: string) {
    this.name = name
    console.log('start', name)
  }
  override terminate() {
    console.log('stop', this.name)
  }
}

// `trapExit`, so that `terminate` runs when the supervisor stops it.
const part = (name: string) => child(Part, [name], { name, trapExit: true })

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
const root = await Supervisor.start(node, { strategy: 'rest_for_one' }, [
  part('database'),
  Supervisor.childSpec({ strategy: 'one_for_all' }, [part('reader'), part('writer')], { name: 'files' }),
  part('web'),
])

console.log('— the writer is killed')
const writer = node.whereis('writer')
if (writer !== undefined) node.exit(writer, 'kill')
await Supervisor.whichChildren(node, 'files') // it answers when it has done what it does

console.log('— all of it is stopped')
await stop(node, root)
await node.stop()
