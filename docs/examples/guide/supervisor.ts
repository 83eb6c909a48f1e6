import { call, child, GenServer, Supervisor, type Call, type CallError, type ServerName } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

type CounterCall = Call<{ type: 'add'; text: string }, number>

class Counter extends GenServer<CounterCall> {
  private total = 0
  override handleCall(request: CounterCall) {
    const { length } = request.text.trim()
    if (length === 0) throw new Error('a bug: nobody has thought of this')
    return this.reply(request, (this.total += length))
  }
}

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
const supervisor = await Supervisor.start(node, { intensity: 2, periodMs: 5_000 }, [
  child(Counter, [], { name: 'counter' }),
])

// Who is started again has another pid, and the same name: so it is called by that. The type says what it takes.
const counter: ServerName<CounterCall, never> = 'counter'
const add = async (text: string): Promise<void> => {
  const answer = await call(node, counter, { type: 'add', text }).catch((error: CallError) => error.code)
  console.log(JSON.stringify(text), answer)
}
// A supervisor answers when it is done with what it does. Until then nobody may have the name.
const restarted = (): Promise<unknown> => Supervisor.countChildren(node, supervisor)

await add('hello')
await add(' ') // it crashes, and is started again
await restarted()
await add('hello') // as new
await add(' ')
await restarted()
const end = node.self.awaitDown(supervisor, 1_000)
await add(' ') // the third time within five seconds: that is no accident
console.log('the supervisor has ended:', await end)
await add('hello')
await node.stop()
