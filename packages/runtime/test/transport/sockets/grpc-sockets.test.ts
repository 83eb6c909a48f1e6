/**
 * What a dial leaves behind, whoever is at the other end.
 */
import { promises as dns } from 'node:dns'
import { once } from 'node:events'
import net, { connect, createServer, type AddressInfo, type Socket, type TcpNetConnectOpts } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import { portOf } from '../../../src/address.ts'
import type { LinkEnd } from '../../../src/ports.ts'
import { CLOSE_GRACE_MS } from '../../../src/transport/sockets/grace.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'

/** A program that is no node, what has come to it so far, and a transport that dials it. */
async function program(onSocket: (socket: Socket) => void) {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.resume()
    sockets.push(socket)
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const transport = grpcTransport()
  onTestFinished(async () => {
    await transport.stop()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, transport }
}

it('a link that is closed before the other side has said anything leaves no socket, though that one never closes its own', async () => {
  const { address, sockets, transport } = await program(() => undefined)
  const link = transport.dial(address, { onFrame: () => undefined, onEnd: () => undefined })
  // The knock, and the connection.
  await expect.poll(() => sockets.length).toBe(2)
  link.close()
  await expect.poll(() => sockets.every((socket) => socket.readableEnded || socket.destroyed)).toBe(true)
})

it('a dial that finds another program says so, in a few words', async () => {
  const { address, transport } = await program((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const ends: LinkEnd[] = []
  transport.dial(address, { onFrame: () => undefined, onEnd: (end) => void ends.push(end) })
  await expect.poll(() => ends, { timeout: 10_000 }).toMatchObject([{ type: 'failed' }])
  expect(JSON.stringify(ends)).not.toMatch(/Resolution note|Last error/)
})

/** Dials a listener by this name of its host, and waits for the link. */
async function reached(host: string): Promise<void> {
  const transport = grpcTransport()
  onTestFinished(() => transport.stop())
  const deaf = { onFrame: () => undefined, onEnd: () => undefined }
  let isOpened = false
  const address = await transport.listen('127.0.0.1:0', () => {
    isOpened = true
    return deaf
  })
  transport.dial(`${host}:${portOf(address)}`, deaf)
  await expect.poll(() => isOpened, { timeout: 10_000 }).toBe(true)
}

it('a dial by name asks no name server for settings of gRPC: the end of the process would wait for the answer', async () => {
  const asked = vi.spyOn(dns, 'resolveTxt').mockResolvedValue([])
  onTestFinished(() => asked.mockRestore())
  await reached('localhost')
  expect(asked).not.toHaveBeenCalled()
})

it('a dial goes by no proxy, whatever the environment says', async () => {
  onTestFinished(() => void vi.unstubAllEnvs())
  for (const name of ['grpc_proxy', 'https_proxy', 'http_proxy']) vi.stubEnv(name, 'http://127.0.0.1:9')
  await expect(reached('127.0.0.1')).resolves.toBeUndefined()
})

/** A connection to a listener, which has settings to tell to who is taken, and closes others. */
async function comingFrom(localPort: number, to: { readonly host: string; readonly port: number }): Promise<Socket> {
  const socket = connect({ ...to, localPort, localAddress: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  await Promise.race([once(socket, 'data'), once(socket, 'close')])
  return socket
}

async function listening(address: string): Promise<number> {
  const transport = grpcTransport()
  onTestFinished(() => transport.stop())
  return portOf(await transport.listen(address, () => ({ onFrame: () => undefined, onEnd: () => undefined })))
}

it('of two connections from one port of a host, to two addresses of this one, the later is closed: gRPC could not tell them apart', async () => {
  const port = await listening('0.0.0.0:0')
  const first = await comingFrom(0, { host: '127.0.0.1', port })
  const second = await comingFrom(first.localPort ?? 0, { host: '127.0.0.2', port })
  expect([first.destroyed, second.destroyed]).toEqual([false, true])
})

it('a connection is taken from the port of one that was reset, also before we have been told of that', async () => {
  const to = { host: '127.0.0.1', port: await listening('127.0.0.1:0') }
  let socket = await comingFrom(0, to)
  for (let times = 0; times < 3; times++) {
    const { localPort } = socket
    socket.resetAndDestroy()
    socket = await comingFrom(localPort ?? 0, to)
    expect(socket.destroyed).toBe(false)
  }
})

it('a dial that has failed is over: gRPC does not go on dialing', async () => {
  const { address, sockets, transport } = await program((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const dials = 24
  // One after the other, for as long as gRPC would need for several more of the first.
  for (let n = 0; n < dials; n++)
    await new Promise<LinkEnd>((resolve) => transport.dial(address, { onFrame: () => undefined, onEnd: resolve }))
  // Each of a knock, and a connection; and one more of them may be under way when gRPC tells that the dial has failed.
  expect(sockets.length).toBeLessThanOrEqual(3 * dials)
})

it('a dial that is given up while it knocks is over: nothing is said to who is there', async () => {
  const speakers = new Set<Socket>()
  const { address, transport } = await program((socket) => void socket.once('data', () => speakers.add(socket)))
  const deaf = { onFrame: () => undefined, onEnd: () => undefined }
  for (let n = 0; n < 5; n++) transport.dial(address, deaf).close()
  transport.dial(address, deaf)
  await expect.poll(() => speakers.size).toBeGreaterThan(0)
  expect(speakers.size).toBe(1)
})

it('a connection that is made only when its link has long been closed is let go at once, though the other side never closes its own', async () => {
  const { address, sockets, transport } = await program(() => undefined)
  const { connect: connectNow } = net
  let tellGrpc: (() => void) | undefined
  // As gRPC calls it.
  Reflect.set(net, 'connect', (to: TcpNetConnectOpts, onConnected: () => void): Socket =>
    connectNow(to, () => {
      tellGrpc = onConnected
    }),
  )
  onTestFinished(() => void Reflect.set(net, 'connect', connectNow))
  const link = transport.dial(address, { onFrame: () => undefined, onEnd: () => undefined })
  await expect.poll(() => tellGrpc).toBeDefined()
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  link.close()
  vi.advanceTimersByTime(CLOSE_GRACE_MS)
  vi.useRealTimers()
  expect(sockets.at(-1)?.readableEnded).toBe(false)
  tellGrpc?.()
  await expect.poll(() => sockets.at(-1)?.readableEnded, { timeout: 2_000 }).toBe(true)
})
