// PURPOSE: what a client says is in no line of the log: no token, no payload, and nothing that could make another line of it, or speak to a terminal.

import { MemoryLogger } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import { LabClient, LabSession, type ClientMessage } from '../lab.ts'
import { AbuseLab } from './bystander.ts'
import { bytesOf, OPCODE, text, type RawClient } from './raw-client.ts'

/** In all that a client says. */
const MARK = 'MARKED'
/** A line that looks like one of ours, colours, a title for the terminal's window, and the escapes of one byte. */
const EVIL = `${MARK}\r\n{"level":50,"msg":"the cluster is lost"}\u001b[31m\u001b]0;owned\u0007\u009b2J\u0000\u007f\u2028`
const LONG = `${MARK}${'x'.repeat(50_000)}`
/** No line is longer, whatever a client does. */
const MAX_LINE = 4_000

/** Of all lines, with all that they hold. */
function expectClean({ lines }: MemoryLogger): void {
  for (const line of lines) {
    for (const one of textsOf(line)) {
      expect(one).not.toContain(MARK)
      // oxlint-disable-next-line no-control-regex -- these are what must not be there
      expect(one).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
    }
    expect(JSON.stringify(line).length).toBeLessThan(MAX_LINE)
  }
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  // A stack has lines of its own: the logger escapes them.
  return Object.entries(value).flatMap(([key, item]) =>
    key === 'stack' ? String(item).split('\n') : [key, ...textsOf(item)],
  )
}

async function start(
  options: Parameters<typeof AbuseLab.start>[0] = {},
): Promise<{ abuse: AbuseLab; log: MemoryLogger }> {
  const log = new MemoryLogger()
  return { abuse: await AbuseLab.start({ ...options, logger: log }), log }
}

async function ended(client: RawClient): Promise<void> {
  await client.closeCode
  client.socket.destroy()
}

it('an upgrade is in no line: path, query, headers, subprotocol, cookie, token', async () => {
  const { abuse, log } = await start({ tokens: { cookie: 'sid' }, trustedProxies: ['127.0.0.1'] })
  const encoded = encodeURIComponent(EVIL.replaceAll('\u0000', ''))
  const obs = `${MARK}\u009b31m\u0085`
  const upgrades: { path?: string; headers?: string[] }[] = [
    { path: `/${encoded}` },
    { path: `/ws?token=${encoded}` },
    { path: `/ws?${encoded}=${encoded}` },
    { path: `/ws?user=${MARK}&${'y'.repeat(8_000)}` },
    { path: `http://${MARK}:${MARK}@[/ws` },
    { headers: [`Origin: http://${obs}`] },
    { headers: [`X-Forwarded-For: ${obs}, 1.2.3.4${obs}`] },
    { headers: [`User-Agent: ${obs}`, `${MARK}-header: ${'z'.repeat(8_000)}`] },
    { headers: [`Authorization: Bearer ${MARK}${'t'.repeat(8_000)}`] },
    { headers: [`Cookie: sid=${MARK}${obs}; ${obs}`] },
    { headers: [`Sec-WebSocket-Protocol: pidmesh.json.1, pidmesh.token.${MARK}`] },
    { headers: [`Sec-WebSocket-Protocol: ${obs}`] },
    { headers: [`Sec-WebSocket-Extensions: ${MARK}; a="${obs}"`] },
  ]
  for (const upgrade of upgrades) {
    const client = abuse.dial(upgrade)
    await client.status
    client.socket.destroy()
  }
  await expect.poll(() => abuse.stats.connections).toBe(1)
  expectClean(log)
})

