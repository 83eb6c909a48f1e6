/**
 * A node goes down in good order, and says so to whoever asks.
 */
import { once } from 'node:events'
import { request, type IncomingMessage, type ServerResponse } from 'node:http'
import { Server } from 'node:net'
import { MemoryLogger, type LogLine } from '@pidmesh/runtime/testing'
import { Gateway } from '@pidmesh/ws-gateway'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Lab, LabSession, type LabClient } from './lab.ts'

let lab: Lab
afterEach(() => lab.stop())

async function get(index: number, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${lab.at(index).gateway.port}${path}`)
  return { status: response.status, text: await response.text() }
}

it('answers /healthz and /readyz, /metrics if there are some, and 426 otherwise', async () => {
  lab = await Lab.start(1, {
    metrics: ({ stats }) => ({
      contentType: 'text/plain',
      text: () => Promise.resolve(`sockets ${stats.connections}\n`),
    }),
  })
  expect(await get(0, '/healthz')).toEqual({ status: 200, text: 'ok\n' })
  expect(await get(0, '/readyz')).toEqual({ status: 200, text: 'ready\n' })
  expect(await get(0, '/metrics')).toEqual({ status: 200, text: 'sockets 0\n' })
  expect((await get(0, '/other')).status).toBe(426)
})

// A proxy that lets what begins with /ws through may not resolve dots.
it.each(['/ws/../metrics', '/ws/%2e%2e/metrics', '//ws/metrics', '/ws\\..\\metrics', 'http://other/ws/../metrics'])(
  'a path is taken as it stands: %s is not /metrics, nor one to connect to',
  async (path) => {
    lab = await Lab.start(1, {
      path: '/metrics',
      metrics: () => ({ contentType: 'text/plain', text: async () => 'all' }),
    })
    const statusOf = async (headers: Record<string, string>, asked = path): Promise<number | undefined> => {
      const sent = request({ host: '127.0.0.1', port: lab.at(0).gateway.port, path: asked, headers }).end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    }
    expect(await statusOf({})).toBe(426)
    expect(await statusOf({}, 'http://other/metrics?x')).toBe(200)
    expect(await statusOf({ Connection: 'Upgrade', Upgrade: 'websocket' })).toBe(404)
  },
)

it('metrics that fail are 500, and no metrics are 426', async () => {
  lab = await Lab.start(1, {
    metrics: () => ({ contentType: 'text/plain', text: () => Promise.reject(new Error('gone')) }),
  })
  expect((await get(0, '/metrics')).status).toBe(500)
  await lab.addNode('plain')
  expect((await get(1, '/metrics')).status).toBe(426)
  await lab.addNode('odd', { metrics: () => ({ contentType: 'text/plain', text: () => 5 as never }) })
  expect((await get(2, '/metrics')).status).toBe(500)
})

it('metrics that fail do not fill the log, however often they are asked for', async () => {
  const logger = new MemoryLogger()
  const metrics = () => ({ contentType: 'text/plain', text: () => Promise.reject(new Error('gone')) })
  lab = await Lab.start(1, { logger, metrics })
  let answered = 0
  const { gateway } = lab.at(0)
  const answer = { writeHead: () => answer, end: () => answered++ } as unknown as ServerResponse
  for (let n = 0; n < 250; n++)
    gateway.handleRequest({ method: 'GET', url: '/metrics', headers: {} } as IncomingMessage, answer)
  await expect.poll(() => answered).toBe(250)
  expect(logger.lines.filter(({ message }) => message === 'the metrics could not be had')).toHaveLength(100)
})

it('goes down with its node: clients are told to come again, and nothing is logged as an error', async () => {
  const logger = new MemoryLogger()
  lab = await Lab.start(1, { logger })
  const client = await lab.connect(0, 'alice')
  await lab.at(0).node.stop()
  expect((await client.closed).code).toBe(1012)
  // But for what a machine that is busy makes a node say of its handlers.
  const isOfLoad = ({ fields }: LogLine) => fields['report'] === 'long_schedule'
  expect(logger.lines.filter((line) => ['error', 'warn'].includes(line.level) && !isOfLoad(line))).toEqual([])
  expect(logger.lines.map(({ message }) => message)).toContain('the gateway stops with its node')
})

it('of a node that stops before it listens does not start, and listens to nobody afterwards', async () => {
  lab = await Lab.start(1)
  const { node, names } = lab.at(0)
  const held: { readonly server: Server; readonly listen: () => void }[] = []
  const listen = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
    listen.mockRestore()
    held.push({
      server: this,
      listen: () => void Reflect.apply(Reflect.get(this, 'listen') as () => Server, this, args),
    })
    return this
  })
  onTestFinished(() => listen.mockRestore())
  const started = Gateway.start(node, { port: 0, names, session: LabSession, authenticate: () => ({ user: 'x' }) })
  await expect.poll(() => held.length).toBe(1)
  await node.stop()
  held[0]?.listen()
  await expect(started).rejects.toMatchObject({ code: 'ERR_NODE_STOPPED' })
  expect(held[0]?.server.listening).toBe(false)
})

it('a session is labelled with the name of its class', async () => {
  lab = await Lab.start(1)
  const client = await lab.connect(0, 'alice')
  client.send({ type: 'register', name: 'alice' })
  await client.handled()
  const { node, names } = lab.at(0)
  const pid = names.whereisName('alice')
  expect(pid && node.self.processInfo(pid)?.label).toBe('session LabSession')
})

describe('a drain', () => {
  it('closes sockets over its time with 1012 and a hint; their sessions go on elsewhere without a gap; then the gateway stops', async () => {
    lab = await Lab.start(2)
    const clients: LabClient[] = []
    for (let index = 0; index < 10; index++) {
      const client = await lab.connect(0, `d${index}`)
      client.send({ type: 'register', name: `d${index}` }, { type: 'remember', note: `note ${index}` })
      await client.handled()
      clients.push(client)
    }
    const { gateway } = lab.at(0)
    const startMs = performance.now()
    const drained = gateway.drain({ overMs: 1_000, handOverMs: 20_000 })
    expect(gateway.isReady).toBe(false)
    expect((await get(0, '/readyz')).status).toBe(503)
    expect((await get(0, '/healthz')).status).toBe(200)
    await expect(lab.open(0)).rejects.toThrow('503')
    await Promise.all(
      clients.map(async (client, index) => {
        const { code, reason } = await client.closed
        expect(code).toBe(1012)
        expect(reason).toMatch(/^service_restart;retry_after_ms=\d+$/)
        lab.at(1).names.send(`d${index}`, 'in between')
        const again = await lab.resume(1, `d${index}`, client.at)
        await again.next('resumed')
        again.send({ type: 'recall' })
        expect(await again.received(2)).toMatchObject(['in between', { note: `note ${index}` }])
      }),
    )
    // Evenly: not all at the beginning.
    expect(performance.now() - startMs).toBeGreaterThan(850)
    await drained
    await expect(get(0, '/healthz')).rejects.toThrow('fetch failed')
    expect(lab.at(1).gateway.stats.sessions.attached).toBe(10)
  })

  it('waits no longer than it is told for sessions whose clients do not come back', async () => {
    lab = await Lab.start(1)
    const client = await lab.connect(0, 'gone')
    await lab.at(0).gateway.drain({ overMs: 1, handOverMs: 50 })
    expect((await client.closed).code).toBe(1012)
  })

  it('of nobody is at once', async () => {
    lab = await Lab.start(1)
    const startMs = performance.now()
    await lab.at(0).gateway.drain()
    expect(performance.now() - startMs).toBeLessThan(10_000)
  })
})

it('a client that does not come back within the grace time has no session any more, and its name is free', async () => {
  lab = await Lab.start(1, { resume: { graceMs: 50 } })
  const client = await lab.connect(0, 'late')
  client.send({ type: 'register', name: 'late' })
  await client.received(1)
  client.socket.terminate()
  await expect.poll(() => lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
  expect(lab.at(0).names.whereisName('late')).toBeUndefined()
  const again = await lab.resume(0, 'late', client.at)
  expect(await again.next('resume_failed')).toMatchObject({ why: 'gone', seq: 1 })
})

it('no more sessions wait for their clients than is allowed', async () => {
  lab = await Lab.start(1, { resume: { maxDetached: 2 } })
  const { gateway } = lab.at(0)
  for (const user of ['a', 'b', 'c']) {
    const client = await lab.connect(0, user)
    client.socket.terminate()
    await client.closed
    await expect.poll(() => gateway.stats.sessions.attached).toBe(0)
  }
  expect(gateway.stats.sessions.detached).toBe(2)
})

it('no more sessions of one principal wait than is allowed, and those of others do', async () => {
  lab = await Lab.start(1, { resume: { maxDetachedPerPrincipal: 2 } })
  const { gateway } = lab.at(0)
  for (const user of ['greedy', 'greedy', 'greedy', 'other']) {
    const client = await lab.connect(0, user)
    client.socket.terminate()
    await client.closed
    await expect.poll(() => gateway.stats.sessions.attached).toBe(0)
  }
  expect(gateway.stats.sessions.detached).toBe(3)
})

it('without resume a session ends with its socket, and the client is told no token', async () => {
  lab = await Lab.start(1, { resume: false })
  const client = await lab.connect(0, 'plain')
  expect(client.resumeToken).toBe('')
  client.socket.terminate()
  await expect.poll(() => lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
})
