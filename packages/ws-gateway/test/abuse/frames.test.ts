// PURPOSE: what is no WebSocket frame, or one that is made to cost more than it is: its socket is closed with the code of RFC 6455, its session ends, and nobody else notices.

import { constants, deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { AbuseLab } from './bystander.ts'
import { bytesOf, OPCODE, text, type RawClient } from './raw-client.ts'

const { continuation, ping, binary } = OPCODE
const MAX_FRAGMENTS = 1_024

/** A message in fragments of so many bytes each. */
function fragments(payload: string, bytesEach: number): Buffer[] {
  const parts = payload.match(new RegExp(`[^]{1,${bytesEach}}`, 'g')) ?? []
  return parts.map((part, index) =>
    bytesOf({ opcode: index === 0 ? OPCODE.text : continuation, payload: part, isFinal: index === parts.length - 1 }),
  )
}

/** A message of so many bytes to the session, with its answer. */
function echoOf(bytes: number): string {
  const empty = JSON.stringify([{ type: 'echo', message: '' }])
  return JSON.stringify([{ type: 'echo', message: 'x'.repeat(bytes - empty.length) }])
}

async function expectClosed(abuse: AbuseLab, client: RawClient, code: number): Promise<void> {
  expect(await client.closeCode).toBe(code)
  client.socket.end()
  await client.gone
  await abuse.expectUnharmed()
  expect(abuse.stats.closed).toEqual(new Map([[code, 1]]))
}

describe('a message in one-byte fragments', () => {
  it('is a message, as long as there are not more than 1,024', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('patient')
    client.write(...fragments(echoOf(MAX_FRAGMENTS), 1))
    await expect.poll(() => client.texts.at(-1)).toMatch(/^\["x+"\]$/)
    client.socket.destroy()
    await abuse.expectUnharmed({ detached: 1 })
  })

  it('of more closes with 1008', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('mallory')
    client.write(...fragments(echoOf(MAX_FRAGMENTS + 1), 1))
    await expectClosed(abuse, client, 1008)
  })

  it('that are empty, and never end, closes with 1008', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('mallory')
    client.write(bytesOf({ opcode: OPCODE.text, isFinal: false }))
    const empty = bytesOf({ opcode: continuation, isFinal: false })
    client.write(...Array.from({ length: MAX_FRAGMENTS }, () => empty))
    await expectClosed(abuse, client, 1008)
  })
})

describe('text that is not UTF-8', () => {
  it.each([
    ['a lone byte', [0xff]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a character that ends too early', [0xe2, 0x82]],
  ])('closes with 1007: %s', async (_what, bytes) => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('mallory')
    client.write(bytesOf({ opcode: OPCODE.text, payload: Buffer.from(bytes) }))
    await expectClosed(abuse, client, 1007)
  })

  it('closes with 1007 as the reason of a close frame, too', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('mallory')
    client.write(bytesOf({ opcode: OPCODE.close, payload: Buffer.from([0x03, 0xe8, 0xff]) }))
    await expectClosed(abuse, client, 1007)
  })

  it('is none if a character is cut by fragments', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('patient')
    const whole = Buffer.from(JSON.stringify([{ type: 'echo', message: '€' }]))
    const cut = whole.indexOf(0x82)
    client.write(bytesOf({ opcode: OPCODE.text, payload: whole.subarray(0, cut), isFinal: false }))
    client.write(bytesOf({ opcode: continuation, payload: whole.subarray(cut) }))
    await expect.poll(() => client.texts.at(-1)).toBe('["€"]')
    client.socket.destroy()
    await abuse.expectUnharmed({ detached: 1 })
  })
})

/** A frame's head that announces a payload, and nothing of it. */
const announcing = (length: bigint): Buffer => {
  const head = Buffer.alloc(14)
  head.set([0x81, 0xff])
  head.writeBigUInt64BE(length, 2)
  return head
}

