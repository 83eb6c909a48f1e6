import { connect, type Client } from '@pidmesh/client'
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import { WebSocket } from 'ws'

type Say = { type: 'say'; text: string }
type Said = { type: 'said'; text: string; count: number; node: string }

class Chat extends SocketSession<Say, Said, { user: string }> {
  count = 0 // goes along when the session moves: that is what is tested
  override handleMessage({ text }: Say) {
    this.push({ type: 'said', text, count: ++this.count, node: this.node })
  }
}

/** Real nodes, on loopback, with ports that the system chooses: tests side by side do not disturb each other. */
async function startNodeUnderTest(name: string, seeds: readonly string[]) {
  const node = await startNode({ name, cookie: 'only-for-tests', seeds, logLevel: 'silent' })
  const [names, groups] = [await GlobalEts.start(node, { policy: 'newest' }), await ProcessGroups.start(node)]
  await Promise.all([names.filled(5_000), groups.filled(5_000)])
  const authenticate = ({ token }: { token: string | undefined }) => (token === undefined ? undefined : { user: token })
  const gateway = await Gateway.start(node, { port: 0, names, groups, session: Chat, authenticate })
  const stop = async () => {
    await gateway.stop()
    await node.stop()
  }
  return { node, gateway, url: `ws://127.0.0.1:${gateway.port}/ws`, stop }
}

/** The next message: listen before you ask, and wait for what comes, never for a time. */
function next(client: Client<Say, Said>): Promise<Said> {
  return new Promise((resolve) => {
    const end = client.on('message', (message) => {
      end()
      resolve(message)
    })
  })
}
function say(client: Client<Say, Said>, text: string): Promise<Said> {
  const answer = next(client)
  client.send({ type: 'say', text })
  return answer
}

const a = await startNodeUnderTest('a@127.0.0.1', [])
const b = await startNodeUnderTest('b@127.0.0.1', [a.node.address])
const alice = connect<Say, Said>({ urls: [a.url, b.url], token: 'alice', WebSocket, random: () => 0 }) // begins at the first
alice.on('gap', ({ why }) => console.log('a gap:', why))

console.log(await say(alice, 'one'))
await a.gateway.drain({ overMs: 0 })
console.log(await say(alice, 'two'))

alice.close()
await Promise.all([a.stop(), b.stop()])
