import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { createConnection, type AddressInfo } from 'node:net'
import { GlobalEts } from '@pidmesh/global-ets'
import { startNode, type ExitReason, type Node } from '@pidmesh/runtime'
import { Gateway, SocketSession, type GatewayOptions, type MessageSchema } from '@pidmesh/ws-gateway'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'

type ClientMessage =
  | { type: 'say'; to: string; text: string }
  | { type: 'close'; code: number; reason: string }
  | { type: 'crash' }
  | { type: 'hang' }
type ServerMessage = { type: 'said'; from: string; text: string } | { type: 'welcome' }
interface Principal {
  readonly user: string
}

const ended: Array<{ user: string; reason: ExitReason }> = []

class Chat extends SocketSession<ClientMessage, ServerMessage, Principal> {
  override async handleConnect() {
    await this.registerAs(`user:${this.principal.user}`)
    this.push({ type: 'welcome' })
  }

  override handleMessage(message: ClientMessage) {
    switch (message.type) {
      case 'say':
        this.sendTo(`user:${message.to}`, { type: 'said', from: this.principal.user, text: message.text })
        return undefined
      case 'close':
        return this.close({ code: message.code, reason: message.reason })
      case 'crash':
        throw new Error('crashed on demand')
      case 'hang':
        return new Promise<void>(() => undefined)
    }
  }

  override terminate(reason: ExitReason) {
    ended.push({ user: this.principal.user, reason })
  }
}

/** A schema by hand: any Standard Schema will do. */
const messages: MessageSchema<ClientMessage> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const type: unknown = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined
      return type === 'say' || type === 'close' || type === 'crash' || type === 'hang'
        ? { value: value as ClientMessage }
        : { issues: [{ message: 'unknown message type' }] }
    },
  },
}

let node: Node
let names: GlobalEts
let gateway: Gateway<ClientMessage, ServerMessage, Principal>
const clients: WebSocket[] = []

function options(more: Partial<GatewayOptions<ClientMessage, ServerMessage, Principal>> = {}) {
  return {
    port: 0,
    names,
    session: Chat,
    messages,
    authenticate: ({ url }) => {
      const user = url.searchParams.get('user')
      if (user === 'broken') throw new Error('the user database is away')
      return user === null ? undefined : { user }
    },
    ...more,
  } satisfies GatewayOptions<ClientMessage, ServerMessage, Principal>
}

