import { once } from 'node:events'
import { decode, encode } from '@msgpack/msgpack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { Lab, type LabClient } from './lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await Lab.start(3)
})
afterAll(() => lab.stop())

/** Its socket breaks, as when a cable is pulled, and its session knows. */
async function cut(client: LabClient, index: number): Promise<void> {
  const { gateway } = lab.at(index)
  const before = gateway.stats.sessions.detached
  client.socket.terminate()
  await client.closed
  await expect.poll(() => gateway.stats.sessions.detached).toBe(before + 1)
}

let users = 0
/** Sessions of other tests have other users. */
function someone(): string {
  return `user${++users}`
}

describe.each([
  { where: 'on its own node', back: 0 },
  { where: 'on another node', back: 1 },
])('a client that comes back $where', ({ back }) => {
  it('gets what it has missed, once and in order, and goes on', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    first.send({ type: 'register', name: user }, { type: 'echo', message: 1 })
    await first.received(2)
    await cut(first, 0)
    for (const message of [2, 3, 4]) expect(lab.at(2).names.send(user, message)).toBe('ok')
    await expect.poll(() => pendingOf(0)).toBe(5)
    const second = await lab.resume(back, user, first.at)
    const resumed = await second.next('resumed')
    expect(resumed).toMatchObject({ seq: 2, received: 2 })
    expect(await second.received(3)).toEqual([2, 3, 4])
    expect(second.seq).toBe(5)
    second.send({ type: 'echo', message: 5 })
    expect(await second.received(4)).toEqual([2, 3, 4, 5])
    second.socket.close(1000)
    await second.closed
  })

  it('in another subprotocol is told the last number that there was, and begins anew', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    first.send({ type: 'register', name: user }, { type: 'echo', message: 1 })
    await first.received(2)
    await cut(first, 0)
    const second = new WebSocket(`ws://127.0.0.1:${lab.at(back).gateway.port}/ws`, ['pidmesh.msgpack.1'])
    const answered = new Promise((resolve) => second.once('message', (frame: Buffer) => resolve(decode(frame))))
    second.on('open', () => second.send(encode({ type: 'hello', token: user, resume: { ...first.at, seq: 1 } })))
    expect(await answered).toEqual({ type: 'resume_failed', why: 'refused', seq: 2 })
    second.close(1000)
    await once(second, 'close')
    await lab.at(0).gateway.revoke(user)
  })

  it('has its name, its rooms and its state still, and a push from anywhere reaches it', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    first.send({ type: 'register', name: user }, { type: 'enter', room: user }, { type: 'remember', note: 'milk' })
    await first.handled()
    await cut(first, 0)
    const second = await lab.resume(back, user, first.at)
    await second.next('resumed')
    second.send({ type: 'recall' })
    expect(await second.received(1)).toEqual([{ type: 'note', note: 'milk', node: `n${back}@127.0.0.1` }])
    await expect.poll(() => lab.at(2).names.whereisName(user)?.node).toBe(`n${back}@127.0.0.1`)
    lab.at(2).names.send(user, 'by name')
    expect(await second.received(2)).toContain('by name')
    lab.at(2).gateway.broadcast(user, 'to the room')
    expect(await second.received(3)).toContain('to the room')
    second.socket.close(1000)
    await second.closed
  })

  it('closes the socket that its session still had with 4014', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    const second = await lab.resume(back, user, first.at)
    await second.next('resumed')
    expect(await first.closed).toEqual({ code: 4014, reason: 'resumed_elsewhere' })
    second.send({ type: 'echo', message: 'here' })
    expect(await second.received(1)).toEqual(['here'])
    second.socket.close(1000)
  })

  it('is told of a gap if it has missed more than the session keeps, and begins anew', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    first.send({ type: 'register', name: user })
    await first.received(1)
    await cut(first, 0)
    for (let message = 0; message < 65; message++) lab.at(0).names.send(user, message)
    const second = await lab.resume(back, user, first.at)
    expect(await second.next('resume_failed')).toEqual({ type: 'resume_failed', why: 'gap', seq: 66 })
    expect(await second.next('welcome')).toMatchObject({ seq: 0, received: 0 })
    second.send({ type: 'register', name: user })
    expect(await second.received(1)).toEqual([{ type: 'registered', name: user }])
    second.socket.close(1000)
  })

  it('can use its token once: who comes with the former one after the client has used its own is sent away, and harms nobody', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    await first.handled()
    const stolen = first.at
    await cut(first, 0)
    const second = await lab.resume(back, user, stolen)
    await second.next('resumed')
    second.control({ type: 'ack', seq: 1 })
    await second.handled()
    const third = await lab.resume(2, user, stolen)
    // It might be the past of the client itself. Later it is refused: see session-moves.test.ts.
    expect(await third.closed).toMatchObject({ code: 1013 })
    second.send({ type: 'echo', message: 'unharmed' })
    expect(await second.received(2)).toContain('unharmed')
    second.socket.close(1000)
  })

  it('may use its former token as long as it has not shown that it has the next: what told it may have been lost', async () => {
    const user = someone()
    const first = await lab.connect(0, user)
    first.send({ type: 'echo', message: 'one' })
    await first.received(1)
    await cut(first, 0)
    const second = await lab.resume(back, user, first.at)
    await second.next('resumed')
    await cut(second, back)
    const third = await lab.resume(back, user, first.at)
    expect(await third.next('resumed')).toMatchObject({ seq: 1 })
    // Lost again, and again the client has none but the first.
    await cut(third, back)
    const fourth = await lab.resume(1 - back, user, first.at)
    expect(await fourth.next('resumed')).toMatchObject({ seq: 1 })
    fourth.socket.close(1000)
  })
})

