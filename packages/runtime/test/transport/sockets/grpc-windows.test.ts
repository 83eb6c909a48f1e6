/**
 * How much may be on its way between two nodes, as HTTP/2 itself says it: a connection over a long distance is as slow as this is small. And what is not on its
 * way, but kept by gRPC.
 */
import { once } from 'node:events'
import {
  connect,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { startNode } from '@pidmesh/runtime'
import type { Link, LinkEnd, LinkEvents } from '../../../src/ports.ts'
import { CLOSE_GRACE_MS } from '../../../src/transport/sockets/grace.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'

const MEBIBYTE = 1024 * 1024
const deaf: LinkEvents = { onFrame: () => undefined, onEnd: () => undefined }
const transport = grpcTransport()

afterEach(async () => {
  await transport.stop()
})

/** A client that need not be a node. */
function dialed(address: string): ClientHttp2Session {
  const client = connect(`http://${address}`)
  client.on('error', () => undefined)
  return client
}

function opened(client: ClientHttp2Session): ClientHttp2Stream {
  const stream = client.request({
    ':method': 'POST',
    ':path': '/pidmesh.Distribution/Connect',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.on('error', () => undefined)
  stream.resume()
  return stream
}

/** A message as gRPC frames it. */
function message(length: number): Buffer {
  const framed = Buffer.alloc(5 + length)
  framed.writeUInt32BE(length, 1)
  return framed
}

it('a node that listens grants a mebibyte to the stream, and to the connection, to who may send frames as long', async () => {
  const address = await transport.listen('127.0.0.1:0', () => deaf)
  const client = dialed(address)
  opened(client)
  await expect.poll(() => client.remoteSettings?.initialWindowSize).toBe(MEBIBYTE)
  await expect.poll(() => client.state.remoteWindowSize).toBe(MEBIBYTE)
  client.destroy()
})

it('a stranger is granted 64 KiB and one stream, and no more before he may send longer frames', async () => {
  let frameLimit = 10
  const frames: number[] = []
  const address = await transport.listen('127.0.0.1:0', () => ({
    ...deaf,
    get frameLimit() {
      return frameLimit
    },
    onFrame: ({ length }) => void frames.push(length),
  }))
  const client = dialed(address)
  const stream = opened(client)
  // Each frame is counted by itself.
  for (let sent = 1; sent <= 3; sent++) {
    stream.write(message(10))
    await expect.poll(() => frames).toHaveLength(sent)
  }
  expect(client.remoteSettings).toMatchObject({ initialWindowSize: 65_535, maxConcurrentStreams: 1 })
  frameLimit = MEBIBYTE
  stream.write(message(9))
  await expect.poll(() => client.remoteSettings?.initialWindowSize).toBe(MEBIBYTE)
  await expect.poll(() => client.state.remoteWindowSize).toBeGreaterThan(900_000)
  for (let sent = 0; sent < 2; sent++) stream.write(message(900_000))
  await expect.poll(() => frames).toEqual([10, 10, 10, 9, 900_000, 900_000])
  client.destroy()
})

it('of a stranger no more is taken than a frame may have, and who sends more is cut off, whatever he has announced', async () => {
  const node = await startNode({ name: 'a@127.0.0.1', cookie: 'secret cookie', logLevel: 'silent' })
  const client = dialed(node.address)
  // Of a mebibyte, which nodes that know each other may send.
  opened(client).write(message(MEBIBYTE).subarray(0, 3_000))
  // Sooner than one who doesn't come to an end with his handshake.
  await expect.poll(() => client.closed, { timeout: 2_000 }).toBe(true)
  expect(node.counters().handshakesMalformed).toBe(1)
  await node.stop()
})

it('a stranger whose link is closed has no time to send more either', async () => {
  const links: Link[] = []
  let frameLimit = 10
  const address = await transport.listen('127.0.0.1:0', (link) => {
    links.push(link)
    return {
      ...deaf,
      get frameLimit() {
        return frameLimit
      },
    }
  })
  const client = dialed(address)
  const stream = opened(client)
  await expect.poll(() => links.length).toBe(1)
  // With the grace of a node, which is long enough to be told from no grace.
  frameLimit = MEBIBYTE
  links[0]?.close()
  frameLimit = 10
  const closedMs = performance.now()
  stream.write(message(MEBIBYTE).subarray(0, 3_000))
  await expect.poll(() => client.destroyed, { interval: 5 }).toBe(true)
  expect(performance.now() - closedMs).toBeLessThan(CLOSE_GRACE_MS / 2)
})

it('a stranger who ends his stream, and never his connection, does not keep that', async () => {
  const ends: LinkEnd[] = []
  const address = await transport.listen('127.0.0.1:0', () => ({
    ...deaf,
    frameLimit: 10,
    onEnd: (end) => void ends.push(end),
  }))
  const client = dialed(address)
  opened(client).end()
  await expect.poll(() => ends).toEqual([{ type: 'closed' }])
  await expect.poll(() => client.destroyed).toBe(true)
})

it('a node that dials grants a mebibyte to the stream, and to the connection', async () => {
  const sessions: ServerHttp2Session[] = []
  const server = createServer()
  server.on('session', (session) => sessions.push(session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const link = transport.dial(`127.0.0.1:${(server.address() as AddressInfo).port}`, deaf)
  link.send(Uint8Array.of(1))
  await expect.poll(() => sessions.at(-1)?.remoteSettings?.initialWindowSize, { timeout: 10_000 }).toBe(MEBIBYTE)
  await expect.poll(() => sessions.at(-1)?.state.remoteWindowSize).toBe(MEBIBYTE)
  link.close()
  for (const session of sessions) session.destroy()
  await new Promise((resolve) => server.close(resolve))
})

it('what a node that dials has given to gRPC, and the other side has no room for, counts as buffered', async () => {
  const sessions: ServerHttp2Session[] = []
  const server = createServer()
  server.on('session', (session) => sessions.push(session))
  const streamed = once(server, 'stream')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const link = transport.dial(`127.0.0.1:${(server.address() as AddressInfo).port}`, deaf)
  for (let frames = 0; frames < 90; frames++) link.send(new Uint8Array(10_000))
  // It grants 64 KiB, as HTTP/2 does by itself, and reads nothing.
  const [stream] = (await streamed) as [ServerHttp2Stream]
  await once(stream, 'readable')
  expect(link.bufferedBytes).toBeGreaterThanOrEqual(90 * 10_000 - 7 * 10_000)
  link.close()
  for (const session of sessions) session.destroy()
  await new Promise((resolve) => server.close(resolve))
})
