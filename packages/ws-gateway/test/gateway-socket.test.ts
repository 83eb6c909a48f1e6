/**
 * What a gateway's WebSocket tells, and whom.
 */
import type { WebSocket } from 'ws'
import { expect, it } from 'vitest'
import { GatewaySocket, type SocketListener } from '../src/gateway-socket.ts'

/** As `WebSocketServer` makes it, before it has a stream: its types only know the way a client does. */
function made(): GatewaySocket {
  return Reflect.construct(GatewaySocket, [null, undefined, { autoPong: true }]) as GatewaySocket
}

function listenerThatKeeps(told: string[]): SocketListener {
  return {
    onMessage: (data) => told.push(`message ${data.toString()}`),
    onPing: () => told.push('ping'),
    onPong: () => told.push('pong'),
    onClosing: () => told.push('closing'),
    onError: (error) => told.push(`error ${error.message}`),
    onClosed: (code, reason) => told.push(`closed ${code} ${reason}`),
  }
}

it('has no table of listeners, as hundreds of thousands of sockets do that nobody listens to', () => {
  const socket = made() as unknown as { readonly _events: unknown }
  expect(socket._events).toBe(undefined)
})

it('tells its connection, and of what that is not told whoever listens', () => {
  const told: string[] = []
  const socket = made()
  expect(socket.emit('unexpected-response')).toBe(false)
  socket.tell(listenerThatKeeps(told))
  expect(socket.emit('message', Buffer.from('hi'), false)).toBe(true)
  expect(socket.emit('close', 1000, Buffer.from('bye'))).toBe(true)
  expect(socket.emit('open')).toBe(false)
  const onOpen = (): unknown => told.push('open')
  socket.on('open', onOpen)
  expect(socket.emit('open')).toBe(true)
  socket.off('open', onOpen)
  expect(socket.emit('open')).toBe(false)
  expect(socket.eventNames()).toEqual([])
  expect(told).toEqual(['message hi', 'closed 1000 bye', 'open'])
})

it('tells as any emitter does as long as it has no connection', () => {
  const told: unknown[] = []
  const socket: WebSocket = made()
  socket.once('message', (data) => told.push(data))
  socket.emit('message', 'early', false)
  socket.emit('message', 'again', false)
  expect(told).toEqual(['early'])
  expect(() => socket.emit('error', new Error('nobody listens'))).toThrow('nobody listens')
})
