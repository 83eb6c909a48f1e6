// A node of the chaos test: a gateway whose sessions have the names of their users; or, without a port for it, the node that pushes to them.
//
//   { type: 'start', name, meshPort, seeds, port }  ▶  { type: 'ready' }
//   { type: 'push', users, text }                    ▶  { type: 'pushed', accepted }: the users whose push was taken
//   { type: 'drain' }                                ▶  the process ends with 0
import { GlobalEts } from '@pidmesh/global-ets'
import { startNode } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'

/** @type {import('@pidmesh/runtime').Node} */
let node
/** @type {GlobalEts} */
let names
/** @type {Gateway<never, number, string>} */
let gateway

/** @extends {SocketSession<never, number, string>} */
class Session extends SocketSession {
  /** @override */
  handleConnect() {
    return this.registerAs(this.principal, { policy: 'replace' })
  }
}

process.on('disconnect', () => process.exit(1))
/** @typedef {{ type: 'start', name: string, meshPort: number, seeds: string[], port?: number } | { type: 'push', users: string[], text: number } | { type: 'drain' }} Order */

const answer = (/** @type {object} */ message) => void process.send?.(message)

process.on('message', (/** @type {Order} */ order) => void obey(order))

async function obey(/** @type {Order} */ order) {
  switch (order.type) {
    case 'start': {
      node = await startNode({
        name: `${order.name}@127.0.0.1`,
        port: order.meshPort,
        seeds: order.seeds,
        cookie: 'a cookie of chaos',
        logLevel: 'error',
      })
      names = await GlobalEts.start(node, { policy: 'newest' })
      if (order.port !== undefined)
        gateway = await Gateway.start(node, {
          port: order.port,
          names,
          session: Session,
          authenticate: ({ token }) => token,
          maxConnectionsPerAddress: 10_000,
          maxAuthenticating: 10_000,
        })
      answer({ type: 'ready' })
      return
    }
    case 'push': {
      const accepted = order.users.filter((user) => names.send(user, order.text) !== 'noproc')
      answer({ type: 'pushed', accepted })
      return
    }
    case 'drain':
      await gateway.drain({ overMs: 1_000, handOverMs: 15_000 })
      await node.stop()
      process.exit(0)
  }
}
