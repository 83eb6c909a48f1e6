/**
 * Plain `ws` in group `gateway`: one server, and a map of names, as one writes it who needs no more.
 */
import { createRequire } from 'node:module'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import { gatewayWorkloads } from '../gateway/workloads.ts'
import { serve } from '../serve.ts'

const { version } = createRequire(import.meta.url)('ws/package.json') as { version: string }
const sockets = new Map<string, WebSocket>()
const rooms = new Map<string, Set<WebSocket>>()
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/ws', clientTracking: false })
server.on('connection', (socket, request) => {
  const { searchParams } = new URL(request.url ?? '', 'http://gateway')
  const name = `user:${searchParams.get('user')}`
  const room = searchParams.get('room')
  sockets.set(name, socket)
  if (room !== null) join(room, socket)
  socket.on('error', () => undefined) // `close` follows.
  socket.on('close', () => sockets.delete(name))
  socket.send(JSON.stringify({ type: 'welcome' }))
})
await once(server, 'listening')

serve(
  version,
  gatewayWorkloads({
    dialect: 'bare',
    port: (server.address() as AddressInfo).port,
    registered: () => sockets.size,
    push: (name, message) => sockets.get(name)?.send(JSON.stringify(message)),
    broadcast: (message) => {
      // Encoded once.
      const text = Buffer.from(JSON.stringify(message))
      for (const socket of rooms.get('all') ?? []) socket.send(text, { binary: false })
    },
  }),
)

function join(name: string, socket: WebSocket): void {
  const room = rooms.get(name) ?? new Set()
  rooms.set(name, room.add(socket))
  socket.on('close', () => room.delete(socket))
}
