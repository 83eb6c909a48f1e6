/**
 * PURPOSE: who never ends his half of a connection is waited for, and not for long; a stranger for less time than a node, since there may be ever so many.
 */
import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { hostOf, portOf } from '../../../src/address.ts'
import type { Link, Transport } from '../../../src/ports.ts'
import { CLOSE_GRACE_MS } from '../../../src/transport/sockets/grace.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'
import { tcpTransport } from '../../../src/transport/sockets/tcp.ts'

const STRANGERS = 20

/** A frame of HTTP/2: its length, what it is, its flags, and its stream. */
function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.set([type, flags], 3)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** What a client of gRPC says first: its settings, and the headers of its stream, each as a literal. */
function grpcGreeting(): Buffer {
  const headers = {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': '/pidmesh.Distribution/Connect',
    ':authority': 'a',
    'content-type': 'application/grpc',
    te: 'trailers',
  }
  const literals = Object.entries(headers).map(([name, value]) =>
    Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]),
  )
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    http2Frame(4, 0, 0, Buffer.alloc(0)),
    http2Frame(1, 4, 1, Buffer.concat(literals)),
  ])
}

/** Both sides' sockets in this process. */
const openSockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length

it.each<[string, () => Transport, Buffer]>([
  ['gRPC', grpcTransport, grpcGreeting()],
  ['TCP', tcpTransport, Buffer.from('pidmesh tcp 1\n')],
])(
  'over %s strangers whose links are closed keep their sockets for less time than a node does, and that one for one grace',
  async (_name, make, greeting) => {
    const transport = make()
    const clients: Socket[] = []
    onTestFinished(async () => {
      for (const client of clients) client.destroy()
      await transport.stop()
    })
    const links: Link[] = []
    const address = await transport.listen('127.0.0.1:0', (link) => {
      // The first one is a node.
      const more = links.length === 0 ? {} : { frameLimit: 10 }
      links.push(link)
      return { onFrame: () => undefined, onEnd: () => undefined, ...more }
    })
    await expect.poll(openSockets).toBe(0)
    for (let made = 1; made <= 1 + STRANGERS; made++) {
      const client = connect({ port: portOf(address), host: hostOf(address), allowHalfOpen: true })
      client.on('error', () => undefined)
      client.resume()
      clients.push(client)
      client.write(greeting)
      await expect.poll(() => links.length, { interval: 5 }).toBe(made)
    }
    expect(openSockets()).toBe(2 * (1 + STRANGERS))
    const closedMs = performance.now()
    for (const link of links) link.close()
    await expect.poll(openSockets, { interval: 5, timeout: 15_000 }).toBe(1 + STRANGERS + 1)
    await expect.poll(openSockets, { interval: 5, timeout: 15_000 }).toBe(1 + STRANGERS)
    const tookMs = performance.now() - closedMs
    expect(tookMs).toBeGreaterThan(CLOSE_GRACE_MS - 100)
    expect(tookMs).toBeLessThan(2 * CLOSE_GRACE_MS - 1_000)
  },
)