it.each([
  ['no JSON', EVIL],
  ['a control that nobody knows', JSON.stringify({ type: EVIL, [EVIL]: EVIL })],
  ['a hello of garbage', JSON.stringify({ type: 'hello', token: [EVIL] })],
  ['a message', JSON.stringify([{ type: EVIL, [EVIL]: LONG }])],
  ['an echo', JSON.stringify([{ type: 'echo', message: EVIL }])],
  ['a message that ends the session', JSON.stringify([{ type: 'crash', note: EVIL }])],
  ['a long message that ends the session', JSON.stringify([{ type: 'crash', note: LONG }])],
  ['a message to a name', JSON.stringify([{ type: 'send', to: EVIL, message: EVIL }])],
  ['a message to a long name', JSON.stringify([{ type: 'send', to: LONG, message: EVIL }])],
  ['a name', JSON.stringify([{ type: 'register', name: EVIL }])],
  ['a long name', JSON.stringify([{ type: 'register', name: LONG }])],
  ['a room', JSON.stringify([{ type: 'enter', room: EVIL, meta: { [EVIL]: EVIL } }])],
  ['a long room', JSON.stringify([{ type: 'enter', room: LONG, meta: { note: MARK } }])],
  ['a token', JSON.stringify({ type: 'auth', token: EVIL })],
  ['an acknowledgement', JSON.stringify({ type: 'ack', seq: EVIL })],
])('a frame is in no line: %s', async (_what, payload) => {
  const { abuse, log } = await start()
  // The session's own token is to be in no line, either.
  const client = await abuse.raw(`${MARK}-token`, [`X-Note: ${MARK}`])
  client.write(bytesOf({ opcode: OPCODE.text, payload }))
  client.write(bytesOf({ opcode: OPCODE.close, payload: Buffer.from([0x0f, 0xa0, ...Buffer.from(EVIL)]) }))
  await ended(client)
  await expect.poll(() => abuse.stats.sessions.attached).toBe(1)
  expectClean(log)
})

it('the first frame, a resume token and the reason of a close are in no line', async () => {
  const { abuse, log } = await start()
  const headers = ['Sec-WebSocket-Protocol: pidmesh.json.1']
  for (const frame of [
    text({ type: EVIL }),
    text({ type: 'hello', token: EVIL }),
    text({ type: 'hello', token: `${MARK}-user`, resume: { token: EVIL, seq: 1 } }),
    bytesOf({ opcode: OPCODE.close, payload: Buffer.from([0x0f, 0xa0, ...Buffer.from(EVIL)]) }),
    bytesOf({ opcode: OPCODE.ping, payload: EVIL.slice(0, 60) }),
    bytesOf({ opcode: 5, payload: EVIL }),
  ]) {
    const client = abuse.dial({ headers })
    expect(await client.status).toBe(101)
    client.write(frame, bytesOf({ opcode: OPCODE.close }))
    await ended(client)
  }
  await abuse.expectUnharmed()
  expectClean(log)
})

it('an authenticate that fails, and tells in its error what it was given, does not tell the log', async () => {
  const { abuse, log } = await start({
    authenticate: ({ token }) => {
      if (token === 'bystander') return { user: token }
      if (token === undefined) return undefined
      throw new Error(`no database for ${token}\nnext line\u001b[0m`)
    },
  })
  const client = abuse.dial({ headers: [`Authorization: Bearer ${MARK}-secret`] })
  expect(await client.status).toBe(503)
  expect(log.lines.filter(({ message }) => message === 'authenticate failed')).toHaveLength(1)
  expectClean(log)
})

it('what a session leaves in the log that has crashed has nothing of the message that it was at, nor of its state', async () => {
  class Broken extends LabSession {
    readonly secrets = { last: '' }
    override handleMessage(message: ClientMessage) {
      if (message.type !== 'recall') return super.handleMessage(message)
      this.secrets.last = JSON.stringify(message)
      throw new TypeError('broken')
    }
  }
  const { abuse, log } = await start({ session: Broken })
  const client = new LabClient(`ws://127.0.0.1:${abuse.node.gateway.port}/ws?user=${MARK}`, '', { 'x-note': MARK })
  await client.opened
  client.socket.send(JSON.stringify({ type: 'recall', text: EVIL }))
  expect((await client.closed).code).toBe(1011)
  await abuse.expectUnharmed()
  expect(log.lines.filter(({ fields }) => fields['report'] === 'crash')).toHaveLength(1)
  expectClean(log)
})
