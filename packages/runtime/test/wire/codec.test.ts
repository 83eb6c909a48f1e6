import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PidmeshError } from '../../src/errors.ts'
import { nodeName } from '../../src/ids.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import { sliceOf, type Slice } from '../../src/slice.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { pidmesh } from '../../src/wire/generated/dist.js'
import { TermCodec } from '../../src/wire/term.ts'
import { viewOf } from './raw-frames.ts'

const codec = new FrameCodec(new TermCodec())
const payload = sliceOf(Uint8Array.of(0x01))
const context = sliceOf(Uint8Array.of(0xa1, 0x61, 0x74, 0x61, 0x31))
const node = { name: nodeName('a@127.0.0.1'), incarnation: 5 }

const frames: Frame[] = [
  {
    type: 'handshake',
    message: {
      type: 'hello',
      version: 3,
      oldestVersion: 2,
      node,
      nonce: new Uint8Array(32),
      address: 'a:1',
      isHidden: true,
      tickMs: 1_500,
    },
  },
  { type: 'handshake', message: { type: 'challenge', version: 1, node, nonce: new Uint8Array(32) } },
  { type: 'handshake', message: { type: 'proof', mac: new Uint8Array(32) } },
  {
    type: 'handshake',
    message: { type: 'accepted', mac: new Uint8Array(32), address: 'b:2', isHidden: true, tickMs: 1_500 },
  },
  { type: 'handshake', message: { type: 'refused', code: 'bad_cookie', versions: undefined } },
  { type: 'handshake', message: { type: 'refused', code: 'version', versions: { oldest: 2, newest: 4 } } },
  { type: 'part', transfer: 3, bytes: Uint8Array.of(1, 2, 3), last: true },
  { type: 'control', message: { type: 'tick', heardAgeMs: 12.5 } },
  { type: 'control', message: { type: 'goodbye', reason: 'shutdown' } },
  { type: 'control', message: { type: 'peers', peers: [{ name: node.name, address: 'a:1' }] } },
  {
    type: 'data',
    signals: [
      { type: 'send', from: 1, to: 2, payload },
      { type: 'send_name', from: 1, name: 'x', payload },
      { type: 'send_alias', from: 1, to: 2 ** 52, payload },
      { type: 'answer', from: 1, to: 2 ** 52, payload },
      { type: 'send_name', from: 1, name: 'näme '.repeat(20), payload },
      { type: 'send_many', from: 1, to: [2, 3, 2 ** 50], payload },
      { type: 'send', from: 1, to: 2, payload: sliceOf(new Uint8Array(20_000).fill(7)) },
      { type: 'send', from: 1, to: 2, payload, context },
      { type: 'send_name', from: 1, name: 'x', payload, context },
      { type: 'send_alias', from: 1, to: 2 ** 52, payload, context },
      { type: 'send_many', from: 1, to: [2, 3], payload, context: sliceOf(new Uint8Array(2_048).fill(7)) },
      { type: 'request', from: 1, ref: 3, to: 2, payload, context },
      { type: 'request', from: 1, ref: 3, to: 'näme', payload, context },
      { type: 'exit', from: 1, to: 2, reason: 'kill' },
      { type: 'link', from: 1, to: 2 },
      { type: 'link_exit', from: 1, to: 2, reason: { error: { name: 'Error', message: 'x' } } },
      { type: 'unlink', from: 1, to: 2, id: 4 },
      { type: 'unlink_ack', from: 1, to: 2, id: 4 },
      { type: 'monitor', from: 1, ref: 3, to: 2 },
      { type: 'monitor', from: 1, ref: 3, to: 'name' },
      { type: 'demonitor', from: 1, ref: 3 },
      { type: 'request', from: 1, ref: 3, to: 2, payload },
      { type: 'request', from: 1, ref: 3, to: 'näme', payload },
      { type: 'down', from: 0, ref: 3, reason: 'noproc' },
      { type: 'down', from: 9, ref: 3, reason: { killed: 'x'.repeat(300) } },
    ],
  },
]

