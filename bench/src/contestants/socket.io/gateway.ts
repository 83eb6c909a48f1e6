/**
 * Socket.IO in group `gateway`: this process is the near server, a child of it the far one, a redis-server is between them. Argument: a folder for the latter.
 */
import { createRequire } from 'node:module'
import { startRedis } from '@pidmesh/dev-services'
import { Child } from '../gateway/child.ts'
import { gatewayWorkloads, type NearServer, type Server } from '../gateway/workloads.ts'
import { serve } from '../serve.ts'
import { startServer } from './gateway-server.ts'

const [folder = ''] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const { version } = require('socket.io/package.json') as { version: string }

const { port: redisPort } = await startRedis({ folder })
const { io, port } = await startServer(redisPort)
let far: Promise<Server> | undefined

const near: NearServer = {
  dialect: 'socket.io',
  port,
  registered: () => io.sockets.sockets.size,
  push: (name, message) => {
    io.to(name).emit('said', message)
  },
  broadcast: (message) => {
    io.to('all').emit('said', message)
  },
  startFar: () => (far ??= startFar()),
}

serve(version, gatewayWorkloads(near))

async function startFar(): Promise<Server> {
  const child = new Child(new URL('gateway-far.js', import.meta.url), [`${redisPort}`])
  const farPort = await child.ask<number>('port')
  return { port: farPort, registered: () => child.ask<number>('registered') }
}
