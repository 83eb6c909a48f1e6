/**
 * A server of the contestant `socket.io` in group `gateway`: it has websocket only for a transport, and the Redis adapter. A name is a room with one in it.
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createAdapter } from '@socket.io/redis-adapter'
import { createClient } from 'redis'
import { Server } from 'socket.io'

export interface SocketIoServer {
  readonly io: Server
  readonly port: number
}

export async function startServer(redisPort: number): Promise<SocketIoServer> {
  // Without the client's timeout of 5 s a command: it makes a timer for each, which doubles the sender's CPU, and what queues for longer ends the process.
  const pub = createClient({ url: `redis://127.0.0.1:${redisPort}`, commandOptions: { timeout: 0 } })
  const sub = pub.duplicate()
  // Redis ends with the contestant, before or after this.
  for (const client of [pub, sub]) client.on('error', () => undefined)
  await Promise.all([pub.connect(), sub.connect()])
  const http = createServer()
  const io = new Server(http, { transports: ['websocket'], serveClient: false, adapter: createAdapter(pub, sub) })
  io.on('connection', async (socket) => {
    const { user, room } = socket.handshake.query
    await socket.join(`user:${String(user)}`)
    if (room !== undefined) await socket.join(String(room))
    socket.emit('welcome')
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return { io, port: (http.address() as AddressInfo).port }
}
