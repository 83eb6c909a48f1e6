import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { MemoryLogger } from '@pidmesh/runtime/testing'
import { Authenticated } from '@pidmesh/ws-gateway'
import { Lab, LabClient, LabSession, type LabOptions } from './lab.ts'
import { hello, labOf, typesOf } from './simulation/steps.ts'

let lab: Lab | undefined
afterEach(async () => {
  await lab?.stop()
  lab = undefined
})

async function start(options: LabOptions = {}): Promise<Lab> {
  lab = await Lab.start(1, options)
  return lab
}

/** The status of a refused upgrade, or `open`. */
function upgrade(
  port: number,
  { path = '/ws', headers = {}, protocols = [] as string[] } = {},
): Promise<number | 'open'> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers })
  return new Promise((resolve) => {
    socket.on('error', () => undefined)
    socket.on('open', () => {
      socket.terminate()
      resolve('open')
    })
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
  })
}

/** What a refused upgrade is told. */
async function refusalOf(port: number, protocols: string): Promise<string> {
  const upgraded = request({
    ...{ host: '127.0.0.1', port, path: '/ws' },
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Protocol': protocols,
    },
  }).end()
  const [response] = (await once(upgraded, 'response')) as [IncomingMessage]
  return text(response)
}

it.each([
  ['https://chat.example:8443', 'https://chat.example:8443'],
  ['null', 'null'],
  ['https://chat.example/path?token=x', '(none that a browser sends)'],
  [`https://${'a'.repeat(1_000)}.example`, '(none that a browser sends)'],
])('the origin %s, which may not connect, is told of once a minute', async (origin, shown) => {
  const logger = new MemoryLogger()
  await start({ logger, authenticate: () => ({ user: 'alice' }) })
  const { port } = lab!.at(0).gateway
  const headers = { Origin: origin }
  for (let n = 0; n < 3; n++) expect(await upgrade(port, { path: '/ws?user=alice', headers })).toBe(403)
  expect(logger.lines.filter(({ message }) => message.includes('for its origin'))).toMatchObject([
    { level: 'warn', fields: { origin: shown, host: `127.0.0.1:${port}` } },
  ])
})

describe('a token is taken', () => {
  const seen: unknown[] = []
  const authenticate: NonNullable<LabOptions['authenticate']> = ({ token, tokenFrom }) => {
    seen.push([token, tokenFrom])
    return token === 'secret' ? { user: 'alice' } : undefined
  }

  it('from the header, a subprotocol, and a cookie or a query if the options say so; otherwise it is asked for in a message', async () => {
    const { gateway } = (await start({ authenticate, tokens: { cookie: 'sid', queryParameter: 'ticket' } })).at(0)
    seen.length = 0
    expect(await upgrade(gateway.port, { headers: { authorization: 'Bearer secret' } })).toBe('open')
    expect(await upgrade(gateway.port, { protocols: ['pidmesh.json.1', 'pidmesh.token.secret'] })).toBe('open')
    expect(await upgrade(gateway.port, { headers: { cookie: 'a=b; sid=secret' } })).toBe('open')
    expect(await upgrade(gateway.port, { path: '/ws?ticket=secret' })).toBe('open')
    expect(await upgrade(gateway.port, { headers: { authorization: 'Bearer wrong' } })).toBe(401)
    expect(await upgrade(gateway.port)).toBe(401)
    expect(seen).toEqual([
      ['secret', 'header'],
      ['secret', 'subprotocol'],
      ['secret', 'cookie'],
      ['secret', 'query'],
      ['wrong', 'header'],
      [undefined, undefined],
    ])
  })

  it('from a query never by default: 400, and authenticate is not asked', async () => {
    const { gateway } = (await start({ authenticate })).at(0)
    seen.length = 0
    expect(await upgrade(gateway.port, { path: '/ws?access_token=secret' })).toBe(400)
    expect(await upgrade(gateway.port, { path: '/ws?token=secret' })).toBe(400)
    expect(seen).toEqual([])
  })

  it('from the first message only in a subprotocol that is known: 400 and its name for who offers another, and brings no token', async () => {
    const { gateway } = (await start({ authenticate })).at(0)
    expect(await upgrade(gateway.port, { protocols: ['pidmesh.json.2'] })).toBe(400)
    expect(await refusalOf(gateway.port, 'graphql-ws, pidmesh.json.2')).toContain('pidmesh.json.1, pidmesh.msgpack.1')
    expect(await upgrade(gateway.port, { protocols: ['pidmesh.json.2', 'pidmesh.token.wrong'] })).toBe(401)
    expect(await upgrade(gateway.port, { protocols: ['pidmesh.json.2', 'pidmesh.json.1'] })).toBe('open')
  })

  it('from the first message: one that is wrong closes with 4003', async () => {
    const { gateway } = (await start({ authenticate })).at(0)
    const client = await lab!.open(0)
    expect(gateway.stats.unauthenticated).toBe(1)
    client.control({ type: 'hello', token: 'wrong' })
    expect(await client.closed).toEqual({ code: 4003, reason: 'not_authenticated' })
    await expect.poll(() => gateway.stats.unauthenticated).toBe(0)
  })
})

