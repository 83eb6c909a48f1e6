/**
 * What a dial leaves behind, whoever is at the other end.
 */
import { promises as dns } from 'node:dns'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it, vi } from 'vitest'
import { portOf } from '../../../src/address.ts'
import type { LinkEnd } from '../../../src/ports.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'

it('a link that is closed before the other side has said anything leaves no socket, though that one never closes its own', async () => {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.resume()
    sockets.push(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const transport = grpcTransport()
  const link = transport.dial(`127.0.0.1:${(server.address() as AddressInfo).port}`, {
    onFrame: () => undefined,
    onEnd: () => undefined,
  })
  // The knock, and the connection.
  await expect.poll(() => sockets.length).toBe(2)
  link.close()
  await expect.poll(() => sockets.every((socket) => socket.readableEnded || socket.destroyed)).toBe(true)
  await transport.stop()
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

it('a dial that finds another program says so, in a few words', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.resume()
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const transport = grpcTransport()
  const ends: LinkEnd[] = []
  transport.dial(`127.0.0.1:${(server.address() as AddressInfo).port}`, {
    onFrame: () => undefined,
    onEnd: (end) => void ends.push(end),
  })
  await expect.poll(() => ends, { timeout: 10_000 }).toMatchObject([{ type: 'failed' }])
  expect(JSON.stringify(ends)).not.toMatch(/Resolution note|Last error/)
  await transport.stop()
  await new Promise((resolve) => server.close(resolve))
})

it('a dial by name asks no name server for settings of gRPC: the end of the process would wait for the answer', async () => {
  const asked = vi.spyOn(dns, 'resolveTxt').mockResolvedValue([])
  const transport = grpcTransport()
  let isOpened = false
  const noEvents = { onFrame: () => undefined, onEnd: () => undefined }
  const address = await transport.listen(
    '127.0.0.1:0',
    () => {
      isOpened = true
      return noEvents
    },
    () => undefined,
  )
  transport.dial(address.replace('127.0.0.1', 'localhost'), noEvents)
  await expect.poll(() => isOpened, { timeout: 10_000 }).toBe(true)
  expect(asked).not.toHaveBeenCalled()
  await transport.stop()
  asked.mockRestore()
})

it('of two connections from one port of a host, to two addresses of this one, the later is closed: gRPC could not tell them apart', async () => {
  const transport = grpcTransport()
  const port = portOf(await transport.listen('0.0.0.0:0', () => ({ onFrame: () => undefined, onEnd: () => undefined })))
  const dialed = async (host: string, localPort: number): Promise<Socket> => {
    const socket = connect({ port, host, localPort, localAddress: '127.0.0.1' })
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    // It has settings to tell to who is taken.
    await Promise.race([once(socket, 'data'), once(socket, 'close')])
    return socket
  }
  const first = await dialed('127.0.0.1', 0)
  const second = await dialed('127.0.0.2', first.localPort ?? 0)
  expect([first.destroyed, second.destroyed]).toEqual([false, true])
  for (const socket of [first, second]) socket.destroy()
  await transport.stop()
})
