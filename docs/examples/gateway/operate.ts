import { once } from 'node:events'
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import { createServer } from 'node:http'
import { Metrics } from '@pidmesh/metrics'

const node = await startNode({ name: 'operated@127.0.0.1', cookie: 'a-secret', logLevel: 'error' })
const [names, groups] = [await GlobalEts.start(node), await ProcessGroups.start(node)]
class Nothing extends SocketSession<never, never, string> {}
const gateway = await Gateway.start(node, {
  port: 0,
  names,
  session: Nothing,
  authenticate: () => 'anybody',
  metrics: (itself) => new Metrics({ node, names, groups, gateway: itself }),
})

const port = 0
// #region server
const metrics = new Metrics({ node, names, groups, gateway })
const server = createServer((_request, response) => {
  metrics.text().then(
    (text) => response.setHeader('Content-Type', metrics.contentType).end(text),
    (error: unknown) => response.writeHead(500).end(String(error)), // a source has failed, or a metric of yours in the same registry
  )
}).listen(port, '127.0.0.1')
// #endregion
await once(server, 'listening')

// #region drain
async function goDown() {
  await gateway.drain() // not ready; sockets close over 30 s with 1012 and a hint when to come back; sessions go to other nodes
  await node.stop()
}
process.once('SIGTERM', () => void goDown())
// #endregion

await goDown()
server.close()
