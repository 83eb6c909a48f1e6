/**
 * Clients, sessions and operators that do what they should not: it harms nobody else, and nothing stays behind.
 */
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { GlobalEts } from '@pidmesh/global-ets'
import { startNode, type Node } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { Gateway, SocketSession, type CloseCause, type GatewayOptions } from '@pidmesh/ws-gateway'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'

type ClientMessage = { type: 'close'; cause: CloseCause } | { type: 'hang' } | { type: 'ping' }
type ServerMessage = 'welcome' | 'pong'
interface Principal {
  readonly user: string
}
type Options = GatewayOptions<ClientMessage, ServerMessage, Principal>

/** Causes that no WebSocket can be closed with, by the user whose session wants to be closed so as soon as it is open. */
const impossible: Readonly<Record<string, CloseCause>> = {
  reserved: { code: 1005, reason: '' },
  out_of_range: { code: 99, reason: '' },
  too_long: { code: 4401, reason: 'ä'.repeat(62) },
}
const terminated: string[] = []
let letSlowOnesGo: () => void = () => undefined

class Session extends SocketSession<ClientMessage, ServerMessage, Principal> {
  override async handleConnect() {
    const { user } = this.principal
    const cause = impossible[user]
    if (cause !== undefined) this.close(cause)
    if (user === 'slow') {
      await new Promise<void>((resolve) => {
        letSlowOnesGo = resolve
      })
    }
    await this.registerAs(`user:${user}`)
    this.push('welcome')
  }

  override handleMessage(message: ClientMessage) {
    switch (message.type) {
      case 'close':
        return this.close(message.cause)
      case 'hang':
        return new Promise<void>(() => undefined)
      case 'ping':
        return this.push('pong')
    }
  }

  override terminate() {
    terminated.push(this.principal.user)
  }
}

let node: Node
let names: GlobalEts
let gateway: Gateway<ClientMessage, ServerMessage, Principal>
const opened: WebSocket[] = []

const options = (more: Partial<Options> = {}) =>
  ({
    port: 0,
    names,
    session: Session,
    authenticate: ({ url }) => ({ user: url.searchParams.get('user') ?? 'nobody' }),
    ...more,
  }) satisfies Options

/** The gateway is another one from here on, with these options. */
async function restart(more: Partial<Options>): Promise<void> {
  await gateway.stop()
  gateway = await Gateway.start(node, options(more))
}

class Client {
  readonly socket: WebSocket
  readonly received: unknown[] = []
  pings = 0
  /** Code and reason. */
  readonly closed: Promise<string>

  constructor(user: string, port = gateway.port, path = '/ws') {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}?user=${user}`)
    opened.push(this.socket)
    this.socket.on('error', () => undefined)
    this.socket.on('ping', () => this.pings++)
    this.socket.on('message', (data: Buffer) => this.received.push(JSON.parse(data.toString())))
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`.trim()))
    })
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  send(message: ClientMessage): void {
    this.socket.send(JSON.stringify(message))
  }

  async ready(): Promise<this> {
    await expect.poll(() => this.received, { interval: 5 }).toEqual(['welcome'])
    return this
  }

  async expectAnswer(): Promise<void> {
    this.send({ type: 'ping' })
    await expect.poll(() => this.received, { interval: 5 }).toEqual(['welcome', 'pong'])
  }
}

const upgradeOf = (path: string): string =>
  [
    `GET ${path} HTTP/1.1`,
    'Host: x',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '\r\n',
  ].join('\r\n')

beforeEach(async () => {
  terminated.length = 0
  node = await startNode({ name: 'gateway@127.0.0.1', cookie: 'secret cookie', logLevel: 'silent' })
  names = await GlobalEts.start(node)
  gateway = await Gateway.start(node, options())
})

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.terminate()
  await gateway.stop()
  await node.stop()
})

describe.each(Object.entries(impossible))('a close that WebSocket does not allow (%s)', (user, cause) => {
  it('ends the session that wants it, as any other error does, and no other', async () => {
    const good = await new Client('good').ready()
    const bad = await new Client('bad').ready()
    bad.send({ type: 'close', cause })
    expect(await bad.closed).toBe('1011 internal_error')
    await good.expectAnswer()
    await new Client('another').ready()
  })

  it('is no unhandled rejection in handleConnect', async () => {
    const faults = await faultsOf(async () => {
      expect(await new Client(user).closed).toBe('1011 internal_error')
    })
    expect(faults).toEqual([])
  })
})