describe.each<[string, number, readonly Buffer[]]>([
  ['without a mask', 1002, [bytesOf({ opcode: OPCODE.text, payload: '[]', isMasked: false })]],
  ['of an unknown kind', 1002, [bytesOf({ opcode: 5 })]],
  ['with a reserved bit', 1002, [bytesOf({ opcode: OPCODE.text, payload: '[1]', reserved: 0x20 })]],
  ['that is compressed where nobody has agreed to', 1002, [bytesOf({ opcode: OPCODE.text, reserved: 0x40 })]],
  ['that goes on with nothing', 1002, [bytesOf({ opcode: continuation, payload: 'x' })]],
  [
    'that begins a message within another',
    1002,
    [bytesOf({ opcode: OPCODE.text, payload: '[', isFinal: false }), text([1])],
  ],
  ['that is a part of a ping', 1002, [bytesOf({ opcode: ping, isFinal: false })]],
  ['that is a ping of 126 bytes', 1002, [bytesOf({ opcode: ping, payload: 'x'.repeat(126) })]],
  ['that closes with a code of one byte', 1002, [bytesOf({ opcode: OPCODE.close, payload: 'x' })]],
  ['that closes with a code that nobody may send', 1002, [bytesOf({ opcode: OPCODE.close, payload: '\x03\xee' })]],
  ['that is binary where text is spoken', 1003, [bytesOf({ opcode: binary, payload: '[1]' })]],
  ['of more than maxPayloadBytes', 1009, [bytesOf({ opcode: OPCODE.text, payload: 'x'.repeat(64 * 1024 + 1) })]],
  ['that announces a gigabyte', 1009, [announcing(2n ** 30n)]],
  ['that announces more than there can be', 1009, [announcing(2n ** 63n)]],
])('a frame %s', (_what, code, bytes) => {
  it(`closes with ${code}`, async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('mallory')
    client.write(...bytes)
    await expectClosed(abuse, client, code)
  })
})

describe('with compression', () => {
  const deflate = (payload: Buffer): Buffer =>
    // What permessage-deflate leaves out (RFC 7692 section 7.2.1): the last four bytes of a flush.
    deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
  const offer = ['Sec-WebSocket-Extensions: permessage-deflate']

  it('a compressed message is a message', async () => {
    const abuse = await AbuseLab.start({ compression: true })
    const client = await abuse.raw('patient', offer)
    const payload = deflate(Buffer.from(echoOf(60_000)))
    client.write(bytesOf({ opcode: OPCODE.text, payload, reserved: 0x40 }))
    await expect.poll(() => abuse.stats.messagesIn).toBe(2)
    client.socket.destroy()
    await abuse.expectUnharmed({ detached: 1 })
  })

  it('one that inflates beyond maxPayloadBytes closes with 1009, and is never inflated', async () => {
    const abuse = await AbuseLab.start({ compression: true })
    const bomb = deflate(Buffer.alloc(48 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(64 * 1024)
    const clients = await Promise.all(Array.from({ length: 40 }, () => abuse.raw('mallory', offer)))
    const beforeKb = process.resourceUsage().maxRSS
    for (const client of clients) client.write(bytesOf({ opcode: OPCODE.text, payload: bomb, reserved: 0x40 }))
    for (const client of clients) {
      expect(await client.closeCode).toBe(1009)
      client.socket.end()
    }
    await abuse.expectUnharmed()
    expect(abuse.stats.closed).toEqual(new Map([[1009, clients.length]]))
    // All of them hold 1.9 GB.
    expect(process.resourceUsage().maxRSS - beforeKb).toBeLessThan(100 * 1024)
  })

  it('one whose fragments inflate beyond it together, too', async () => {
    const abuse = await AbuseLab.start({ compression: true })
    const client = await abuse.raw('mallory', offer)
    const part = deflateRawSync(Buffer.alloc(40_000), { finishFlush: constants.Z_SYNC_FLUSH })
    client.write(bytesOf({ opcode: OPCODE.text, payload: part, reserved: 0x40, isFinal: false }))
    client.write(bytesOf({ opcode: continuation, payload: part, isFinal: false }))
    await expectClosed(abuse, client, 1009)
  })

  it('one that is no deflate closes with 1007', async () => {
    const abuse = await AbuseLab.start({ compression: true })
    const client = await abuse.raw('mallory', offer)
    client.write(bytesOf({ opcode: OPCODE.text, payload: Buffer.alloc(64, 0xff), reserved: 0x40 }))
    await expectClosed(abuse, client, 1007)
  })
})
