import { once } from 'node:events'
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import { WebSocket } from 'ws'

type ClientMessage = { type: 'say'; text: string } | { type: 'tell'; to: string; text: string }
type ServerMessage = { type: 'said' | 'told'; from: string; text: string }

class Chat extends SocketSession<ClientMessage, ServerMessage, { user: string }> {
  override async handleConnect() {
    await this.registerAs(`user:${this.principal.user}`) // known on every node from now on
    await this.rooms.join('lobby')
  }
  override handleMessage(message: ClientMessage) {
    const { user: from } = this.principal
    if (message.type === 'say') this.rooms.broadcast('lobby', { type: 'said', from, text: message.text })
    else this.sendTo(`user:${message.to}`, { type: 'told', from, text: message.text })
  }
} // a message sent to the process goes to its client, unless handleInfo says otherwise

async function startChatNode(name: string, seeds: readonly string[]) {
  const node = await startNode({ name, cookie: 'a-secret', seeds, logLevel: 'error' })
  const [names, groups] = [await GlobalEts.start(node, { policy: 'newest' }), await ProcessGroups.start(node)]
  const authenticate = ({ token }: { token: string | undefined }) => (token === undefined ? undefined : { user: token })
  const principalId = ({ user }: { user: string }) => user // what others see in rooms, and who may go on with a session
  const gateway = await Gateway.start(node, { port: 0, names, groups, session: Chat, authenticate, principalId })
  return { node, names, groups, gateway }
}

const a = await startChatNode('a@127.0.0.1', [])
const b = await startChatNode('b@127.0.0.1', [a.node.address])

async function connect(port: number, user: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { authorization: `Bearer ${user}` } })
  await once(socket, 'open')
  return socket
}
async function next(socket: WebSocket): Promise<ServerMessage> {
  const [data] = (await once(socket, 'message')) as [Buffer]
  return JSON.parse(data.toString()) as ServerMessage
}

const [alice, bob] = [await connect(a.gateway.port, 'alice'), await connect(b.gateway.port, 'bob')]
while (a.groups.members('room:lobby').length < 2) await new Promise((resolve) => setTimeout(resolve, 10))

const heard = next(bob)
alice.send(JSON.stringify({ type: 'say', text: 'hello' }))
console.log('bob:', await heard)

const told = next(bob)
console.log(a.names.send('user:bob', { type: 'told', from: 'the server', text: 'from any node' }))
console.log('bob:', await told)

for (const { gateway, node } of [a, b]) {
  await gateway.stop()
  await node.stop()
}
