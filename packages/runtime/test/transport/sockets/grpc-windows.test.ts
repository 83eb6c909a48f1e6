/**
 * How much may be on its way between two nodes, as HTTP/2 itself says it: a connection over a long distance is as slow as this is small. And what is not on its
 * way, but kept by gRPC.
 */
import { once } from 'node:events'
import { connect, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import type { LinkEvents } from '../../../src/ports.ts'
import { grpcTransport } from '../../../src/transport/sockets/grpc.ts'

const MEBIBYTE = 1024 * 1024
const deaf: LinkEvents = { onFrame: () => undefined, onEnd: () => undefined }
const transport = grpcTransport()

afterEach(async () => {
  await transport.stop()
})

it('a node that listens grants a mebibyte to the stream, and to the connection', async () => {
  const address = await transport.listen('127.0.0.1:0', () => deaf)
  const client = connect(`http://${address}`)
  await expect.poll(() => client.remoteSettings?.initialWindowSize).toBe(MEBIBYTE)
  const stream = client.request({
    ':method': 'POST',
    ':path': '/pidmesh.Distribution/Connect',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.on('error', () => undefined)
  await expect.poll(() => client.state.remoteWindowSize).toBe(MEBIBYTE)
  client.destroy()
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
  const opened = once(server, 'stream')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const link = transport.dial(`127.0.0.1:${(server.address() as AddressInfo).port}`, deaf)
  for (let frames = 0; frames < 90; frames++) link.send(new Uint8Array(10_000))
  // It grants 64 KiB, as HTTP/2 does by itself, and reads nothing.
  const [stream] = (await opened) as [ServerHttp2Stream]
  await once(stream, 'readable')
  expect(link.bufferedBytes).toBeGreaterThanOrEqual(90 * 10_000 - 7 * 10_000)
  link.close()
  for (const session of sessions) session.destroy()
  await new Promise((resolve) => server.close(resolve))
})
