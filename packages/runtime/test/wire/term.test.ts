import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PidmeshError } from '../../src/errors.ts'
import { nodeName, Pid, Ref } from '../../src/ids.ts'
import { DEFAULT_TERM_LIMITS, TermCodec } from '../../src/wire/term.ts'

const codec = new TermCodec()
const origin = { name: nodeName('a@127.0.0.1'), incarnation: 1_767_225_600_000_123 }

const roundTrip = (term: unknown): unknown => codec.decode(codec.encode(term))

const pid = fc.integer({ min: 1 }).map((id) => new Pid(origin, id))
const ref = fc.integer({ min: 1 }).map((id) => new Ref(origin, id))
const key = fc.string().filter((text) => text !== '__proto__')
const { term } = fc.letrec<{ term: unknown }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(undefined, null, true, false, 0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53)),
    fc.integer(),
    fc.double().map((number) => (number === 0 ? 0 : number)),
    fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.date({ noInvalidDate: true }),
    pid,
    ref,
    fc.array(tie('term'), { maxLength: 5 }),
    fc.dictionary(key, tie('term'), { maxKeys: 5, noNullPrototype: true }),
    fc
      .array(fc.tuple(fc.oneof(fc.string(), fc.integer(), pid), tie('term')), { maxLength: 4 })
      .map((entries) => new Map(entries)),
    fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 4 }).map((items) => new Set(items)),
  ),
}))

function codeOf(act: () => unknown): unknown {
  try {
    act()
    return 'no error'
  } catch (error) {
    return error instanceof PidmeshError ? error.code : error
  }
}

describe('terms', () => {
  it('every sendable term comes back equal', () => {
    fc.assert(
      fc.property(term, (value) => {
        expect(roundTrip(value)).toEqual(value)
      }),
      { numRuns: 1_000 },
    )
  })

  it('a small bigint stays a bigint, an integer a number, bytes an Uint8Array of their own', () => {
    expect(roundTrip([5n, 5, -5n, 2n ** 64n])).toEqual([5n, 5, -5n, 2n ** 64n])
    const bytes = roundTrip(Uint8Array.of(1, 2, 3)) as Uint8Array
    expect(bytes).toBeInstanceOf(Uint8Array)
    expect(Buffer.isBuffer(bytes)).toBe(false)
    const fromBuffer = codec.decode(Buffer.from(codec.encode({ bytes }))) as { bytes: Uint8Array }
    expect(Buffer.isBuffer(fromBuffer.bytes)).toBe(false)
    expect([...bytes]).toEqual([1, 2, 3])
  })

  it('an error comes as plain data', () => {
    expect(roundTrip({ cause: new RangeError('too far') })).toMatchObject({
      cause: { name: 'RangeError', message: 'too far' },
    })
  })

  it.each([
    ['a function', { a: [{ callback: () => 1 }] }, 'message.a.0.callback'],
    ['a symbol', Symbol('s'), 'message'],
    ['an instance of a class', { user: new (class User {})() }, 'message.user'],
    ['a promise', Promise.resolve(), 'message'],
    ['the key __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'message.a'],
    [
      'something that contains itself',
      (() => {
        const a: unknown[] = []
        a.push(a)
        return a
      })(),
      'message.0',
    ],
  ])('%s is an error at the sender that says where it stands', (_what, value, where) => {
    expect(() => codec.encode(value)).toThrowError(
      expect.objectContaining({ code: 'ERR_NOT_SENDABLE', message: expect.stringContaining(where) }),
    )
  })

  it('a message over the limit is an error at the sender', () => {
    const small = new TermCodec({ ...DEFAULT_TERM_LIMITS, maxBytes: 1_000 })
    expect(codeOf(() => small.encode('x'.repeat(1_001)))).toBe('ERR_MESSAGE_TOO_LARGE')
  })
})

describe('hostile bytes', () => {
  it('any bytes at all give a term or ERR_BAD_TERM, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['no error', 'ERR_BAD_TERM']).toContain(codeOf(() => codec.decode(bytes)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('a term with some bytes changed gives a term or ERR_BAD_TERM', () => {
    fc.assert(
      fc.property(term, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), (value, changes) => {
        const bytes = codec.encode(value).slice()
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        expect(['no error', 'ERR_BAD_TERM']).toContain(codeOf(() => codec.decode(bytes)))
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['lengths that lie', [0x9a, 0xff, 0xff, 0xff, 0xff]],
    ['a long text that is not there', [0x7a, 0x7f, 0xff, 0xff, 0xff]],
    ['an indefinite length', [0x9f, 0x01, 0xff]],
    ['a tag that is not ours', [0xd8, 0x1b, 0x81, 0x63, 0x61, 0x62, 0x63]],
    ['a record definition', [0xd9, 0xdf, 0xff, 0x82, 0x19, 0x01, 0x00, 0x80]],
    ['bytes that are left over', [0x01, 0x01]],
    ['nothing', []],
    ['a pid that is none', [0xd9, 0x9e, 0x35, 0x83, 0x01, 0x02, 0x03]],
  ])('%s are refused', (_what, bytes) => {
    expect(codeOf(() => codec.decode(Uint8Array.from(bytes)))).toBe('ERR_BAD_TERM')
  })

  it('nesting of 100,000 arrays is refused without a stack overflow', () => {
    expect(codeOf(() => codec.decode(new Uint8Array(100_000).fill(0x81)))).toBe('ERR_BAD_TERM')
  })

  it('a property named __proto__ changes no prototype', () => {
    const bytes = new Encoder({ useRecords: false }).encode(JSON.parse('{"__proto__":{"polluted":true}}'))
    const decoded = codec.decode(Uint8Array.from(bytes)) as Record<string, unknown>
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype)
    expect(decoded['polluted']).toBeUndefined()
  })
})

describe('hostile terms', () => {
  it('a tag of a map that holds none does not change how the next term is read', () => {
    const good = { type: 'hello', inner: { x: 1 } }
    for (const bytes of [
      [0xd9, 0x01, 0x03, 1],
      [0xd9, 0x01, 0x03, 0x81, 0xd9, 0x01, 0x02, 1],
      [0x82, 0xd9, 0x01, 0x03, 0x80, 0xd9, 0x01, 0x02, 1],
    ]) {
      try {
        codec.decode(Uint8Array.from(bytes))
      } catch {
        // It may be refused or not: what counts is what comes next.
      }
      expect(codec.decode(codec.encode(good))).toEqual(good)
    }
  })

  it('a bigint of more than 1,024 bits is refused before it is made: that takes time with the square of its length', () => {
    const term = new Uint8Array(6 + 128 * 1024).fill(0xff)
    term.set([0xc2, 0x5a, 0, 2, 0, 0])
    expect(() => codec.decode(term)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_TERM' }))
  })

  it('what is within the limit of values at its sender is so at its receiver, whatever tags and keys it takes', () => {
    const small = new TermCodec({ ...DEFAULT_TERM_LIMITS, maxItems: 1_000 })
    const values = ['text', [], new Set(), new Map(), new Date(0), 2n ** 200n, -(2n ** 200n)]
    for (const value of values) {
      const term = Object.fromEntries(Array.from({ length: 999 }, (_, i) => [`key ${i}`, value]))
      expect(small.decode(small.encode(term))).toEqual(term)
    }
  })
})
