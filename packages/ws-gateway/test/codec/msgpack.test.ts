/**
 * MessagePack as hostile clients write it. Frames are hex: 91 is an array of one.
 */
import { decode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MsgpackCodec } from '../../src/codec/msgpack.ts'
import { scanMsgpack } from '../../src/codec/msgpack-scan.ts'

const codec = new MsgpackCodec()
const ofHex = (hex: string) => codec.decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const malformed = (problem: string) => ({ type: 'malformed', problem })
const message = (value: unknown) => ({ type: 'messages', messages: [value] })

describe('lengths', () => {
  it('that are more than what is left of the frame are malformed, and nothing is made ready for them', () => {
    for (const header of [
      'dd ffffffff',
      'dd 01c9c380',
      'df ffffffff',
      'dc ffff',
      'db ffffffff',
      'c6 ffffffff',
      'c9 ffffffff',
    ]) {
      expect(ofHex(`91 ${header}`)).toEqual(malformed('ends too early'))
    }
  })

  it('of arrays within arrays are counted together: 3 KB of headers would take 580 MB', () => {
    const before = process.memoryUsage().heapTotal
    expect(ofHex('dcffff'.repeat(1_000))).toEqual(malformed('ends too early'))
    // Each one has room by itself, and all together have not.
    expect(ofHex('dc0100'.repeat(60) + '00'.repeat(300))).toEqual(malformed('ends too early'))
    expect(process.memoryUsage().heapTotal - before).toBeLessThan(64 * 1024 * 1024)
  })

  it('that are less than what is left are malformed', () => {
    expect(ofHex('91 01 02')).toEqual(malformed('more bytes than one value'))
  })
})

it('64 KiB of nested arrays or maps are malformed at the first level that is too deep', () => {
  expect(ofHex('91'.repeat(65_535) + '01')).toEqual(malformed('more than 65 levels'))
  expect(ofHex('91' + '81a161'.repeat(20_000) + '01')).toEqual(malformed('more than 65 levels'))
})

it('a key is text, and not __proto__', () => {
  expect(ofHex('91 81 a161 01')).toEqual(message({ a: 1 }))
  for (const key of ['01', 'c0', '90', '80', 'c40161', 'cb3ff0000000000000']) {
    expect(ofHex(`91 81 ${key} 01`)).toEqual(malformed('a key that is not text'))
  }
  const proto = Buffer.from('__proto__').toString('hex')
  expect(ofHex(`91 81 a9${proto} 80`)).toEqual(malformed('a key __proto__'))
  expect(ofHex(`91 a9${proto}`)).toEqual(message('__proto__'))
  // The same, with an overlong underscore.
  expect(ofHex(`91 81 aa c19f${proto.slice(2)} 80`)).toEqual(malformed('text that is not UTF-8'))
})

it('a message to a client with a key __proto__ has no form: its decoder would fail at it, however often it is sent', () => {
  for (const text of ['{"__proto__":1}', '[{"a":[{"__proto__":{}}]}]'])
    expect(codec.encodeMessage(JSON.parse(text))).toBeUndefined()
  const innocent = ['__proto__', { __proto__x: '__proto__' }]
  expect(decode(codec.encodeMessage(innocent) ?? [])).toEqual([innocent])
})

it('text to a client is UTF-8, also where it holds halves of pairs: decoders of other languages fail at anything else', () => {
  for (const count of [1, 100]) {
    const [half, replaced] = ['a\ud800'.repeat(count), 'a\ufffd'.repeat(count)]
    const frame = codec.encodeMessage({ [half]: ['\ude00', half, '한글 \u{1f600}', 2 ** 60, -0.5, new Date(5)] })
    const values = ['\ufffd', replaced, '한글 \u{1f600}', 2 ** 60, -0.5, new Date(5)]
    expect(codec.decode(frame ?? Buffer.of())).toEqual(message({ [replaced]: values }))
  }
  const bytes = Uint8Array.of(0xed, 0xa0, 0x80)
  expect(codec.decode(codec.encodeMessage({ bytes }) ?? Buffer.of())).toEqual(message({ bytes }))
})

it('text that is not UTF-8 is malformed, short or long', () => {
  expect(ofHex('91 a2 c3a4')).toEqual(message('ä'))
  for (const bytes of ['ff', 'c3', 'eda080', 'c080']) {
    expect(ofHex(`91 ${(0xa0 + bytes.length / 2).toString(16)} ${bytes}`)).toEqual(malformed('text that is not UTF-8'))
    const long = '61'.repeat(100) + bytes
    expect(ofHex(`91 d9 ${(long.length / 2).toString(16)} ${long}`)).toEqual(malformed('text that is not UTF-8'))
  }
})