describe('a node that stops under its gateway', () => {
  it('closes the sockets, and a frame of a client, or the end of its socket, throws nothing', async () => {
    const client = await new Client('alice').ready()
    const faults = await faultsOf(async () => {
      await node.stop()
      client.send({ type: 'ping' })
      client.socket.close()
      expect(await client.closed).toBe('1012 service_restart')
    })
    expect(faults).toEqual([])
  })
})

describe('the process of the gateway', () => {
  it('that is killed takes its sessions and sockets with it', async () => {
    await gateway.stop()
    const before = new Set(node.processes().map(String))
    gateway = await Gateway.start(node, options())
    const [process] = node.processes().filter((pid) => !before.has(String(pid)))
    const client = await new Client('alice').ready()
    const session = names.whereisName('user:alice')
    if (process === undefined || session === undefined) throw new Error('not started')
    node.exit(process, 'kill')
    expect(await client.closed).toBe('1012 service_restart')
    expect(node.isProcessAlive(session)).toBe(false)
  })
})

describe('a session', () => {
  it('that does not settle is killed some time after its socket has closed, and its name is free', async () => {
    await restart({ sessionEndTimeoutMs: 200 })
    const client = await new Client('alice').ready()
    client.send({ type: 'hang' })
    await expect.poll(() => gateway.stats.messagesIn).toBe(1)
    client.socket.terminate()
    await expect.poll(() => gateway.stats.connections).toBe(0)
    expect(names.whereisName('user:alice')).toBeDefined()
    await expect.poll(() => names.whereisName('user:alice'), { timeout: 15_000 }).toBeUndefined()
    expect(terminated).toEqual([])
  })

  it('that is slow to start does not cost its client the connection, as long as that answers pings', async () => {
    await restart({ pingIntervalMs: 100, pingTimeoutMs: 100 })
    const client = new Client('slow')
    // Nothing is read from a client whose session is not there: its first pong is not seen in time, and it is pinged again all the same.
    await expect
      .poll(() => client.pings >= 2 || client.socket.readyState === WebSocket.CLOSED, { timeout: 4_500 })
      .toBe(true)
    letSlowOnesGo()
    await client.ready()
    await client.expectAnswer()
  })

  it('runs terminate however it ends, also if its name is taken', async () => {
    await new Client('alice').ready()
    expect(await new Client('alice').closed).toBe('4009 name_taken')
    await expect.poll(() => terminated).toEqual(['alice'])
  })
})

describe('limits', () => {
  it('maxConnections holds for clients that are authenticated at the same time', async () => {
    let asked = 0
    let letIn: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      letIn = resolve
    })
    await restart({
      maxConnections: 2,
      authenticate: async ({ url }) => {
        asked++
        await gate
        return { user: url.searchParams.get('user') ?? 'nobody' }
      },
    })
    const clients = Array.from({ length: 10 }, (_, i) => new Client(`user ${i}`))
    await expect.poll(() => asked).toBe(10)
    letIn()
    await expect.poll(() => gateway.stats.refused.get(503)).toBe(8)
    await expect.poll(() => clients.filter(({ isOpen }) => isOpen)).toHaveLength(2)
    expect(gateway.stats.connections).toBe(2)
  })

  it('a client that pings and does not read the pongs is cut off', async () => {
    const socket = connect(gateway.port, '127.0.0.1')
    const isOver = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    socket.on('error', () => undefined)
    socket.write(upgradeOf('/ws?user=flood'))
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125)])
    const block = Buffer.concat(new Array(500).fill(ping))
    const drained = (): Promise<void> => new Promise((resolve) => socket.once('drain', resolve))
    let sent = 0
    for (let over = false; !over && sent < 64 * 1024 * 1024; sent += block.length) {
      if (socket.write(block)) continue
      over = await Promise.race([drained().then(() => false), isOver.then(() => true)])
    }
    await expect.poll(() => gateway.stats.connections).toBe(0)
    expect(sent).toBeLessThan(64 * 1024 * 1024)
    socket.destroy()
    await new Client('another').ready()
  })
})