it.each([
  [false, 401],
  ['', 401],
  [0, 401],
  [null, 401],
  [true, 503],
])('an authenticate that says %j lets nobody in', async (said, status) => {
  await start({ authenticate: () => said as never })
  expect(await upgrade(lab!.at(0).gateway.port)).toBe(status)
})

class Hidden {
  readonly #user = 'ann'
  get user() {
    return this.#user
  }
}

it.each([
  ['private fields', new Hidden()],
  ['a Map', new Map([['user', 'ann']])],
  ['functions', { user: () => 'ann' }],
  ['a symbol', Symbol('ann')],
  ['private fields of what is in it', { account: new Hidden() }],
  ['a list of Maps', [new Map([['user', 'ann']])]],
  ['a number that is none', { user: Number.NaN }],
])(
  'a principal of which nothing is seen, %s, lets nobody in unless principalId tells who it is',
  async (_, principal) => {
    await start({ authenticate: () => principal as never })
    expect(await upgrade(lab!.at(0).gateway.port)).toBe(503)
    await lab!.stop()
    await start({ authenticate: () => principal as never, principalId: () => 'ann' })
    expect(await upgrade(lab!.at(0).gateway.port)).toBe('open')
  },
)

it('a principal whose id is no well-formed Unicode is let in as nobody: it would be one with others in UTF-8', async () => {
  await start({ principalId: () => 'ann\ud800' })
  expect(await upgrade(lab!.at(0).gateway.port, { path: '/ws?user=ann' })).toBe(503)
})

it('what can be awaited is awaited, also if it is no Promise: it is not the principal', async () => {
  // As many a database has it: a query that runs when it is awaited.
  // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
  const query = { then: (resolve: (row: undefined) => void) => resolve(undefined) }
  await start({ authenticate: () => query as Promise<undefined> })
  expect(await upgrade(lab!.at(0).gateway.port)).toBe(401)
})

it('who says no hello in time is closed with 4002', async () => {
  await start({ authenticateTimeoutMs: 1 })
  const client = await lab!.open(0)
  expect(await client.closed).toEqual({ code: 4002, reason: 'auth_timeout' })
})

it('who has said hello in time is looked after when that time is over as before: its token expires', async () => {
  const sim = await labOf(1, {
    authenticateTimeoutMs: 2_000,
    authenticate: () => new Authenticated({ user: 'ann' }, { expiresAtMs: sim.clock.wallMs() + 10_000 }),
  })
  const socket = await hello(sim, 0)
  await sim.cluster.advance(8_000)
  expect([typesOf(socket), socket.closed]).toEqual([['welcome', 'expiring'], undefined])
  await sim.cluster.advance(2_000)
  expect(socket.closed).toBe(4001)
})