/** Bytes and slices as lists of numbers, whatever they came in. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if ('bytes' in value && 'start' in value) return [...viewOf(value as Slice)]
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

function encode(frame: Frame): Uint8Array {
  if (frame.type !== 'data') return codec.encode(frame)
  const writer = codec.signalWriter()
  for (const signal of frame.signals) writer.append(signal)
  return writer.takeFrame()
}

const named = frames.map((frame) => ['message' in frame ? frame.message.type : frame.type, frame] as const)

describe('frames', () => {
  it.each(named)('%s comes back as it was', (_type, frame) => {
    expect(plain(codec.decode(encode(frame)))).toEqual(plain(frame))
  })

  it('of data are what the generated code writes, byte for byte, and what it reads', () => {
    for (const frame of frames) {
      if (frame.type !== 'data') continue
      for (const signal of frame.signals) {
        const bytes = encode({ type: 'data', signals: [signal] })
        const envelope = pidmesh.Envelope.decode(bytes)
        expect(envelope.data?.signals?.length).toBe(1)
        expect([...pidmesh.Envelope.encode(envelope).finish()]).toEqual([...bytes])
      }
    }
  })

  it('of data are read whatever the order of the fields', () => {
    const [inner] = [Buffer.concat([field(2, 7), field(1, 5), Buffer.from([0x1a, 1, 0x01])])]
    const signal = Buffer.concat([Buffer.from([0x0a, inner.length]), inner])
    const data = Buffer.concat([Buffer.from([0x0a, signal.length]), signal])
    const frame = codec.decode(Buffer.concat([Buffer.from([0x1a, data.length]), data]))
    expect(plain(frame)).toEqual({ type: 'data', signals: [{ type: 'send', from: 5, to: 7, payload: [1] }] })
  })

  it.each([
    ['a field that is not known', [0x0a, 3, 0x0a, 1, 0x08]],
    ['a signal that is not known', [0x0a, 2, 0x7a, 0]],
    ['a field of data that is not known', [0x12, 0]],
    ['a length past the end', [0x0a, 0x7f]],
    ['a signal with something behind it', [0x0a, 3, 0x0a, 0, 0]],
    ['no fields', [0x0a, 2, 0x0a, 0]],
  ])('of data with %s are refused', (_what, data) => {
    const frame = Uint8Array.from([0x1a, data.length, ...data])
    expect(() => codec.decode(frame)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_TERM' }))
  })

  it.each([
    ['2 GiB', [0x80, 0x80, 0x80, 0x80, 0x08]],
    ['ten bytes', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['half a number', [0x80]],
  ])('of data with a length of %s are refused as that', (_what, length) => {
    const frame = Uint8Array.from([0x1a, length.length + 1, 0x0a, ...length])
    expect(() => codec.decode(frame)).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_TERM', message: 'undecodable frame: a malformed length' }),
    )
  })

  it('of data hold payloads byte for byte, of whatever length, and wherever they were copied from', () => {
    const blocks = Array.from({ length: 3 }, (_, block) =>
      Uint8Array.from({ length: 400 }, (_, at) => (at * 7 + block) & 0xff),
    )
    const slice = fc
      .tuple(fc.constantFrom(...blocks), fc.nat(200), fc.nat(100))
      .map(([bytes, start, length]): Slice => ({ bytes, start, end: start + length }))
    fc.assert(
      fc.property(fc.array(slice, { minLength: 1, maxLength: 20 }), (payloads) => {
        const signals = payloads.map((each) => ({ type: 'send' as const, from: 1, to: 2, payload: each }))
        expect(plain(codec.decode(encode({ type: 'data', signals })))).toEqual(plain({ type: 'data', signals }))
      }),
    )
  })

  it('of data with a context of more than 2 KiB are refused', () => {
    const tooLarge = sliceOf(new Uint8Array(2_049).fill(7))
    const frame = encode({ type: 'data', signals: [{ type: 'send', from: 1, to: 2, payload, context: tooLarge }] })
    expect(() => codec.decode(frame)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_TERM' }))
  })

  it('a signal without a context is not a byte longer for it', () => {
    const bytes = encode({ type: 'data', signals: [{ type: 'send', from: 1, to: 2, payload, context: undefined }] })
    expect(bytes).toHaveLength(2 + 2 + 2 + 9 + 9 + 3)
  })

  it('an exit reason that cannot be sent does not keep the signal from being sent', () => {
    const frame: Frame = { type: 'data', signals: [{ type: 'down', from: 1, ref: 1, reason: { callback: () => 1 } }] }
    expect(codec.decode(encode(frame))).toEqual({
      type: 'data',
      signals: [{ type: 'down', from: 1, ref: 1, reason: 'unsendable_reason' }],
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
    // Most of them are no frame of data by their first byte.
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 127 }), (data) => check(Uint8Array.from([0x1a, data.length, ...data]))),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (frame, changes) => {
          const bytes = Uint8Array.from(encode(frame))
          for (const [at, byte] of changes) bytes[at % bytes.length] = byte
          check(bytes)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

/** A field of a double. */
function field(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = number * 8 + 1
  bytes.writeDoubleLE(value, 1)
  return bytes
}

it('no more peers are told than one message may name', () => {
  const peers = Array.from({ length: 1_025 }, (_, n) => ({ name: nodeName(`n${n}@127.0.0.1`), address: 'a:1' }))
  const told = codec.decode(codec.encode({ type: 'control', message: { type: 'peers', peers } }))
  expect(told).toEqual({ type: 'control', message: { type: 'peers', peers: peers.slice(0, 1_024) } })
})

it.each([-1, 86_400_001, Infinity, NaN])('a node that says it ticks every %d milliseconds is none', (tickMs) => {
  const accepted = { type: 'accepted', mac: new Uint8Array(32), address: 'b:2', isHidden: false } as const
  const said = (ms: number) => codec.encode({ type: 'handshake', message: { ...accepted, tickMs: ms } })
  expect(() => codec.decode(said(86_400_000))).not.toThrow()
  expect(() => codec.decode(said(tickMs))).toThrowError(expect.objectContaining({ code: 'ERR_BAD_TERM' }))
})
