// PURPOSE: clients that send more than they may: of messages, of what is no message, of attempts to resume. They are closed, and nobody else notices.

import { Authenticated } from '@pidmesh/ws-gateway'
import { expect, it } from 'vitest'
import { AbuseLab } from './bystander.ts'
import { bytesOf, OPCODE, text, type RawClient } from './raw-client.ts'

const BURST = 20
const limits = { maxMessagesPerSecond: 10, messageBurst: BURST }

const echo = text([{ type: 'echo', message: 'x' }])
const many = text(Array.from({ length: 2 * BURST }, () => ({ type: 'echo', message: 'x' })))

it.each([
  ['messages', Array.from({ length: 2 * BURST }, () => echo)],
  ['messages in one frame', [many]],
  ['controls', Array.from({ length: 2 * BURST }, () => text({ type: 'ping' }))],
  ['acknowledgements', Array.from({ length: 2 * BURST }, () => text({ type: 'ack', seq: 0 }))],
  ['pings', Array.from({ length: 2 * BURST }, () => bytesOf({ opcode: OPCODE.ping, payload: 'x' }))],
  ['pongs that nobody has asked for', Array.from({ length: 2 * BURST }, () => bytesOf({ opcode: OPCODE.pong }))],
])('a flood of %s closes with 4005; the session waits for its client', async (_what, frames) => {
  const abuse = await AbuseLab.start(limits)
  const client = await abuse.raw('flooder')
  client.write(...frames)
  expect(await client.closeCode).toBe(4005)
  client.socket.end()
  await abuse.expectUnharmed({ detached: 1 })
  expect(abuse.stats.closed).toEqual(new Map([[4005, 1]]))
  expect(abuse.stats.messagesIn).toBeLessThanOrEqual(BURST + 3)
  expect(client.pongs).toBeLessThanOrEqual(BURST)
})

it('a flood that ends with what is no frame closes with 4005, and its session waits all the same: what comes after the close changes nothing', async () => {
  const abuse = await AbuseLab.start(limits)
  const client = await abuse.raw('flooder')
  client.write(...Array.from({ length: 2 * BURST }, () => echo), bytesOf({ opcode: OPCODE.text, isMasked: false }))
  expect(await client.closeCode).toBe(4005)
  client.socket.end()
  await abuse.expectUnharmed({ detached: 1 })
})

it('a flood of acknowledgements of what nobody counts closes with 4005', async () => {
  const abuse = await AbuseLab.start({ ...limits, resume: false })
  const client = await abuse.raw('flooder')
  client.write(...Array.from({ length: 2 * BURST }, (_, index) => text({ type: 'ack', seq: index + 1 })))
  expect(await client.closeCode).toBe(4005)
  client.socket.end()
  await abuse.expectUnharmed()
})

it('a flood before the hello closes with 4005, too', async () => {
  const abuse = await AbuseLab.start(limits)
  const client = abuse.dial({ headers: ['Sec-WebSocket-Protocol: pidmesh.json.1'] })
  expect(await client.status).toBe(101)
  client.write(...Array.from({ length: 2 * BURST }, () => bytesOf({ opcode: OPCODE.ping })))
  expect(await client.closeCode).toBe(4005)
  client.socket.end()
  await abuse.expectUnharmed()
})

it('a flood of fresh tokens asks for one at a time, and closes with 4400', async () => {
  let asked = 0
  const abuse = await AbuseLab.start({
    authenticate: async ({ token, tokenFrom }) => {
      if (tokenFrom === undefined || token === undefined) return undefined
      if (token !== 'refresh') return new Authenticated({ user: token }, { expiresAtMs: Date.now() + 3_600_000 })
      asked++
      return new Promise(() => undefined)
    },
  })
  const client = await abuse.raw('flooder')
  client.write(...Array.from({ length: 50 }, () => text({ type: 'auth', token: 'refresh' })))
  expect(await client.closeCode).toBe(4400)
  expect(asked).toBe(1)
  client.socket.end()
  await abuse.expectUnharmed()
})

it('of 50 sockets that come with one token at once each is told what it is, and one has the session', async () => {
  const abuse = await AbuseLab.start()
  const { lab } = abuse
  const owner = await lab.connect(0, 'owner')
  owner.send({ type: 'remember', note: 'mine' })
  await owner.handled()
  const { at } = owner
  owner.socket.terminate()
  const clients = await Promise.all(Array.from({ length: 50 }, () => lab.open(0)))
  for (const client of clients) client.control({ type: 'hello', token: 'owner', resume: at })
  const resumed = () => clients.filter((client) => client.controls.some(({ type }) => type === 'resumed'))
  await expect.poll(() => resumed().length).toBe(1)
  const open = resumed()
  const others = clients.filter((client) => client !== open[0])
  for (const { closed } of others) expect(await closed).toMatchObject({ code: 1013 })
  open[0]?.send({ type: 'recall' })
  await expect.poll(() => open[0]?.messages.at(-1)).toMatchObject({ note: 'mine' })
  // From now on it is not.
  open[0]?.control({ type: 'ack', seq: open[0].seq })
  await open[0]?.handled()
  const late = await lab.resume(0, 'owner', at)
  expect(await late.closed).toMatchObject({ code: 1013 })
  for (const { socket } of [...clients, late]) socket.close(1000)
  await abuse.expectUnharmed()
})