it.each([
  ['a message', [{ type: 'crash' }]],
  ['another control', { type: 'ping' }],
  ['a hello with a resume that is none', { type: 'hello', token: 'a', resume: { seq: 1 } }],
  ['no frame of the protocol', 17],
])('a first frame that is %s closes with 4400', async (_what, frame) => {
  await start()
  const client = await lab!.open(0)
  client.control(frame as object)
  expect(await client.closed).toEqual({ code: 4400, reason: 'bad_message' })
})

it('what a client sends before its session is there is handled by it, in order', async () => {
  let letIn: () => void = () => undefined
  const wait = new Promise<void>((resolve) => (letIn = resolve))
  await start({ authenticate: ({ token }) => (token === undefined ? undefined : wait.then(() => ({ user: token }))) })
  const client = await lab!.open(0)
  client.control({ type: 'hello', token: 'early' })
  client.send({ type: 'echo', message: 1 })
  client.send({ type: 'echo', message: 2 }, { type: 'echo', message: 3 })
  // A pong says that all frames before it have been read.
  await new Promise((resolve) => client.socket.once('pong', resolve).ping())
  letIn()
  expect(await client.received(3)).toEqual([1, 2, 3])
})

it('while it is found out who a client is little is read of it, and the rest when that is known', async () => {
  let letIn: () => void = () => undefined
  const wait = new Promise<void>((resolve) => (letIn = resolve))
  await start({ authenticate: ({ token }) => (token === undefined ? undefined : wait.then(() => ({ user: token }))) })
  const client = await lab!.open(0)
  const { sockets } = lab!.at(0).gateway as unknown as {
    sockets: { connections: Set<{ socket: { isPaused: boolean } }> }
  }
  const isPaused = () => [...sockets.connections].map(({ socket }) => socket.isPaused)
  const message = 'x'.repeat(2_048)
  client.control({ type: 'hello', token: 'eager' })
  client.send({ type: 'echo', message })
  await new Promise((resolve) => client.socket.once('pong', resolve).ping())
  expect(isPaused()).toEqual([false])
  for (let n = 0; n < 3; n++) client.send({ type: 'echo', message })
  await expect.poll(isPaused).toEqual([true])
  letIn()
  expect(await client.received(4)).toEqual([message, message, message, message])
})

