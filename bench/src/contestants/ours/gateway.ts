/**
 * pidmesh in group `gateway`: this process is the near node, a child of it the far one. User code on the public API of the packages as they are published.
 */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { erpc, startNode } from '@pidmesh/runtime'
import { gatewayWorkloads, type NearServer, type Server } from '../gateway/workloads.ts'
import { serve } from '../serve.ts'
import { startGatewayNode } from './gateway-node.ts'
import { startOtherNode, type OtherNode } from './other-node.ts'
import { transport } from './transport.ts'

const cookie = randomUUID()
const nameOf = (role: string): string => `${role}-${process.pid}@127.0.0.1`

const node = await startNode({ name: nameOf('near'), cookie, transport, logLevel: 'silent' })
const { names, gateway } = await startGatewayNode(node)
const { version } = createRequire(import.meta.url)('../../../package.json') as { version: string }
let far: Promise<{ readonly other: OtherNode; readonly server: Server }> | undefined

const near: NearServer = {
  dialect: 'bare',
  port: gateway.port,
  registered: () => names.size,
  push: (name, message) => {
    const status = names.send(name, message)
    // Only what goes to the far node has to wait.
    if (status === 'busy') return far?.then(({ other }) => node.self.drained(other.name))
    if (status !== 'ok') throw new Error(`${name}: ${status}`)
    return undefined
  },
  broadcast: (message) => {
    gateway.broadcast('all', message)
  },
  messagesOut: () => gateway.stats.messagesOut,
  startFar: async () => {
    far ??= startFar()
    return (await far).server
  },
}

serve(version, gatewayWorkloads(near))

async function startFar(): Promise<{ readonly other: OtherNode; readonly server: Server }> {
  const program = 'gateway-far.js'
  const other = await startOtherNode({ program, name: nameOf('far'), cookie, seeds: [node.address], core: undefined })
  const port = await erpc.call<number>(node, other.name, 'gatewayPort', [])
  // What the near node has of them is what it can send to.
  return { other, server: { port, registered: () => names.size } }
}
