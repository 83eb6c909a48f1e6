import { call, cast, GenStatem, start, sys, type Call, type StatemEvent } from '@pidmesh/gen-server'
import { handler, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

/** A session outlives its socket for thirty seconds: whoever comes back in time has missed nothing. */
interface SessionTypes {
  state: { type: 'connected'; socket: Pid } | { type: 'grace' }
  calls: Call<{ type: 'attach'; socket: Pid }, 'attached' | 'in_use'>
  casts: { type: 'deliver'; text: string }
  info: { type: string }
  stateTimeout: undefined
}
type State = SessionTypes['state']
type Event = StatemEvent<SessionTypes>

class Session extends GenStatem<SessionTypes> {
  private delivered = 0

  override init(socket: Pid) {
    return this.ok({ type: 'connected', socket })
  }

  override handleEnter(state: State) {
    if (state.type === 'grace') return this.keepState(this.stateTimeout(30_000))
    this.self.monitor(state.socket)
    return this.keepState()
  }

  override handleEvent(event: Event, state: State) {
    switch (state.type) {
      case 'connected':
        return this.connected(event, state.socket)
      case 'grace':
        return this.grace(event)
    }
  }

  private connected(event: Event, socket: Pid) {
    switch (event.type) {
      case 'call':
        return this.keepState(this.reply(event.request, 'in_use'))
      case 'cast':
        this.delivered++
        this.self.send(socket, event.request.text)
        return this.keepState()
      case 'info':
        return event.message.type === 'DOWN' ? this.nextState({ type: 'grace' }) : this.unhandled(event)
      case 'state_timeout':
        return this.unhandled(event)
    }
  }

  private grace(event: Event) {
    switch (event.type) {
      case 'call':
        return this.nextState(
          { type: 'connected', socket: event.request.socket },
          this.reply(event.request, 'attached'),
        )
      case 'cast':
        return this.keepState(this.postpone()) // it comes again when there is a socket
      case 'info':
        return this.unhandled(event)
      case 'state_timeout':
        return this.stop({ shutdown: 'abandoned' })
    }
  }

  override getData(): { delivered: number } {
    return { delivered: this.delivered }
  }
}

const cluster = new TestCluster()
const node = await cluster.start('a')
const received: string[] = []
const socket = (name: string): Pid =>
  node.spawn(handler(() => (text: string) => void received.push(`${name}: ${text}`)))

const first = socket('first')
const session = await cluster.run(start(node, Session, [first]))
cast(node, session, { type: 'deliver', text: 'one' })
await cluster.settle()

node.exit(first, 'kill') // the connection breaks
await cluster.advance(29_000)
cast(node, session, { type: 'deliver', text: 'two' })
const attached = await cluster.run(call(node, session, { type: 'attach', socket: socket('second') }))
await cluster.settle()
const { state, data } = await cluster.run(sys.getState(node, session)) // typed: connected, { delivered: 2 }

if (state.type === 'connected') node.exit(state.socket, 'kill')
await cluster.advance(30_000) // nobody comes back

console.log(received, attached, data, node.isProcessAlive(session))
await cluster.stop()