it('integers up to 2^53 are numbers, and what would be rounded is malformed', () => {
  expect(ofHex('91 cf 001fffffffffffff')).toEqual(message(Number.MAX_SAFE_INTEGER))
  expect(ofHex('91 d3 ffe0000000000001')).toEqual(message(Number.MIN_SAFE_INTEGER))
  for (const beyond of ['cf 0020000000000000', 'cf ffffffffffffffff', 'd3 8000000000000000', 'd3 ffe0000000000000']) {
    expect(ofHex(`91 ${beyond}`)).toEqual(malformed('an integer beyond 2^53'))
  }
})

it('of the extensions there are times, and no other', () => {
  const date = new Date('2026-01-02T03:04:05.678Z')
  for (const one of [date, new Date(0), new Date(-1), new Date(8.64e15), new Date(-8.64e15)]) {
    expect(codec.decode(codec.encodeMessage(one) ?? Buffer.alloc(0))).toEqual(message(one))
  }
  expect(ofHex('91 d6 ff 00000000')).toEqual(message(new Date(0)))
  for (const type of ['00', '01', '7f', 'fe']) expect(ofHex(`91 d4 ${type} 00`)).toEqual(malformed('an extension'))
  // A size that no time has, too many nanoseconds, and a year that no Date reaches.
  for (const time of [
    'd4 ff 00',
    'c7 00 ff',
    'd7 ff ffffffff00000000',
    `c7 0c ff 00000000 7${'f'.repeat(15)}`,
    `c7 0c ff ffffffff ${'00'.repeat(8)}`,
    // A nanosecond after the last of all Dates.
    'c7 0c ff 00000001 000007dba8218000',
  ]) {
    expect(ofHex(`91 ${time}`)).toEqual(malformed('not a time'))
  }
  expect(codec.encodeMessage(new Date(NaN))).toBe(undefined)
})

it('bytes are a Uint8Array of their own memory', () => {
  const frame = Buffer.from('91c403010203', 'hex')
  const decoded = codec.decode(frame)
  expect(decoded).toEqual(message(Uint8Array.of(1, 2, 3)))
  const [bytes] = decoded.type === 'messages' ? decoded.messages : []
  expect(Buffer.isBuffer(bytes)).toBe(false)
  frame.fill(0)
  expect(decoded).toEqual(message(Uint8Array.of(1, 2, 3)))
})

it('bytes and times by themselves are neither messages nor a control', () => {
  for (const frame of ['c40101', 'd6ff00000000', '01', 'a161', 'c0', 'c2']) {
    expect(ofHex(frame)).toEqual(malformed('neither messages nor a control'))
  }
  expect(ofHex('')).toEqual(malformed('ends too early'))
  expect(ofHex('c1')).toEqual(malformed('a byte that begins nothing'))
})

it('what has passed the scan is decoded, unless a key is __proto__; what the decoder fails at has not passed', () => {
  // Headers are frequent among these, so that many a case is right.
  const byte = fc.oneof(
    fc.constantFrom(0x80, 0x81, 0x82, 0x90, 0x91, 0x92, 0xa0, 0xa1, 0xc0, 0xc4, 0xcd, 0xd4, 0xd6, 0xd9),
    fc.nat({ max: 255 }),
  )
  let passed = 0
  fc.assert(
    fc.property(fc.array(byte, { minLength: 1, maxLength: 12 }), (bytes) => {
      const frame = Buffer.from(bytes)
      if ('problem' in scanMsgpack(frame, 65)) return
      passed++
      expect(() => decode(frame)).not.toThrow()
    }),
    { numRuns: 20_000 },
  )
  expect(passed).toBeGreaterThan(1_000)
})

it('a large message leaves no large buffer behind, nor does one that fails', () => {
  const large = 'x'.repeat(4 * 1024 * 1024)
  const held = () => {
    const { encoder } = codec as unknown as { encoder: { bytes: Uint8Array } }
    return encoder.bytes.length
  }
  expect(codec.encodeMessage(large)?.length).toBeGreaterThan(large.length)
  expect(held()).toBeLessThanOrEqual(64 * 1024)
  expect(codec.encodeMessage([large, 1n])).toBe(undefined)
  expect(held()).toBeLessThanOrEqual(64 * 1024)
})

it('numbers that JSON has not are themselves', () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    expect(codec.decode(codec.encodeMessage(value) ?? Buffer.alloc(0))).toEqual(message(value))
  }
})