it("a token is its own principal's: another one's is refused", async () => {
  const client = await lab.connect(0, 'owner')
  const thief = await lab.resume(1, 'thief', client.at)
  expect(await thief.next('resume_failed')).toEqual({ type: 'resume_failed', why: 'refused', seq: 0 })
  await client.handled()
  for (const one of [client, thief]) one.socket.close(1000)
})

it.each(['', 'x', 'AAAA', 'A'.repeat(87), 'A'.repeat(10_000)])(
  'a token that is none is refused (%#)',
  async (token) => {
    const client = await lab.resume(0, 'someone', { token, seq: 3 })
    expect(await client.next('resume_failed')).toEqual({ type: 'resume_failed', why: 'refused', seq: 3 })
    await client.next('welcome')
    client.socket.close(1000)
  },
)

it('a client that says good-bye ends its session: it is gone at once', async () => {
  const client = await lab.connect(0, 'leaver')
  client.socket.close(1000)
  await client.closed
  const again = await lab.resume(0, 'leaver', client.at)
  expect(await again.next('resume_failed')).toMatchObject({ why: 'gone' })
  again.socket.close(1000)
})

it('acknowledgements of something new are free, others count as messages do', async () => {
  const client = await lab.connect(0, 'acker')
  const { names } = lab.at(0)
  client.send({ type: 'register', name: 'acker' })
  await client.received(1)
  for (let message = 0; message < 400; message++) {
    names.send('acker', message)
    await client.received(message + 2)
    client.control({ type: 'ack', seq: client.seq })
  }
  await client.handled()
  for (let again = 0; again < 400; again++) client.control({ type: 'ack', seq: client.seq })
  expect((await client.closed).code).toBe(4005)
})

it("the client's messages are counted, so that it knows which have come", async () => {
  const client = await lab.connect(0, 'sender')
  for (let message = 0; message < 16; message++) client.send({ type: 'echo', message })
  expect(await client.next('received')).toEqual({ type: 'received', received: 16 })
  client.send({ type: 'echo', message: 16 })
  await client.received(17)
  client.control({ type: 'ping' })
  expect(await client.next('received')).toEqual({ type: 'received', received: 17 })
  await client.next('pong')
  client.socket.close(1000)
})

/** Messages that all sessions of a node keep. */
function pendingOf(index: number): number {
  const { hub } = lab.at(index).gateway as unknown as {
    hub: { sessions: Map<number, { client: { state: { ring: { size: number } } } }> }
  }
  return [...hub.sessions.values()].reduce((sum, { client }) => sum + client.state.ring.size, 0)
}
