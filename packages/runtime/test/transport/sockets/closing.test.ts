/**
 * PURPOSE: what was written before a link was closed arrives, also at one who is at something else just then.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import type { Transport } from '../../../src/ports.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'
import { tcpTransport } from '../../../src/transport/sockets/tcp.ts'

/** A node may stand still for 2.5 s without being taken for dead. */
const STALL_MS = 1_500

/** Passes on what comes, but for as long as it is told to wait. */
async function proxyTo(target: string): Promise<{ readonly address: string; readonly dialed: Socket[] }> {
  const dialed: Socket[] = []
  const all: Socket[] = []
  const server = createServer((socket) => {
    const onward = connect(Number(target.slice(target.lastIndexOf(':') + 1)), '127.0.0.1')
    dialed.push(socket)
    all.push(socket, onward)
    for (const one of [socket, onward]) one.on('error', () => undefined)
    socket.pipe(onward).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of all) socket.destroy()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, dialed }
}

it.each<[string, () => Transport]>([
  ['gRPC', grpcTransport],
  ['TCP', tcpTransport],
])(
  'over %s what was written before a close arrives at one who reads nothing for a second and a half',
  async (_name, make) => {
    const [near, far] = [make(), make()]
    onTestFinished(async () => void (await Promise.all([near.stop(), far.stop()])))
    const got: number[] = []
    const address = await far.listen('127.0.0.1:0', () => ({
      onFrame: (frame) => void got.push(frame.length),
      onEnd: () => undefined,
    }))
    const proxy = await proxyTo(address)
    const link = near.dial(proxy.address, { onFrame: () => undefined, onEnd: () => undefined })
    link.send(Uint8Array.of(1))
    await expect.poll(() => got).toEqual([1])
    for (const socket of proxy.dialed) socket.pause()
    const sizes = [...Array.from({ length: 12 }, () => 900 * 1024), 2]
    for (const size of sizes) link.send(new Uint8Array(size))
    link.close()
    await sleep(STALL_MS)
    for (const socket of proxy.dialed) socket.resume()
    await expect.poll(() => got, { timeout: 5_000 }).toEqual([1, ...sizes])
  },
)
