// PURPOSE: who may come in, and what a client says first: hello, acknowledgements, MessagePack. What is wrong has its status or close code, and harms nobody.

import { encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { AbuseLab } from './bystander.ts'
import { bytesOf, OPCODE, text, type RawClient, type RawUpgrade } from './raw-client.ts'

const json = ['Sec-WebSocket-Protocol: pidmesh.json.1']
const hello = { type: 'hello', token: 'someone' }

async function expectClosed(abuse: AbuseLab, client: RawClient, code: number): Promise<void> {
  expect(await client.closeCode).toBe(code)
  client.socket.end()
  await abuse.expectUnharmed()
}

describe('an upgrade is refused with', () => {
  it.each<[number, string, string, readonly string[]]>([
    [403, 'a page of another host', '/ws', ['Origin: http://evil.test']],
    [403, 'a page of a host whose name begins like ours', '/ws', ['Origin: http://gateway.test.evil.test']],
    [403, 'our name as a user of another', '/ws', ['Origin: http://gateway.test@evil.test']],
    [403, 'another port', '/ws', ['Origin: http://gateway.test:81']],
    [403, 'a page without an origin', '/ws', ['Origin: null']],
    [403, 'no origin at all', '/ws', ['Origin: \u00ff\u00fe']],
    [403, 'an empty origin', '/ws', ['Origin:']],
    [403, 'two origins, ours and another', '/ws', ['Origin: http://gateway.test, http://evil.test']],
    [400, 'a token in the query', '/ws?token=secret', []],
    [400, 'a token in the query, written otherwise', '/ws?%61ccess_token=secret', []],
    [404, 'another path', '/ws/../../etc/passwd', []],
    [400, 'no path', 'http://[/ws', []],
    [401, 'a wrong token', '/ws', ['Authorization: Bearer nobody']],
  ])('%i: %s', async (status, _what, path, headers) => {
    const abuse = await AbuseLab.start()
    const client = abuse.dial({ path, headers: [...headers, ...json] })
    expect(await client.status).toBe(status)
    expect(abuse.stats.refused).toEqual(new Map([[status, 1]]))
    await abuse.expectUnharmed()
  })
})

it.each<[number, string, RawUpgrade]>([
  [405, 'Invalid HTTP method', { method: 'POST' }],
  [400, 'Missing or invalid Sec-WebSocket-Key header', { key: 'short' }],
  [400, 'Missing or invalid Sec-WebSocket-Version header', { version: '7' }],
])('an upgrade that is none of WebSocket is refused, counted, and told why: %i %s', async (status, why, upgrade) => {
  const abuse = await AbuseLab.start()
  const client = abuse.dial({ ...upgrade, headers: json })
  expect(await client.status).toBe(status)
  expect(abuse.stats.refused).toEqual(new Map([[status, 1]]))
  expect(client.answer).toContain('\r\nSec-WebSocket-Version: 13, 8\r\n')
  expect(client.answer.endsWith(`\r\n\r\n${why}\n`)).toBe(true)
  await abuse.expectUnharmed()
})

describe('a hello', () => {
  it('that comes again closes with 4400', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('twice')
    client.write(text(hello))
    await expectClosed(abuse, client, 4400)
  })

  it('that comes again before the first is answered closes with 4400, and who is authenticated is the first', async () => {
    const asked: unknown[] = []
    const abuse = await AbuseLab.start({
      authenticate: ({ token }) => {
        if (token !== undefined) asked.push(token)
        return token === undefined ? undefined : { user: token }
      },
    })
    const client = abuse.dial({ headers: json })
    expect(await client.status).toBe(101)
    client.write(text({ type: 'hello', token: 'first' }), text({ type: 'hello', token: 'second' }))
    await expectClosed(abuse, client, 4400)
    expect(asked).toEqual(['bystander', 'first'])
  })

  it.each([
    ['that is binary', 1003, bytesOf({ opcode: OPCODE.binary, payload: JSON.stringify(hello) })],
    ['of 100 levels', 4400, text({ ...hello, x: nested(100) })],
    ['whose token is a number', 4400, text({ type: 'hello', token: 7 })],
    ['whose resume is a list', 4400, text({ ...hello, resume: [] })],
    ['with a key __proto__', 4400, bytesOf({ opcode: OPCODE.text, payload: '{"type":"hello","__proto__":{}}' })],
    ['of more than maxPayloadBytes', 1009, text({ type: 'hello', token: 'x'.repeat(100_000) })],
    ['with a token of 60 KB', 4003, text({ type: 'hello', token: 'x'.repeat(60_000) })],
    ['with a token of several lines', 4003, text({ type: 'hello', token: 'alice\r\nadmin' })],
  ])('%s closes with %i, and authenticate is not asked', async (_what, code, bytes) => {
    const asked: unknown[] = []
    const abuse = await AbuseLab.start({
      authenticate: ({ token }) => {
        if (token !== undefined) asked.push(token)
        return token === undefined ? undefined : { user: token }
      },
    })
    const client = abuse.dial({ headers: json })
    expect(await client.status).toBe(101)
    client.write(bytes)
    await expectClosed(abuse, client, code)
    expect(asked).toEqual(['bystander'])
  })

  it('with a resume token of 60 KB is one with a token that is none', async () => {
    const abuse = await AbuseLab.start()
    const client = abuse.dial({ headers: json })
    expect(await client.status).toBe(101)
    client.write(text({ ...hello, resume: { token: 'x'.repeat(60_000), seq: 7 } }))
    await expect.poll(() => client.texts[0]).toBe('{"type":"resume_failed","why":"refused","seq":7}')
    client.write(bytesOf({ opcode: OPCODE.close, payload: Buffer.from([0x03, 0xe8]) }))
    await expectClosed(abuse, client, 1000)
  })
})

