import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PidmeshError } from '../../src/errors.ts'
import { nodeName } from '../../src/ids.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { TermCodec } from '../../src/wire/term.ts'

const codec = new FrameCodec(new TermCodec())
const payload = Uint8Array.of(0x01)
const node = { name: nodeName('a@127.0.0.1'), incarnation: 5 }

const frames: Frame[] = [
  { type: 'handshake', message: { type: 'hello', version: 1, node, nonce: new Uint8Array(32), address: 'a:1' } },
  { type: 'handshake', message: { type: 'challenge', version: 1, node, nonce: new Uint8Array(32) } },
  { type: 'handshake', message: { type: 'proof', mac: new Uint8Array(32) } },
  { type: 'handshake', message: { type: 'accepted', mac: new Uint8Array(32), address: 'b:2' } },
  { type: 'handshake', message: { type: 'refused', code: 'bad_cookie' } },
  { type: 'control', message: { type: 'tick', heardAgeMs: 12.5 } },
  { type: 'control', message: { type: 'goodbye', reason: 'shutdown' } },
  { type: 'control', message: { type: 'peers', peers: [{ name: node.name, address: 'a:1' }] } },
  {
    type: 'data',
    signals: [
      { type: 'send', from: 1, to: 2, payload },
      { type: 'send_name', from: 1, name: 'x', payload },
      { type: 'send_alias', from: 1, to: 2 ** 52, payload },
      { type: 'exit', from: 1, to: 2, reason: 'kill' },
      { type: 'link', from: 1, to: 2 },
      { type: 'link_exit', from: 1, to: 2, reason: { error: { name: 'Error', message: 'x' } } },
      { type: 'unlink', from: 1, to: 2, id: 4 },
      { type: 'unlink_ack', from: 1, to: 2, id: 4 },
      { type: 'monitor', from: 1, ref: 3, to: 2 },
      { type: 'monitor', from: 1, ref: 3, to: 'name' },
      { type: 'demonitor', ref: 3 },
      { type: 'down', ref: 3, reason: 'noproc' },
    ],
  },
]

/** Bytes as bytes, whatever class of array they came in. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, item: unknown) => (item instanceof Uint8Array ? [...item] : item)))
}

describe('frames', () => {
  it.each(frames.map((frame) => [frame.type === 'data' ? 'data' : frame.message.type, frame] as const))(
    '%s comes back as it was',
    (_type, frame) => {
      const decoded = codec.decode(codec.encode(frame))
      expect(plain(normalised(decoded))).toEqual(plain(frame))
    },
  )

  it('an exit reason that cannot be sent does not keep the signal from being sent', () => {
    const frame: Frame = { type: 'data', signals: [{ type: 'down', ref: 1, reason: { callback: () => 1 } }] }
    expect(codec.decode(codec.encode(frame))).toEqual({
      type: 'data',
      signals: [{ type: 'down', ref: 1, reason: 'unsendable_reason' }],
    })
  })

  it('any bytes at all, and every frame with bytes changed, give a frame or ERR_BAD_TERM, and nothing else', () => {
    const check = (bytes: Uint8Array): void => {
      try {
        codec.decode(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(PidmeshError)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), { numRuns: 2_000 })
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (frame, changes) => {
          const bytes = Uint8Array.from(codec.encode(frame))
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          check(bytes)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

/** A decoded Buffer's JSON form is not that of an Uint8Array. */
function normalised(frame: Frame): unknown {
  const bytes = (value: unknown): unknown => (value instanceof Uint8Array ? Uint8Array.from(value) : value)
  if (frame.type !== 'data')
    return {
      ...frame,
      message: Object.fromEntries(Object.entries(frame.message).map(([key, value]) => [key, bytes(value)])),
    }
  return {
    ...frame,
    signals: frame.signals.map((signal) =>
      Object.fromEntries(Object.entries(signal).map(([key, value]) => [key, bytes(value)])),
    ),
  }
}
