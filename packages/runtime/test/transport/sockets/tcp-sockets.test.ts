/**
 * What a connection over TCP leaves behind, and says, when another program is at its other end.
 */
import { once } from 'node:events'
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net'
import { startNode } from '@pidmesh/runtime'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { hostOf, portOf } from '../../../src/address.ts'
import type { Link, LinkEnd, LinkEvents, Transport } from '../../../src/ports.ts'
import { MemoryLogger } from '../../../src/testing/memory-logger.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'
import { TcpLink } from '../../../src/transport/sockets/tcp-link.ts'
import { tcpTransport } from '../../../src/transport/sockets/tcp.ts'

const GREETING = 'pidmesh tcp 1\n'

const transports: Transport[] = []
const servers: Server[] = []
const sockets: Socket[] = []

afterEach(async () => {
  for (const transport of transports.splice(0)) await transport.stop()
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

function made(transport: Transport): Transport {
  transports.push(transport)
  return transport
}

/** A program that listens, and what it does with each connection. */
async function program(onSocket: (socket: Socket) => void): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.resume()
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function dialEnd(address: string, frames: Uint8Array[] = []): { readonly ends: LinkEnd[] } {
  const ends: LinkEnd[] = []
  made(tcpTransport()).dial(address, {
    onFrame: (frame) => void frames.push(frame),
    onEnd: (end) => void ends.push(end),
  })
  return { ends }
}

/** A listener of ours, and a program that has connected with it. */
async function listening(events: Partial<LinkEvents> = {}) {
  const links: string[] = []
  const strangers: string[] = []
  const address = await made(tcpTransport()).listen(
    '127.0.0.1:0',
    (link) => {
      links.push(link.remoteAddress)
      return { onFrame: () => undefined, onEnd: () => undefined, ...events }
    },
    (from) => strangers.push(from),
  )
  const socket = connect(portOf(address), hostOf(address))
  socket.on('error', () => undefined)
  sockets.push(socket)
  await once(socket, 'connect')
  return { address, links, strangers, socket }
}

it('what the system has taken is not buffered any more, before anything else runs', async () => {
  const links: Link[] = []
  const deaf: LinkEvents = { onFrame: () => undefined, onEnd: () => undefined }
  const address = await made(tcpTransport()).listen('127.0.0.1:0', (link) => {
    links.push(link)
    return deaf
  })
  made(tcpTransport()).dial(address, deaf).send(Uint8Array.of(1))
  await expect.poll(() => links.length).toBe(1)
  for (let n = 0; n < 10; n++) {
    links[0]?.send(new Uint8Array(100))
    expect(links[0]?.bufferedBytes).toBe(0)
  }
})

it('a link whose socket is closed is none of those of its transport', async () => {
  const links = new Set<TcpLink>()
  const socket = new Socket()
  const link = new TcpLink({ socket, remoteAddress: '127.0.0.1:1', links })
  expect(links).toEqual(new Set([link]))
  socket.destroy()
  await link.ended
  expect(links).toEqual(new Set())
})

it('what is short goes out at once, on either side: the system does not keep it until the other has confirmed what came before', async () => {
  const prompt = new Set<Socket>()
  vi.spyOn(Socket.prototype, 'setNoDelay').mockImplementation(function (this: Socket, isPrompt = true) {
    if (isPrompt) prompt.add(this)
    return this
  })
  onTestFinished(() => void vi.restoreAllMocks())
  let isOpened = false
  const deaf: LinkEvents = { onFrame: () => undefined, onEnd: () => undefined }
  const address = await made(tcpTransport()).listen('127.0.0.1:0', () => {
    isOpened = true
    return deaf
  })
  made(tcpTransport()).dial(address, deaf)
  await expect.poll(() => isOpened).toBe(true)
  expect(prompt.size).toBe(2)
})

describe('who dials', () => {
  it('another program is told what that program says', async () => {
    const address = await program((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const { ends } = dialEnd(address)
    await expect.poll(() => ends).toMatchObject([{ type: 'failed', detail: expect.stringContaining('HTTP/1.1 400') }])
  })

  it('a node that speaks gRPC is told so, and so is that node, and who speaks gRPC with one that does not', async () => {
    const strangers: string[] = []
    const events: LinkEvents = { onFrame: () => undefined, onEnd: () => undefined }
    const grpc = await made(grpcTransport()).listen(
      '127.0.0.1:0',
      () => events,
      (from) => strangers.push(from),
    )
    const { ends } = dialEnd(grpc)
    await expect.poll(() => ends).toMatchObject([{ type: 'failed' }])
    await expect.poll(() => strangers.length).toBe(1)
    const { address, strangers: ofTcp } = await listening()
    const endsOfGrpc: LinkEnd[] = []
    made(grpcTransport()).dial(address, { onFrame: () => undefined, onEnd: (end) => void endsOfGrpc.push(end) })
    await expect.poll(() => endsOfGrpc).toMatchObject([{ type: 'failed' }])
    // Of each connection once: where gRPC finds out late that nobody speaks it there it has made one more by itself.
    expect(ofTcp.length).toBeGreaterThan(0)
    expect(new Set(ofTcp).size).toBe(ofTcp.length)
  })

  it('one that ends before it has greeted has a link that has failed, once', async () => {
    const address = await program((socket) => socket.end(GREETING.slice(0, 5)))
    const { ends } = dialEnd(address)
    await expect.poll(() => ends).toEqual([{ type: 'failed', detail: 'closed before it has said what it speaks' }])
  })

  it('one that speaks otherwise says in its log what to look at, and so does that one', async () => {
    const [near, far] = [new MemoryLogger(), new MemoryLogger()]
    const cookie = 'secret cookie'
    const b = await startNode({ name: 'b@127.0.0.1', cookie, logger: far })
    const a = await startNode({ name: 'a@127.0.0.1', cookie, transport: 'tcp', logger: near, seeds: [b.address] })
    const hints = (log: MemoryLogger): readonly string[] =>
      log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    const hint = expect.stringContaining('are the transport and TLS the same on both sides?')
    await expect.poll(() => hints(near)).toContainEqual(hint)
    await expect.poll(() => hints(far)).toContainEqual(hint)
    await Promise.all([a.stop(), b.stop()])
  })

  it('one that was there, and cuts the connection off, has a link that has failed', async () => {
    const { ends } = dialEnd(await program((socket) => void socket.once('data', () => socket.resetAndDestroy())))
    await expect.poll(() => ends).toMatchObject([{ type: 'failed' }])
  })

  it('and gives it up before there is a connection says nothing to who is there', async () => {
    const speakers = new Set<Socket>()
    const address = await program((socket) => void socket.once('data', () => speakers.add(socket)))
    const transport = made(tcpTransport())
    const deaf: LinkEvents = { onFrame: () => undefined, onEnd: () => undefined }
    for (let n = 0; n < 5; n++) transport.dial(address, deaf).close()
    transport.dial(address, deaf)
    await expect.poll(() => speakers.size).toBeGreaterThan(0)
    expect(speakers.size).toBe(1)
  })

  it('when the transport has stopped reaches nobody, though there is a node', async () => {
    const heard: Buffer[] = []
    const address = await program((socket) => void socket.on('data', (said) => void heard.push(said)))
    const transport = made(tcpTransport())
    await transport.stop()
    const ends: LinkEnd[] = []
    transport.dial(address, { onFrame: () => undefined, onEnd: (end) => void ends.push(end) })
    await expect.poll(() => ends).toMatchObject([{ type: 'unreachable' }])
    expect(heard).toEqual([])
  })

  it('one that says nothing, and never closes its half, keeps no socket once the link is closed', async () => {
    const address = await program(() => undefined)
    const transport = made(tcpTransport())
    const link = transport.dial(address, { onFrame: () => undefined, onEnd: () => undefined })
    await expect.poll(() => sockets.length).toBe(1)
    link.close()
    await expect.poll(() => sockets.every((socket) => socket.readableEnded || socket.destroyed)).toBe(true)
    await transport.stop()
  })

  it('gets frames whose bytes come with the greeting, or one by one', async () => {
    const stream = Buffer.from(`${GREETING}\0\0\0\x02ab\0\0\0\x01c`, 'latin1')
    const whole: Uint8Array[] = []
    dialEnd(await program((socket) => socket.write(stream)), whole)
    const single: Uint8Array[] = []
    const trickle = async (socket: Socket): Promise<void> => {
      socket.setNoDelay(true)
      for (const byte of stream) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve))
    }
    dialEnd(await program((socket) => void trickle(socket)), single)
    const texts = (frames: readonly Uint8Array[]): string[] => frames.map((frame) => Buffer.from(frame).toString())
    await expect.poll(() => texts(whole)).toEqual(['ab', 'c'])
    await expect.poll(() => texts(single)).toEqual(['ab', 'c'])
  })
})

describe('who listens', () => {
  it('says nothing to a program that greets otherwise, and tells of it', async () => {
    const { links, strangers, socket } = await listening()
    let heard = 0
    socket.on('data', ({ length }: Buffer) => (heard += length))
    socket.write('GET / HTTP/1.1\r\n\r\n')
    // Sooner than one who opens nothing.
    await expect.poll(() => socket.closed, { timeout: 2_000 }).toBe(true)
    expect(heard).toBe(0)
    expect(links).toEqual([])
    await expect.poll(() => strangers.length).toBe(1)
  })

  it('tells of programs from one host that come to nothing for one reason once, and of those from another', async () => {
    const log = new MemoryLogger()
    const node = await startNode({ name: 'a@127.0.0.1', cookie: 'secret cookie', transport: 'tcp', logger: log })
    const come = async (localAddress: string): Promise<void> => {
      const socket = connect({ port: portOf(node.address), host: hostOf(node.address), localAddress })
      socket.on('error', () => undefined)
      socket.write('GET / HTTP/1.1\r\n\r\n')
      socket.resume()
      await once(socket, 'close')
    }
    for (let n = 0; n < 5; n++) await come('127.0.0.1')
    await come('127.0.0.2')
    const hosts = (): readonly string[] =>
      log.lines
        .filter(({ level }) => level === 'warn')
        .map(({ fields }) => String(fields['from']))
        .map((from) => hostOf(from))
    await expect.poll(hosts).toContain('127.0.0.2')
    expect(hosts()).toEqual(['127.0.0.1', '127.0.0.2'])
    await node.stop()
  })

  it('gets frames whose bytes come with the greeting', async () => {
    const frames: string[] = []
    const { socket } = await listening({ onFrame: (frame) => void frames.push(Buffer.from(frame).toString()) })
    socket.write(`${GREETING}\0\0\0\x02ab\0\0\0\x01c`)
    await expect.poll(() => frames).toEqual(['ab', 'c'])
  })

  it('ends a link on which a frame is announced that may not be so long', async () => {
    const ends: LinkEnd[] = []
    const { links, socket } = await listening({ onEnd: (end) => void ends.push(end) })
    socket.resume()
    socket.write(Buffer.concat([Buffer.from(GREETING), Buffer.of(0x7f, 0, 0, 0)]))
    await once(socket, 'close')
    expect(links).toHaveLength(1)
    expect(ends).toEqual([{ type: 'failed', detail: `a frame of ${0x7f00_0000} bytes, where 1048576 are allowed` }])
  })

  it('has a link that is over as soon as its other side has ended its half, though that one takes nothing of what waits for it', async () => {
    const ends: LinkEnd[] = []
    const opened: Link[] = []
    const address = await made(tcpTransport()).listen('127.0.0.1:0', (link) => {
      opened.push(link)
      return { onFrame: () => undefined, onEnd: (end) => void ends.push(end) }
    })
    const socket = connect({ port: portOf(address), host: hostOf(address), allowHalfOpen: true })
    socket.on('error', () => undefined)
    sockets.push(socket)
    socket.write(GREETING)
    await expect.poll(() => opened.length).toBe(1)
    // More than the system takes.
    opened[0]?.send(new Uint8Array(32 * 1024 * 1024))
    socket.end()
    await expect.poll(() => ends).toEqual([{ type: 'closed' }])
    expect(opened[0]?.bufferedBytes).toBeGreaterThan(0)
  })

  it('keeps no more of a frame than its reader allows, and cuts off who announces more', async () => {
    const node = await startNode({ name: 'a@127.0.0.1', cookie: 'secret cookie', transport: 'tcp', logLevel: 'silent' })
    const socket = connect(portOf(node.address), hostOf(node.address))
    socket.on('error', () => undefined)
    socket.resume()
    sockets.push(socket)
    // A mebibyte, which nodes that know each other may send.
    socket.write(Buffer.concat([Buffer.from(GREETING), Buffer.of(0, 0x10, 0, 0)]))
    // Sooner than one who doesn't come to an end with his handshake.
    await expect.poll(() => socket.closed, { timeout: 2_000 }).toBe(true)
    await node.stop()
  })

  it('ends a link once whose other side is cut off in the midst of a frame, and gives nothing of that frame', async () => {
    const ends: LinkEnd[] = []
    const frames: Uint8Array[] = []
    const { links, socket } = await listening({
      onFrame: (frame) => void frames.push(frame),
      onEnd: (end) => void ends.push(end),
    })
    socket.write(`${GREETING}\0\0\0\x02a`)
    await expect.poll(() => links.length).toBe(1)
    socket.resetAndDestroy()
    await expect.poll(() => ends.length).toBe(1)
    expect(frames).toEqual([])
  })

  it('of a node that has greeted, and has given it up since, says nothing: we were stalled, perhaps', async () => {
    const log = new MemoryLogger()
    const node = await startNode({ name: 'a@127.0.0.1', cookie: 'secret cookie', transport: 'tcp', logger: log })
    const socket = connect(portOf(node.address), hostOf(node.address))
    socket.write(GREETING)
    await once(socket, 'data')
    socket.resetAndDestroy()
    const said = () => log.lines.filter(({ message }) => message === 'connection not made')
    await expect
      .poll(said)
      .toMatchObject([{ level: 'debug', fields: { type: 'unreachable', detail: 'read ECONNRESET' } }])
    expect(node.counters().handshakesMalformed).toBe(0)
    await node.stop()
  })

  it('makes no link of one who greets while it is stopped, and a dial that comes too late ends', async () => {
    const { address, links, socket } = await listening()
    const transport = transports.pop() as Transport
    const stopping = transport.stop()
    const ends: LinkEnd[] = []
    transport.dial(address, { onFrame: () => undefined, onEnd: (end) => void ends.push(end) })
    socket.write(GREETING)
    await stopping
    await expect.poll(() => ends).toMatchObject([{ type: 'unreachable' }])
    expect(links).toEqual([])
  })

  it('does not wait for one who never closes its half', async () => {
    const { links, socket } = await listening()
    socket.write(GREETING)
    await expect.poll(() => links.length).toBe(1)
    socket.pause()
    await transports.pop()?.stop()
  })
})