it('500 tokens that are one character off are each refused, and the session that they are of goes on with its client', async () => {
  const abuse = await AbuseLab.start()
  const victim = await abuse.lab.connect(0, 'victim')
  const forged = (number: number): string => {
    // Of the last character some bits say nothing.
    const at = number % (victim.resumeToken.length - 1)
    return `${victim.resumeToken.slice(0, at)}${victim.resumeToken[at] === 'A' ? 'B' : 'A'}${victim.resumeToken.slice(at + 1)}`
  }
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        abuse.lab.resume(0, 'victim', { token: forged(50 * round + index), seq: 0 }),
      ),
    )
    for (const client of clients) {
      expect(await client.next('resume_failed')).toMatchObject({ why: 'refused' })
      client.socket.close(1000)
    }
  }
  expect(abuse.stats.resumes).toEqual(new Map([['refused', 500]]))
  await victim.handled()
  victim.socket.close(1000)
  await abuse.expectUnharmed()
})

it('an address has so many connections, and an upgrade beyond them 429', async () => {
  const abuse = await AbuseLab.start({ maxConnectionsPerAddress: 20 })
  const clients = Array.from({ length: 100 }, () => abuse.dial({ headers: ['Sec-WebSocket-Protocol: pidmesh.json.1'] }))
  const statuses = await Promise.all(clients.map(({ status }) => status))
  // One of the 20 is the bystander's.
  expect(statuses.filter((status) => status === 101)).toHaveLength(19)
  expect(statuses.filter((status) => status === 429)).toHaveLength(81)
  for (const { socket } of clients) socket.destroy()
  await abuse.expectUnharmed()
})

it('an address that says nothing keeps no other out: of those that are being authenticated it has a quarter', async () => {
  const abuse = await AbuseLab.start({
    maxAuthenticating: 8,
    maxConnectionsPerAddress: 8,
    trustedProxies: ['127.0.0.1'],
  })
  const clients: RawClient[] = []
  const dial = (address: string, ...more: string[]): RawClient => {
    const headers = ['Sec-WebSocket-Protocol: pidmesh.json.1', `X-Forwarded-For: ${address}`, ...more]
    const client = abuse.dial({ headers })
    clients.push(client)
    return client
  }
  const statuses = await Promise.all(Array.from({ length: 10 }, () => dial('192.0.2.1').status))
  expect(statuses.filter((status) => status === 101)).toHaveLength(2)
  expect(statuses.filter((status) => status === 429)).toHaveLength(8)
  expect(await dial('192.0.2.1', 'Authorization: Bearer someone').status).toBe(429)
  // An address that is no client's alone: of IPv6 a client has a /64.
  for (const one of ['2001:db8::1', '2001:db8::2']) expect(await dial(one).status).toBe(101)
  expect(await dial('2001:db8::3').status).toBe(429)
  const known = dial('192.0.2.2')
  expect(await known.status).toBe(101)
  expect(await dial('192.0.2.2').status).toBe(101)
  known.write(text({ type: 'hello', token: 'someone' }))
  await expect.poll(() => known.texts.some((one) => one.includes('welcome')), { interval: 5 }).toBe(true)
  expect(await dial('192.0.2.2').status).toBe(101)
  for (const address of ['192.0.2.3', '192.0.2.4']) await dial(address).status
  expect(await dial('192.0.2.5').status).toBe(503)
  for (const { socket } of clients) socket.destroy()
  await abuse.expectUnharmed({ detached: 1 })
})

it('who lets an address have more connections than are authenticated at once lets it have all of those, too', async () => {
  const abuse = await AbuseLab.start({ maxAuthenticating: 4, maxConnectionsPerAddress: 5 })
  const clients = Array.from({ length: 5 }, () => abuse.dial({ headers: ['Sec-WebSocket-Protocol: pidmesh.json.1'] }))
  const statuses = await Promise.all(clients.map(({ status }) => status))
  expect(statuses.toSorted((a, b) => a - b)).toEqual([101, 101, 101, 101, 503])
  for (const { socket } of clients) socket.destroy()
  await abuse.expectUnharmed()
})