class Client {
  readonly socket: WebSocket
  readonly received: unknown[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  private waiting: Array<() => void> = []

  constructor(user: string | undefined, port = gateway.port, headers: Record<string, string> = {}) {
    const query = user === undefined ? '' : `?user=${user}`
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws${query}`, { headers })
    clients.push(this.socket)
    this.socket.on('error', () => undefined)
    this.socket.on('message', (data: Buffer) => {
      this.received.push(JSON.parse(data.toString()))
      for (const wake of this.waiting.splice(0)) wake()
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Resolves when so many messages have come in all. */
  async receivedAtLeast(count: number): Promise<unknown[]> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.waiting.push(resolve))
    return this.received
  }
}

/** A client whose session is ready. */
async function connect(user: string): Promise<Client> {
  const client = new Client(user)
  await client.receivedAtLeast(1)
  return client
}

/** The HTTP status with which an upgrade was refused. */
function statusOf(client: Client): Promise<number | undefined> {
  return new Promise((resolve) => {
    client.socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode)
      response.destroy()
      client.socket.terminate()
    })
  })
}

beforeEach(async () => {
  ended.length = 0
  node = await startNode({ name: 'gateway@127.0.0.1', cookie: 'secret cookie', logLevel: 'silent' })
  names = await GlobalEts.start(node)
  gateway = await Gateway.start(node, options())
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate()
  await gateway.stop()
  await node.stop()
})

describe('sessions', () => {
  it('a socket is a process that is registered under its name, and what is sent to the process goes to the socket', async () => {
    const alice = await connect('alice')
    expect(names.send('user:alice', { type: 'said', from: 'the test', text: 'hello' })).toBe('ok')
    expect(await alice.receivedAtLeast(2)).toEqual([
      { type: 'welcome' },
      { type: 'said', from: 'the test', text: 'hello' },
    ])
  })

  it('one client reaches another by name', async () => {
    const alice = await connect('alice')
    const bob = await connect('bob')
    alice.send({ type: 'say', to: 'bob', text: 'hi' })
    expect(await bob.receivedAtLeast(2)).toContainEqual({ type: 'said', from: 'alice', text: 'hi' })
  })

  it('when the socket closes the session ends, after terminate, and its name is free', async () => {
    const alice = await connect('alice')
    const pid = names.whereisName('user:alice')
    alice.socket.close(1000)
    await alice.closed
    await expect.poll(() => names.whereisName('user:alice')).toBeUndefined()
    expect(ended).toEqual([{ user: 'alice', reason: { shutdown: 'socket_closed' } }])
    expect(pid !== undefined && node.isProcessAlive(pid)).toBe(false)
    expect(gateway.stats.connections).toBe(0)
  })

  it('a name that is taken closes the second socket with 4009 and leaves the first alone', async () => {
    const first = await connect('alice')
    const second = new Client('alice')
    expect(await second.closed).toEqual({ code: 4009, reason: 'name_taken' })
    names.send('user:alice', { type: 'said', from: 'the test', text: 'still here' })
    expect(await first.receivedAtLeast(2)).toHaveLength(2)
  })

  it('a session that crashes closes its socket with 1011, and no other session is harmed', async () => {
    const alice = await connect('alice')
    const bob = await connect('bob')
    alice.send({ type: 'crash' })
    expect(await alice.closed).toEqual({ code: 1011, reason: 'internal_error' })
    names.send('user:bob', { type: 'said', from: 'the test', text: 'well?' })
    expect(await bob.receivedAtLeast(2)).toHaveLength(2)
  })

  it('a session whose process is killed closes its socket with 4012; one that loses a name clash with 4011', async () => {
    const alice = await connect('alice')
    const bob = await connect('bob')
    const [pidOfAlice, pidOfBob] = [names.whereisName('user:alice'), names.whereisName('user:bob')]
    if (pidOfAlice === undefined || pidOfBob === undefined) throw new Error('not registered')
    node.exit(pidOfAlice, 'kill')
    node.exit(pidOfBob, { name_conflict: { name: 'user:bob' } })
    expect(await alice.closed).toEqual({ code: 4012, reason: 'killed' })
    expect(await bob.closed).toEqual({ code: 4011, reason: 'name_conflict' })
  })

  it('a session closes its socket with a code and reason of its own', async () => {
    const alice = await connect('alice')
    alice.send({ type: 'close', code: 4321, reason: 'enough' })
    expect(await alice.closed).toEqual({ code: 4321, reason: 'enough' })
  })

  it.each([
    [4200, 'r'.repeat(124)],
    [1006, 'reserved'],
    [999, 'no code'],
    [5000, 'no code'],
    [4000.5, 'no code'],
  ])(
    'a close with %s and a reason that no WebSocket takes ends that session with 1011, and no other is harmed',
    async (code, reason) => {
      const bystander = await connect('bystander')
      const alice = await connect('alice')
      alice.send({ type: 'close', code, reason })
      expect(await alice.closed).toMatchObject({ code: 1011 })
      const bob = await connect('bob')
      const pid = names.whereisName('user:bob')
      if (pid !== undefined) node.exit(pid, { close: { code, reason } })
      expect(await bob.closed).toMatchObject({ code: 1011 })
      names.send('user:bystander', { type: 'said', from: 'the test', text: 'unharmed' })
      expect(await bystander.receivedAtLeast(2)).toHaveLength(2)
    },
  )

  it('a message to a session that has no form in JSON is dropped, and the session goes on', async () => {
    const alice = await connect('alice')
    names.send('user:alice', { amount: 10n })
    names.send('user:alice', { type: 'said', from: 'the test', text: 'after' })
    expect(await alice.receivedAtLeast(2)).toHaveLength(2)
    expect(gateway.stats.dropped.get('unencodable')).toBe(1)
  })

  it('calls, casts and forged messages that come astray to a session or the gateway harm nobody', async () => {
    const alice = await connect('alice')
    for (const pid of node.processes()) {
      if (pid.equals(node.self.pid)) continue
      for (const message of [
        { type: 'EXIT' },
        { type: 'EXIT', from: pid, reason: null },
        { type: '$gen_call' },
        { type: '$gen_ready' },
        { type: '$gen_cast', request: 1 },
        undefined,
      ]) {
        if (message?.type !== 'EXIT' || !pid.equals(names.whereisName('user:alice'))) node.send(pid, message)
      }
    }
    const bob = await connect('bob')
    alice.send({ type: 'say', to: 'bob', text: 'all well' })
    await expect.poll(() => bob.received).toContainEqual({ type: 'said', from: 'alice', text: 'all well' })
  })

  it('the exit of a linked process and a DOWN are not pushed to the client', async () => {
    const alice = await connect('alice')
    names.send('user:alice', { type: 'DOWN', reason: 'private' })
    names.send('user:alice', { type: 'said', from: 'the test', text: 'after' })
    expect(await alice.receivedAtLeast(2)).toEqual([
      { type: 'welcome' },
      { type: 'said', from: 'the test', text: 'after' },
    ])
  })

  it('a timer of startTimer is not pushed to the client; a message of the application may be a timeout, too', async () => {
    const alice = await connect('alice')
    const pid = names.whereisName('user:alice')
    if (pid === undefined) throw new Error('alice is not registered')
    node.send(pid, { type: 'timeout', ref: node.self.makeRef(), message: 'private' })
    node.send(pid, { type: 'timeout', ofTurn: 7 })
    expect(await alice.receivedAtLeast(2)).toEqual([{ type: 'welcome' }, { type: 'timeout', ofTurn: 7 }])
  })
})

describe('bad input closes the one socket that it came from', () => {
  it.each([
    ['malformed JSON', '{"type":', 4400],
    ['an unknown message type', '{"type":"format_disk"}', 4400],
    ['a message that is no object', '7', 4400],
    ['an oversized message', JSON.stringify({ type: 'say', to: 'x', text: 'x'.repeat(70_000) }), 1009],
  ])('%s', async (_what, text, code) => {
    const bystander = await connect('bystander')
    const client = await connect('mallory')
    client.send(text)
    expect(await client.closed).toMatchObject({ code })
    names.send('user:bystander', { type: 'said', from: 'the test', text: 'unharmed' })
    expect(await bystander.receivedAtLeast(2)).toHaveLength(2)
    await expect.poll(() => gateway.stats.closed.get(code)).toBe(1)
  })

  it('a binary frame closes with 1003', async () => {
    const client = await connect('mallory')
    client.socket.send(Buffer.from([1, 2, 3]))
    expect(await client.closed).toEqual({ code: 1003, reason: 'wrong_frame_type' })
  })

  it('text that is not UTF-8 closes with 1007', async () => {
    const client = await connect('mallory')
    client.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
    expect(await client.closed).toMatchObject({ code: 1007 })
  })

  it('a client that sends faster than its session works is not read, and costs a bounded amount', async () => {
    const client = await connect('flooder')
    client.send({ type: 'hang' })
    for (let i = 0; i < 10_000; i++) client.send({ type: 'say', to: 'nobody', text: 'x'.repeat(1_000) })
    await expect.poll(() => gateway.stats.messagesIn).toBeGreaterThanOrEqual(64)
    await expect.poll(() => client.socket.bufferedAmount).toBeGreaterThan(0)
    // 64, and what else was in the one chunk of 64 KiB that had been read.
    expect(gateway.stats.messagesIn).toBeLessThan(64 + 65)
  })

  it('a client that does not read is closed with 4008 when too much waits for it', async () => {
    const client = await connect('sloth')
    client.socket.pause()
    const text = 'x'.repeat(100_000)
    for (let i = 0; i < 200; i++) names.send('user:sloth', { type: 'said', from: 'the test', text })
    await expect.poll(() => gateway.stats.closed.get(4008)).toBe(1)
    await expect.poll(() => names.whereisName('user:sloth'), { timeout: 15_000 }).toBeUndefined()
  })
})

describe('upgrades are refused with an HTTP status', () => {
  it('401 for null and false as well: what look-ups and conditions say', async () => {
    for (const nobody of [null, false] as const) {
      const lax = await Gateway.start(node, options({ authenticate: () => nobody }))
      expect(await statusOf(new Client('alice', lax.port))).toBe(401)
      await lax.stop()
    }
  })

  it('401 without a principal, 503 when it can not be said who it is', async () => {
    expect(await statusOf(new Client(undefined))).toBe(401)
    expect(await statusOf(new Client('broken'))).toBe(503)
  })

  it('403 for a page of another origin; pages of the same host and programs may connect', async () => {
    expect(await statusOf(new Client('alice', gateway.port, { Origin: 'https://evil.example' }))).toBe(403)
    expect(await statusOf(new Client('alice', gateway.port, { Origin: 'null' }))).toBe(403)
    const sameHost = new Client('alice', gateway.port, { Origin: `http://127.0.0.1:${gateway.port}` })
    expect(await sameHost.receivedAtLeast(1)).toHaveLength(1)
  })

