/**
 * The gateway's own frames, among those of `ws` on the same stream, as a client reads them that knows of neither.
 */
import { afterEach, expect, it } from 'vitest'
import { decode } from '@msgpack/msgpack'
import { WebSocket } from 'ws'
import { frameOf, payloadLength, payloadOf } from '../src/frame.ts'
import { Lab, LabSession } from './lab.ts'

let lab: Lab
afterEach(() => lab.stop())

/** Where the length of a frame takes another form, with the brackets of a message. */
const LENGTHS = [
  0, 1, 120, 121, 122, 123, 124, 125, 126, 127, 4_093, 4_094, 4_095, 4_096, 4_097, 65_530, 65_531, 65_532, 65_533,
  65_534, 65_535, 65_536, 70_000,
]

class Many extends LabSession {
  override async handleConnect(): Promise<void> {
    await this.registerAs(this.principal.user)
  }
}

it.each(['', 'pidmesh.json.1', 'pidmesh.msgpack.1'])(
  'messages of all lengths come whole and in order, with pings between them and a close after them (%s)',
  async (protocol) => {
    lab = await Lab.start(1, { session: Many, pingIntervalMs: 1, resume: { maxBytes: 1 } })
    const { gateway, names } = lab.at(0)
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws?user=reader`, protocol === '' ? [] : [protocol])
    const received: unknown[] = []
    let pings = 0
    socket.on('ping', () => pings++)
    socket.on('message', (data: Buffer, isBinary) => {
      expect(isBinary).toBe(protocol === 'pidmesh.msgpack.1')
      const frame = isBinary ? decode(data) : (JSON.parse(data.toString()) as unknown)
      if (Array.isArray(frame)) received.push(...(frame as unknown[]))
      else if (protocol === '') received.push(frame)
    })
    const closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve([code, reason.toString()])))
    await new Promise((resolve) => socket.on('open', resolve))
    if (protocol !== '') {
      const hello = { type: 'hello' }
      socket.send(
        protocol === 'pidmesh.json.1'
          ? JSON.stringify(hello)
          : Buffer.from([0x81, 0xa4, ...Buffer.from('type'), 0xa5, ...Buffer.from('hello')]),
      )
    }
    await expect.poll(() => names.whereisName('reader')).toBeDefined()
    const sent: string[] = []
    for (let round = 0; round < 3; round++) {
      for (const length of LENGTHS) {
        const message = 'é'.repeat(round).padEnd(length, 'x')
        sent.push(message)
        names.send('reader', message)
        if (length % 2 === 1) await new Promise((resolve) => setImmediate(resolve))
      }
      await expect.poll(() => received.length, { timeout: 5_000 }).toBe(sent.length)
      await expect.poll(() => pings, { timeout: 5_000 }).toBeGreaterThan(round)
    }
    await gateway.stop()
    expect(await closed).toEqual([1012, 'service_restart'])
    // Not as texts: nobody could read the difference.
    expect(received.map((text, index) => text === sent[index])).toEqual(sent.map(() => true))
  },
)

it('the payload of a frame is what was put in', () => {
  for (const length of LENGTHS) {
    const payload = Buffer.alloc(length, 7)
    for (const isKept of [true, false]) {
      const frame = frameOf(payload, isKept)
      expect(payloadOf(frame).equals(payload)).toBe(true)
      expect(payloadLength(frame)).toBe(length)
    }
  }
})

it('a text is its UTF-8, whatever its characters are', () => {
  for (const text of ['', 'abc', '\u007f', '\u0080', 'ÿ', 'naïve', '日本', '🙂', 'a\ud800b', '\udc00'])
    for (const length of LENGTHS) {
      const padded = text.padEnd(length, 'x')
      expect(payloadOf(frameOf(padded, false)).toString('hex')).toBe(Buffer.from(padded, 'utf8').toString('hex'))
    }
})
