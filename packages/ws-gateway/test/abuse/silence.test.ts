// PURPOSE: clients that stop: they don't read, don't answer, don't close. What they have is given back in time.

import { EventEmitter, once } from 'node:events'
import { expect, it } from 'vitest'
import { LabSession } from '../lab.ts'
import { AbuseLab } from './bystander.ts'
import { bytesOf, OPCODE, text } from './raw-client.ts'

/** A second for the beat, two for the close, one for a machine that has much to do. */
const GIVEN_BACK_MS = 4_000
/** A close frame's payload: 1000. */
const GOOD_BYE = Buffer.from([0x03, 0xe8])

it('a half-open connection is told 4010 after a ping without an answer, and cut off; its session waits for the client', async () => {
  const abuse = await AbuseLab.start({ pingIntervalMs: 100, pingTimeoutMs: 100 })
  const client = await abuse.raw('gone')
  expect(await client.closeCode).toBe(4010)
  expect(client.pings).toBe(1)
  await abuse.expectUnharmed({ detached: 1 })
  expect(abuse.stats.closed).toEqual(new Map([[4010, 1]]))
})

it.each([
  ['its close frame', bytesOf({ opcode: OPCODE.close, payload: GOOD_BYE }), 1000],
  ['what it must not', bytesOf({ opcode: OPCODE.text, payload: Buffer.from([0xff]) }), 1007],
])(
  'who has sent %s, and does not close the connection, is cut off, and its name is free',
  async (_what, bytes, code) => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('lingers')
    client.write(bytesOf({ opcode: OPCODE.text, payload: '[{"type":"register","name":"lingers"}]' }))
    await expect.poll(() => client.texts.at(-1)).toContain('registered')
    const startMs = performance.now()
    client.write(bytes)
    expect(await client.closeCode).toBe(code)
    await expect.poll(() => abuse.node.names.whereisName('lingers'), { timeout: 35_000 }).toBeUndefined()
    expect(performance.now() - startMs).toBeLessThan(GIVEN_BACK_MS)
    await abuse.expectUnharmed()
    expect(abuse.stats.closed).toEqual(new Map([[code, 1]]))
  },
  40_000,
)

it('who says good-bye while its session starts, and does not close the connection, is not waited for', async () => {
  const [begun, wait] = [new EventEmitter(), new EventEmitter()]
  const hasBegun = once(begun, 'now')
  class Slow extends LabSession {
    override handleConnect() {
      if (this.principal.user !== 'lingers') return undefined
      begun.emit('now')
      return once(wait, 'over').then(() => undefined)
    }
  }
  const abuse = await AbuseLab.start({ session: Slow })
  const client = abuse.dial({ headers: ['Sec-WebSocket-Protocol: pidmesh.json.1'] })
  client.write(text({ type: 'hello', token: 'lingers' }))
  await hasBegun
  client.write(bytesOf({ opcode: OPCODE.close, payload: GOOD_BYE }))
  expect(await client.closeCode).toBe(1000)
  wait.emit('over')
  await abuse.expectUnharmed()
})

it('who has said good-bye has closed with that, whatever the gateway does before the connection has ended', async () => {
  const abuse = await AbuseLab.start()
  const client = await abuse.raw('lingers')
  client.write(bytesOf({ opcode: OPCODE.close, payload: GOOD_BYE }))
  expect(await client.closeCode).toBe(1000)
  await abuse.node.gateway.drain({ overMs: 0, handOverMs: 0 })
  expect(Object.fromEntries(abuse.stats.closed)).toEqual({ 1000: 1, 1012: 1 })
})

it('who does not read what it is sent is closed with 4008, what waited for it is given back, and its session waits', async () => {
  class Talker extends LabSession {
    override handleInfo(message: unknown) {
      this.push(message)
    }
  }
  const abuse = await AbuseLab.start({ session: Talker })
  const client = await abuse.raw('sloth')
  client.write(bytesOf({ opcode: OPCODE.text, payload: '[{"type":"register","name":"sloth"}]' }))
  await expect.poll(() => client.texts.at(-1)).toContain('registered')
  client.socket.pause()
  const message = 'x'.repeat(100_000)
  let most = 0
  for (let sent = 0; sent < 200; sent++) {
    abuse.node.names.send('sloth', message)
    await new Promise((resolve) => setImmediate(resolve))
    most = Math.max(most, abuse.stats.bufferedBytes.sum)
  }
  await expect.poll(() => abuse.stats.closed.get(4008)).toBe(1)
  expect(most).toBeLessThan(1024 * 1024 + 100_100)
  await abuse.expectUnharmed({ detached: 1 })
  expect(abuse.stats.bufferedBytes.sum).toBe(0)
})

it('who asks and does not read the answers is closed with 4008, too', async () => {
  const abuse = await AbuseLab.start({ maxMessagesPerSecond: 1_000_000, messageBurst: 1_000_000 })
  const client = await abuse.raw('asks')
  client.socket.pause()
  const questions = Buffer.concat(
    Array.from({ length: 5_000 }, () => bytesOf({ opcode: OPCODE.text, payload: '{"type":"ping"}' })),
  )
  // The system keeps some megabytes of the answers before any wait for the client.
  for (let sent = 0; sent < 100 && abuse.stats.closed.size === 0; sent++) {
    if (!client.socket.write(questions)) await Promise.race([once(client.socket, 'drain'), client.gone])
  }
  expect(abuse.stats.closed).toEqual(new Map([[4008, 1]]))
  await abuse.expectUnharmed({ detached: 1 })
})