describe('a token that expires', () => {
  const inMs =
    (expiresInMs: number): NonNullable<LabOptions['authenticate']> =>
    ({ token }) =>
      token === undefined
        ? undefined
        : new Authenticated({ user: token.split('-')[0] ?? '' }, { expiresAtMs: Date.now() + expiresInMs })

  it('is told of before, and then the socket is closed with 4001; the session can be gone on with', async () => {
    await start({ authenticate: inMs(1_500) })
    const client = await lab!.open(0)
    client.control({ type: 'hello', token: 'alice-1' })
    const welcome = await client.next('welcome')
    expect(welcome['expiresInMs']).toBeGreaterThan(0)
    client.send({ type: 'remember', note: 'still here' })
    await client.next('expiring')
    expect(await client.closed).toEqual({ code: 4001, reason: 'token_expired' })
    const again = await lab!.resume(0, 'alice-2', client.at)
    await again.next('resumed')
    again.send({ type: 'recall' })
    expect(await again.received(1)).toMatchObject([{ note: 'still here' }])
  })

  it('is told of at half of its time, if that is short: not again and again from the beginning on', async () => {
    await start({ authenticate: inMs(3_000) })
    const client = await lab!.open(0)
    client.control({ type: 'hello', token: 'alice-1' })
    expect((await client.next('expiring'))['inMs']).toBeLessThanOrEqual(1_500)
  })

  it('in 1970 was given in seconds, most likely: that is said, once a minute, and not of one that is just over', async () => {
    const logger = new MemoryLogger()
    let expiresAtMs = Date.now() - 1
    await start({ logger, authenticate: () => new Authenticated({ user: 'alice' }, { expiresAtMs }) })
    const { port } = lab!.at(0).gateway
    const query = { path: '/ws?user=alice' }
    const said = () => logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
    expect(await upgrade(port, query)).toBe(401)
    expect(said()).not.toContainEqual(expect.stringContaining('1970'))
    expiresAtMs = Math.floor(Date.now() / 1_000) + 3_600
    for (let n = 0; n < 3; n++) expect(await upgrade(port, query)).toBe(401)
    expect(said().filter((line) => line.includes('1970') && line.includes('milliseconds'))).toHaveLength(1)
  })

  it.each<[string, unknown]>([
    ['a number alone', 1_234],
    ['a letter too few', { expireAtMs: 1_234 }],
    ['a text', { expiresAtMs: '1234' }],
    ['a number that is none', { expiresAtMs: Number.NaN }],
    ['null', null],
  ])('that is said as %s is an error, and not for ever', (_what, more) => {
    expect(() => new Authenticated({ user: 'alice' }, more as never)).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
  })

  it('is put off by a fresh one', async () => {
    let expiresInMs = 1_500
    await start({ authenticate: (request) => inMs(expiresInMs)(request) })
    const client = await lab!.open(0)
    client.control({ type: 'hello', token: 'alice-1' })
    await client.next('expiring')
    expiresInMs = 3_600_000
    client.control({ type: 'auth', token: 'alice-2' })
    expect((await client.next('authenticated'))['expiresInMs']).toBeGreaterThan(3_000_000)
    client.send({ type: 'echo', message: 'on' })
    expect(await client.received(1)).toEqual(['on'])
  })

  it('of another principal closes with 4003, and the session ends', async () => {
    await start({ authenticate: inMs(3_600_000) })
    const client = await lab!.open(0)
    client.control({ type: 'hello', token: 'alice-1' })
    await client.next('welcome')
    client.control({ type: 'auth', token: 'mallory-1' })
    expect(await client.closed).toEqual({ code: 4003, reason: 'not_authenticated' })
    await expect.poll(() => lab!.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
  })
})

it('behind a trusted proxy the address is the one that it tells, and each address has its limit', async () => {
  const seen: string[] = []
  const { gateway } = (
    await start({
      trustedProxies: ['127.0.0.1'],
      maxConnectionsPerAddress: 1,
      authenticate: ({ remoteAddress }) => {
        seen.push(remoteAddress)
        return { user: 'alice' }
      },
    })
  ).at(0)
  const from = (address: string) =>
    new LabClient(`ws://127.0.0.1:${gateway.port}/ws`, '', { 'x-forwarded-for': `6.6.6.6, ${address}` })
  const first = from('192.0.2.1')
  await first.opened
  expect(await upgrade(gateway.port, { headers: { 'x-forwarded-for': '192.0.2.1' } })).toBe(429)
  expect(await upgrade(gateway.port, { headers: { 'x-forwarded-for': '192.0.2.2' } })).toBe('open')
  expect(seen[0]).toBe('192.0.2.1')
  first.socket.terminate()
  await first.closed
  await expect.poll(() => upgrade(gateway.port, { headers: { 'x-forwarded-for': '192.0.2.1' } })).toBe('open')
})

it('a session of the bare protocol is as it ever was: no hello, no numbers, and it ends with its socket', async () => {
  await start({ session: LabSession })
  const client = new LabClient(`ws://127.0.0.1:${lab!.at(0).gateway.port}/ws?user=bob`, '')
  await client.opened
  client.socket.send(JSON.stringify({ type: 'echo', message: ['an array is a message'] }))
  expect(await client.received(1)).toEqual(['an array is a message'])
  client.socket.terminate()
  await expect.poll(() => lab!.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
})

it('a fresh token for one that does not expire is answered, and nobody is asked', async () => {
  let asked = 0
  await start({
    authenticate: ({ token }) => {
      asked++
      return token === undefined ? undefined : { user: token }
    },
  })
  const client = await lab!.connect(0, 'alice')
  const before = asked
  client.control({ type: 'auth', token: 'alice' })
  expect(await client.next('authenticated')).toEqual({ type: 'authenticated' })
  expect(asked).toBe(before)
})