  it('404 for another path, 426 for a request that is no upgrade', async () => {
    const other = new WebSocket(`ws://127.0.0.1:${gateway.port}/elsewhere?user=alice`)
    clients.push(other)
    const status = await new Promise((resolve) => {
      other.on('unexpected-response', (_request, response) => resolve(response.statusCode))
      other.on('error', () => undefined)
    })
    expect(status).toBe(404)
    expect((await fetch(`http://127.0.0.1:${gateway.port}/ws`)).status).toBe(426)
  })

  it('408 when authentication takes too long, 503 when there are too many connections', async () => {
    const slow = await Gateway.start(
      node,
      options({ authenticate: () => new Promise(() => undefined), authenticateTimeoutMs: 50 }),
    )
    const small = await Gateway.start(node, options({ maxConnections: 1 }))
    try {
      expect(await statusOf(new Client('alice', slow.port))).toBe(408)
      const first = new Client('first', small.port)
      await first.receivedAtLeast(1)
      expect(await statusOf(new Client('second', small.port))).toBe(503)
    } finally {
      for (const client of clients.splice(0)) client.terminate()
      await slow.stop()
      await small.stop()
    }
  })

  it('a client that goes away during authentication harms nothing', async () => {
    let release = (): void => undefined
    const waiting = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = await Gateway.start(
      node,
      options({
        authenticate: async () => {
          await waiting
          return { user: 'ghost' }
        },
      }),
    )
    const client = new Client('ghost', slow.port)
    await new Promise(
      (resolve) =>
        client.socket.on('error', resolve).on('upgrade', resolve) &&
        setImmediate(() => resolve(client.socket.terminate())),
    )
    release()
    await client.closed
    await slow.stop()
    expect(names.whereisName('user:ghost')).toBeUndefined()
  })
})