describe('an acknowledgement', () => {
  it.each([1, 1e9, -1, 0.5, 2 ** 53, '0', null, [], {}])('of what was not sent closes with 4400: %j', async (seq) => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('eager')
    client.write(text({ type: 'ack', seq }))
    await expectClosed(abuse, client, 4400)
  })

  it('of what a newer message was sent after is taken, and one that goes back changes nothing', async () => {
    const abuse = await AbuseLab.start()
    const client = await abuse.raw('slow')
    client.write(
      text([
        { type: 'echo', message: 1 },
        { type: 'echo', message: 2 },
      ]),
    )
    await expect.poll(() => client.texts.length).toBe(3)
    client.write(...[2, 1, 0, 2].map((seq) => text({ type: 'ack', seq })), text({ type: 'ping' }))
    await expect.poll(() => client.texts.at(-1)).toBe('{"type":"pong"}')
    client.socket.destroy()
    await abuse.expectUnharmed({ detached: 1 })
  })
})

describe('a client that speaks MessagePack', () => {
  async function connect(abuse: AbuseLab): Promise<RawClient> {
    const client = abuse.dial({ headers: ['Sec-WebSocket-Protocol: pidmesh.msgpack.1'] })
    expect(await client.status).toBe(101)
    client.write(bytesOf({ opcode: OPCODE.binary, payload: encode(hello) }))
    await expect.poll(() => abuse.stats.sessions.attached).toBe(2)
    return client
  }

  it.each<[string, readonly number[]]>([
    ['nothing', []],
    ['a byte that begins nothing', [0xc1]],
    ['a number', [0x07]],
    ['a map of four billion', [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ['a list of four billion', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['text of four gigabytes', [0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]],
    ['lists in lists', Array.from({ length: 5_000 }, () => 0x91)],
    ['headers of lists, each of 65,535', Array.from({ length: 5_001 }, (_, at) => [0xdc, 0xff, 0xff][at % 3] ?? 0)],
    ['an extension', [0x91, 0xd4, 0x07, 0x00]],
    ['a number beyond 2^53', [0x91, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['text that is not UTF-8', [0x91, 0xa1, 0xff]],
    ['a map with a number as its key', [0x81, 0x01, 0x01]],
    ['a key __proto__', [0x81, 0xa9, ...Buffer.from('__proto__'), 0x80]],
    ['two values', [0x91, 0x01, 0x91, 0x01]],
    ['JSON', [...Buffer.from('[{"type":"echo","message":1}]')]],
    ['a control that nobody knows', [...encode({ type: 'sudo' })]],
  ])('and sends garbage is closed with 4400: %s', async (_what, bytes) => {
    const abuse = await AbuseLab.start()
    const client = await connect(abuse)
    client.write(bytesOf({ opcode: OPCODE.binary, payload: Uint8Array.from(bytes) }))
    await expectClosed(abuse, client, 4400)
  })

  it('and sends text is closed with 1003', async () => {
    const abuse = await AbuseLab.start()
    const client = await connect(abuse)
    client.write(text([{ type: 'echo', message: 1 }]))
    await expectClosed(abuse, client, 1003)
  })
})

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
