/**
 * PURPOSE: a server that is started is asked at a port that is its own, and whoever is there else keeps nobody waiting.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePorts, isAnswering } from '../src/ports.ts'

/** Who takes connections, until the test ends. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined))
    onConnection(socket)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

describe('free ports', () => {
  it('differ, and are none that the system gives to who connects', async () => {
    const ports = await freePorts(200)
    expect(new Set(ports).size).toBe(200)
    expect(Math.max(...ports)).toBeLessThan(32_768)
  })
})

describe('whether a server answers', () => {
  it('is no if whoever has its port says nothing, as the bus of a Redis Cluster does', async () => {
    const port = await listen(() => undefined)
    expect(await isAnswering(port, { hello: 'PING\r\n', withinMs: 50 })).toBe(false)
  })

  it('is no if whoever has its port closes, or nobody has it', async () => {
    const [nobody = 0] = await freePorts(1)
    expect(await isAnswering(nobody)).toBe(false)
    expect(await isAnswering(await listen((socket) => socket.destroy()))).toBe(false)
  })

  it('is yes when it says something', async () => {
    expect(await isAnswering(await listen((socket) => socket.write('hello')))).toBe(true)
    const echo = await listen((socket) => socket.pipe(socket))
    expect(await isAnswering(echo, { hello: 'PING\r\n' })).toBe(true)
  })
})