describe('the gateway', () => {
  it('a client that answers no ping is closed with 4010', async () => {
    const strict = await Gateway.start(node, options({ pingIntervalMs: 100, pingTimeoutMs: 100 }))
    const client = new Client('silent', strict.port)
    await client.receivedAtLeast(1)
    client.socket.pause()
    await expect.poll(() => strict.stats.closed.get(4010), { timeout: 15_000 }).toBe(1)
    await strict.stop()
  }, 15_000)

  it('stop closes every socket with 1012, after terminate of its session, and frees the port', async () => {
    const alice = await connect('alice')
    const { port } = gateway
    await gateway.stop()
    expect(await alice.closed).toEqual({ code: 1012, reason: 'service_restart' })
    expect(ended).toMatchObject([{ user: 'alice' }])
    gateway = await Gateway.start(node, options({ port }))
    expect(gateway.port).toBe(port)
  })

  it('an upgrade that comes while it stops is 503, as in a drain', async () => {
    const alice = await connect('alice')
    // So that it takes a while.
    alice.socket.pause()
    const late = createConnection(gateway.port, '127.0.0.1')
    late.write('GET /ws?user=late HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n')
    // Its first lines have been read by then.
    await fetch(`http://127.0.0.1:${gateway.port}/healthz`)
    const stopped = gateway.stop()
    late.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
    const [answer] = (await once(late, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/)
    alice.socket.resume()
    await stopped
  })

  it('if its process is killed it closes every socket and stops, rather than leave them open and mute', async () => {
    const alice = await connect('alice')
    const { port } = gateway
    const [session] = node.processes().slice(-1)
    expect(session).toBeDefined()
    for (const pid of node.processes()) if (pid !== node.self.pid) node.exit(pid, 'kill')
    expect(await alice.closed).toMatchObject({ code: expect.any(Number) })
    await expect
      .poll(() =>
        fetch(`http://127.0.0.1:${port}/`).then(
          () => 'up',
          () => 'down',
        ),
      )
      .toBe('down')
  })

  it('makes its metrics when it listens: those of a start that fails would be in the way of the next', async () => {
    const made: unknown[] = []
    const metrics = (of: unknown) => {
      made.push(of)
      return { contentType: 'text/plain', text: async () => '' }
    }
    await expect(Gateway.start(node, options({ metrics, port: gateway.port }))).rejects.toMatchObject({
      code: 'ERR_PORT_IN_USE',
    })
    expect(made).toEqual([])
    const { port } = gateway
    await gateway.stop()
    const bad = () => {
      throw new RangeError('no metrics')
    }
    await expect(Gateway.start(node, options({ port, metrics: bad }))).rejects.toThrow('no metrics')
    gateway = await Gateway.start(node, options({ metrics, port }))
    expect(made).toEqual([gateway])
  })

  it('a busy port and an option that is unknown or impossible are clear errors', async () => {
    await expect(Gateway.start(node, options({ port: gateway.port }))).rejects.toMatchObject({
      code: 'ERR_PORT_IN_USE',
    })
    for (const wrong of [
      { prot: 1 },
      { maxPayloadBytes: 0 },
      { path: 'ws' },
      { port: 70_000 },
      { authenticate: 'yes' },
      { names: undefined },
      { session: class {} },
      { messages: 5 },
      { messages: null },
      { origins: 'http://x' },
      { origins: ['http://x/'] },
      { host: '' },
      { host: null },
      { port: undefined, server: {} },
      { path: '/ws?room=1' },
      { path: '//ws' },
      { path: '/größe' },
      { maxPayloadBytes: 2 ** 32 },
    ]) {
      const started = Gateway.start(node, options(wrong as never))
      await expect(started, JSON.stringify(wrong)).rejects.toMatchObject({ code: 'ERR_BAD_OPTION' })
    }
  })

  it('shares an HTTP server of the user, whose other requests it leaves alone', async () => {
    const server = createServer((_request, response) => response.end('the page'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { port: _port, ...rest } = options()
    const shared = await Gateway.start(node, { ...rest, server })
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('the page')
    const client = new Client('alice', port)
    await client.receivedAtLeast(1)
    await shared.stop()
    expect(await client.closed).toMatchObject({ code: 1012 })
    expect(server.listening).toBe(true)
    await new Promise((resolve) => server.close(resolve))
  })

  it('an upgrade request that is no WebSocket handshake is answered, and nothing falls over', async () => {
    const status = await new Promise((resolve) => {
      const upgrade = request({
        port: gateway.port,
        path: '/ws?user=x',
        headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
      })
      upgrade.on('response', (response) => resolve(response.statusCode)).end()
    })
    expect(status).toBe(400)
    await connect('alice')
  })
})