describe('two gateways on one server', () => {
  it('an upgrade that is for neither, and whose client breaks off, harms nobody', async () => {
    const server = createServer((_request, response) => response.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { port: _own, ...shared } = options()
    const gateways = [
      await Gateway.start(node, { ...shared, server, path: '/a' }),
      await Gateway.start(node, { ...shared, server, path: '/b' }),
    ]
    const upgraded = new Promise((resolve) => server.once('upgrade', resolve))
    const faults = await faultsOf(async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(upgradeOf('/c'))
      await upgraded
      socket.resetAndDestroy()
      await new Client('alice', port, '/a').ready()
      await new Client('bob', port, '/b').ready()
    })
    expect(faults).toEqual([])
    for (const one of gateways) await one.stop()
    server.closeAllConnections()
    server.close()
  })

  it('leave an upgrade that is for neither to whoever wants it, who has five seconds', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { port: _own, ...shared } = options()
    const gateways = [
      await Gateway.start(node, { ...shared, server, path: '/a' }),
      await Gateway.start(node, { ...shared, server, path: '/b' }),
    ]
    const left = new Promise<Socket>((resolve) => server.once('upgrade', (_request, socket: Socket) => resolve(socket)))
    const client = connect(port, '127.0.0.1')
    client.on('error', () => undefined)
    client.write(upgradeOf('/c'))
    const socket = await left
    expect([socket.destroyed, socket.timeout]).toEqual([false, 5_000])
    // What five seconds of silence come to.
    socket.emit('timeout')
    expect(socket.destroyed).toBe(true)
    for (const one of gateways) await one.stop()
    server.close()
  })

  it('need two paths, as long as both run', async () => {
    const server = createServer()
    const { port: _own, ...shared } = options()
    const first = await Gateway.start(node, { ...shared, server, path: '/a' })
    await expect(Gateway.start(node, { ...shared, server, path: '/a' })).rejects.toMatchObject({
      code: 'ERR_BAD_OPTION',
    })
    await first.stop()
    await (await Gateway.start(node, { ...shared, server, path: '/a' })).stop()
    expect(server.listenerCount('upgrade')).toBe(0)
  })
})

it('an upgrade that another listener of the server has taken is its own, and harms nobody', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { port: _own, ...shared } = options()
  const others = new WebSocketServer({ server })
  others.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const one = await Gateway.start(node, { ...shared, server, path: '/a' })
  const faults = await faultsOf(async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/a`)
    socket.on('open', () => socket.send('echo'))
    expect(await new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(String(data))))).toBe('echo')
    expect(one.stats.connections).toBe(0)
    socket.terminate()
  })
  expect(faults).toEqual([])
  await one.stop()
  others.close()
  server.closeAllConnections()
  server.close()
})

describe('100 sessions that end before their sockets', () => {
  it('leave no timer behind, each of which would hold the program up', async () => {
    class Short extends Session {
      override async handleConnect() {
        this.close({ code: 4444, reason: 'enough' })
      }
    }
    await restart({ sessionEndTimeoutMs: 60_000, session: Short })
    const before = systemTimers()
    await Promise.all(Array.from({ length: 100 }, (_, i) => new Client(`user ${i}`).closed))
    await expect.poll(() => gateway.stats.connections).toBe(0)
    await expect.poll(systemTimers).toBeLessThan(before + 20)
  })
})

describe('500 clients that come and go', () => {
  it('leave nothing behind, however they go, and long before a session that does not end would be killed', async () => {
    await restart({ sessionEndTimeoutMs: 60_000 })
    const processes = node.processes().length
    const timers = node.counters().timers
    const systemTimersBefore = systemTimers()
    for (let round = 0; round < 10; round++) {
      const clients = Array.from({ length: 50 }, (_, i) => new Client(`user ${round} ${i}`))
      const gone = clients.map(async (client, i) => {
        await new Promise((resolve) => client.socket.once(i % 3 === 0 ? 'message' : 'open', resolve))
        if (i % 3 === 1) client.socket.close()
        else client.socket.terminate()
        await client.closed
      })
      await Promise.all(gone)
    }
    const { kernel } = node as unknown as { kernel: { timers: { size: number }; aliases: { size: number } } }
    const { sockets, hub } = gateway as unknown as { sockets: { size: number }; hub: { sessions: { size: number } } }
    const left = () => ({
      connections: [gateway.stats.connections, sockets.size],
      sessions: hub.sessions.size,
      processes: node.processes().length,
      names: names.size,
      aliases: kernel.aliases.size,
      timers: kernel.timers.size,
    })
    const nothing = { connections: [0, 0], sessions: 0, processes, names: 0, aliases: 0, timers }
    await expect.poll(left, { timeout: 15_000 }).toEqual(nothing)
    // Of the 500 that would have been killed: a few others come and go.
    await expect.poll(systemTimers).toBeLessThan(systemTimersBefore + 20)
  })
})

function systemTimers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
}
