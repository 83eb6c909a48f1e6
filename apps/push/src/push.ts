import { GlobalEts } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import { z } from 'zod'

const clientMessage = z.object({ to: z.string(), text: z.string() })
type ClientMessage = z.infer<typeof clientMessage>
type ServerMessage = { type: 'said'; from: string; text: string } | { type: 'notice'; text: string }

class Chat extends SocketSession<ClientMessage, ServerMessage, { user: string }> {
  override handleConnect() {
    return this.registerAs(`user:${this.principal.user}`) // known on every node from now on
  }
  override handleMessage({ to, text }: ClientMessage) {
    this.sendTo(`user:${to}`, { type: 'said', from: this.principal.user, text })
  }
} // a message sent to the process goes to its socket unless handleInfo says otherwise

const { NAME = 'chat1', MESH_PORT = '7001', PORT = '8081', SEEDS = '127.0.0.1:7002', COOKIE = '' } = process.env
const node = await startNode({
  name: `${NAME}@127.0.0.1`,
  port: Number(MESH_PORT),
  cookie: COOKIE,
  seeds: SEEDS.split(','),
})
const names = await GlobalEts.start(node, { policy: 'newest' }) // a session that moves takes its name with it
const gateway = await Gateway.start(node, {
  port: Number(PORT),
  names,
  session: Chat,
  messages: clientMessage,
  authenticate: ({ url }) => ({ user: /^.{1,32}/su.exec(url.searchParams.get('user') ?? '')?.[0] ?? 'guest' }), // yours: check a token here
})

// From any node, to whichever node holds her.
setInterval(() => names.send('user:alice', { type: 'notice', text: `hello from ${node.name}` }), 1_000)

process.once('SIGTERM', () => void stop())

async function stop() {
  await gateway.stop() // clients are told to connect elsewhere
  await node.stop() // the other nodes see it leave, and forget its names
  process.exit()
}
