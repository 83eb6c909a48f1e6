import { Encoder, Tag } from 'cbor-x'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PidmeshError } from '../../src/errors.ts'
import { nodeName, Pid, Ref } from '../../src/ids.ts'
import { sliceOf } from '../../src/slice.ts'
import { DEFAULT_TERM_LIMITS, encodedBytes, MessageCodec, TermCodec, type TermLimits } from '../../src/wire/term.ts'
import { viewOf } from './raw-frames.ts'

const terms = new TermCodec()
/** As bytes of their own. */
const codec = {
  encode: (term: unknown): Uint8Array => viewOf(terms.encode(term)).slice(),
  decode: (bytes: Uint8Array): unknown => terms.decode(sliceOf(bytes)),
}
const origin = { name: nodeName('a@127.0.0.1'), incarnation: 1_767_225_600_000_123 }

const roundTrip = (term: unknown): unknown => codec.decode(codec.encode(term))

const pid = fc.integer({ min: 1 }).map((id) => new Pid(origin, id))
const ref = fc.integer({ min: 1 }).map((id) => new Ref(origin, id))
const key = fc.string().filter((text) => text !== '__proto__')
const { term } = fc.letrec<{ term: unknown }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(undefined, null, true, false, 0, -0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53)),
    fc.integer(),
    fc.double(),
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

  it('is CBOR: another codec reads it, and what another codec writes is read', () => {
    const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false })
    const plain = fc.letrec<{ term: unknown }>((tie) => ({
      term: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(undefined, null, true, false),
        fc.integer(),
        fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
        fc.bigInt({ min: 2n ** 64n, max: 2n ** 200n }),
        fc.string({ unit: 'grapheme', maxLength: 200 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.array(tie('term'), { maxLength: 30 }),
        fc.dictionary(key, tie('term'), { maxKeys: 30, noNullPrototype: true }),
      ),
    }))
    fc.assert(
      fc.property(plain.term, (value) => {
        expect(cbor.decode(codec.encode(value))).toEqual(value)
        expect(codec.decode(cbor.encode(value))).toEqual(roundTrip(value))
      }),
      { numRuns: 500 },
    )
    expect(cbor.decode(codec.encode(new Pid(origin, 7)))).toEqual(new Tag([origin.name, origin.incarnation, 7], 40_501))
  })

  it('texts of every length and alphabet come back equal, alone, as keys, and behind one another', () => {
    for (const letter of ['a', 'é', '水', '🙂'])
      for (const length of [
        0, 1, 15, 16, 17, 23, 24, 47, 48, 49, 63, 64, 65, 255, 256, 21_845, 21_846, 65_535, 65_536, 70_000,
      ]) {
        const text = letter.repeat(length)
        expect(roundTrip([text, { [text]: text }, 1])).toEqual([text, { [text]: text }, 1])
      }
  })

  it('pids and references of nodes that are alike, in whatever order, come back as those of their own node', () => {
    const origins = ['a@127.0.0.1', 'b@127.0.0.1', 'a@127.0.0.10', 'a@127.0.0.2'].flatMap((name) =>
      [1, 2, 1_767_225_600_000_123, 1_767_225_600_000_124].map((incarnation) => ({
        name: nodeName(name),
        incarnation,
      })),
    )
    const some = fc.record({ at: fc.nat(origins.length - 1), id: fc.integer({ min: 1 }), isPid: fc.boolean() })
    fc.assert(
      fc.property(fc.array(some, { maxLength: 20 }), (list) => {
        const sent = list.map(({ at, id, isPid }) => {
          const from = origins[at] as (typeof origins)[number]
          return isPid ? new Pid(from, id) : new Ref(from, id)
        })
        const bytes = codec.encode(sent)
        const got = codec.decode(bytes)
        expect(got).toEqual(sent)
        // What comes next over the same memory changes nothing of what was read, or is known.
        bytes.fill(0xff)
        expect(got).toEqual(sent)
        expect(roundTrip(sent)).toEqual(sent)
      }),
    )
  })

  it('a pid that is cut off is refused, also if one of the same node was read before', () => {
    const bytes = codec.encode(new Pid(origin, 70_000))
    codec.decode(bytes)
    for (let length = 1; length < bytes.length; length++)
      expect(codeOf(() => codec.decode(bytes.slice(0, length)))).toBe('ERR_BAD_TERM')
  })

  it('a key that has the letters of another in another order is not taken for it', () => {
    const object = { abc: 1, acb: 2, aBc: 3, 'a c': 4, adc: 5, ab: 6, abcc: 7 }
    for (const key of Object.keys(object)) expect(roundTrip({ [key]: 0 })).toEqual({ [key]: 0 })
    expect(roundTrip(object)).toEqual(object)
  })

  it('what was encoded stays as it is, whatever is encoded after it', () => {
    const slices = Array.from({ length: 2_000 }, (_, n) => terms.encode({ n, text: 'x'.repeat(n % 50) }))
    for (const [n, slice] of slices.entries()) expect(terms.decode(slice)).toEqual({ n, text: 'x'.repeat(n % 50) })
  })

  it('a getter that sends a message of its own while one is being encoded spoils neither', () => {
    let inner: unknown
    const outer = codec.encode({
      before: 1,
      get now() {
        inner = codec.decode(codec.encode({ inner: 'x'.repeat(20_000) }))
        return 2
      },
      after: 3,
    })
    expect(codec.decode(outer)).toEqual({ before: 1, now: 2, after: 3 })
    expect(inner).toEqual({ inner: 'x'.repeat(20_000) })
  })

  it('what only looks like what it is, or throws when it is read, is an error that says where it stands', () => {
    const detached = new Uint8Array(8)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    class BadMap extends Map<unknown, unknown> {
      override [Symbol.iterator](): never {
        throw new RangeError('no')
      }
    }
    const thrower = {
      get x() {
        throw new RangeError('no')
      },
    }
    for (const bad of [detached, new BadMap(), thrower, Object.setPrototypeOf({}, Uint8Array.prototype)]) {
      expect(() => codec.encode({ list: [bad] })).toThrowError(
        expect.objectContaining({ code: 'ERR_NOT_SENDABLE', message: expect.stringContaining('message.list.0') }),
      )
    }
  })

  it('a large term does not keep its memory when it is gone', () => {
    const writer = new TermCodec()
    const large = writer.encode('x'.repeat(8_000_000))
    expect(large.bytes.length).toBeLessThan(9_000_000)
    expect(writer.encode('small').bytes.length).toBeLessThanOrEqual(64 * 1024)
  })

  it('a term that was refused leaves nothing behind', () => {
    expect(codeOf(() => codec.encode({ text: 'x'.repeat(100), bad: () => 1 }))).toBe('ERR_NOT_SENDABLE')
    expect(roundTrip({ good: 1 })).toEqual({ good: 1 })
  })

  it('what is read shares no memory with the bytes that it was read from', () => {
    const bytes = codec.encode({ data: Uint8Array.of(1, 2, 3) })
    const { data } = codec.decode(bytes) as { data: Uint8Array }
    bytes.fill(0)
    expect([...data]).toEqual([1, 2, 3])
    expect(data.buffer.byteLength).toBe(3)
  })

  it('an error comes as plain data', () => {
    expect(roundTrip({ cause: new RangeError('too far') })).toMatchObject({
      cause: { name: 'RangeError', message: 'too far', stack: expect.stringContaining('term.test.ts') },
    })
  })

  it.each([
    ['a function', { a: [{ callback: () => 1 }] }, 'message.a.0.callback'],
    ['a symbol', Symbol('s'), 'message'],
    ['an instance of a class', { user: new (class User {})() }, 'message.user'],
    ['a promise', Promise.resolve(), 'message'],
    ['what stands in a map', { ages: new Map([['Ann', () => 1]]) }, 'message.ages.Ann'],
    ['a key of a map', { ages: new Map([[() => 1, 'Ann']]) }, 'message.ages.key'],
    ['what stands in a map under what is no text', { ages: new Map([[null, () => 1]]) }, 'message.ages.value'],
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
    for (const large of ['x'.repeat(1_001), new Uint8Array(1_001), new Array(2_000).fill(1.5), 'x'.repeat(2_000_000)])
      expect(codeOf(() => small.encode(large))).toBe('ERR_MESSAGE_TOO_LARGE')
    expect(small.decode(small.encode('x'.repeat(900)))).toBe('x'.repeat(900))
  })
})

describe('messages between nodes', () => {
  const sender = { name: nodeName('sender@127.0.0.1'), incarnation: 1_767_225_600_000_456 }
  const messages = new MessageCodec(sender)
  const receiver = new MessageCodec(origin)
  const receive = (message: unknown): unknown => receiver.decode(messages.encode(message), sender)

  it('pids and references of the sender, of his earlier life, and of others come back as what they are', () => {
    const nodes = [sender, { ...sender }, { ...sender, incarnation: sender.incarnation - 1 }, origin]
    const some = fc.record({
      at: fc.nat(nodes.length - 1),
      id: fc.maxSafeNat().filter((n) => n > 0),
      isPid: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(some, { maxLength: 20 }), (list) => {
        const sent = list.map(({ at, id, isPid }) => {
          const node = nodes[at] as (typeof nodes)[number]
          return isPid ? new Pid(node, id) : new Ref(node, id)
        })
        expect(receive({ list: sent })).toEqual({ list: sent })
      }),
    )
  })

  it('those of the sender go as their ids alone, and have his identity as the connection knows it', () => {
    const [pid, ref] = [new Pid({ ...sender }, 7), new Ref(sender, 8)]
    const { start, end } = messages.encode([pid, ref])
    expect(end - start).toBe(1 + 4 + 4)
    const [gotPid, gotRef] = receive([pid, ref]) as [Pid, Ref]
    expect(gotPid).toEqual(pid)
    expect(gotRef).toEqual(ref)
    expect(gotPid.origin).toBe(sender)
    expect(gotRef.origin).toBe(sender)
  })

  it('they are the sender’s of each message, also where one came before from another', () => {
    const others = new MessageCodec(origin)
    const bytes = messages.encode(new Pid(sender, 7))
    expect(receiver.decode(bytes, sender)).toEqual(new Pid(sender, 7))
    expect(receiver.decode(others.encode(new Pid(origin, 7)), origin)).toEqual(new Pid(origin, 7))
    expect(receiver.decode(bytes, sender)).toEqual(new Pid(sender, 7))
  })

  it('a getter that sends a message of its own while one is being encoded keeps to the short form', () => {
    let inner: unknown
    const outer = receive({
      get pid() {
        const { start, end } = messages.encode(new Pid(sender, 9))
        inner = end - start
        return new Pid(sender, 7)
      },
    })
    expect(inner).toBe(4)
    expect(outer).toEqual({ pid: new Pid(sender, 7) })
  })

  it('what one node may send every node may pass on: the limit counts them as if they went in full', () => {
    const refs = (count: number): Ref[] => new Array<Ref>(count).fill(new Ref(sender, 1))
    const each = encodedBytes(refs(70_001)) - encodedBytes(refs(70_000))
    const most = Math.floor((DEFAULT_TERM_LIMITS.maxBytes - 5) / each)
    expect(most).toBeGreaterThan(150_000)
    for (const codec of [messages, receiver, terms]) {
      expect(codeOf(() => codec.encode(refs(most)))).toBe('no error')
      expect(codeOf(() => codec.encode(refs(most + 1)))).toBe('ERR_MESSAGE_TOO_LARGE')
      expect(codeOf(() => codec.encode(refs(most)))).toBe('no error')
    }
  })

  it('where the sender is not known, a pid or reference of his is no term', () => {
    for (const message of [new Pid(sender, 7), [new Ref(sender, 8)]]) {
      expect(codeOf(() => receiver.decode(messages.encode(message), sender))).toBe('no error')
      expect(codeOf(() => terms.decode(messages.encode(message)))).toBe('ERR_BAD_TERM')
    }
  })

  it.each([
    ['zero', [0x00]],
    ['a negative number', [0x20]],
    ['a fraction', [0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]],
    ['a text', [0x61, 0x61]],
    ['nothing', []],
  ])('%s is the id of no process of the sender', (_what, id) => {
    for (const tag of [0x38, 0x39])
      expect(codeOf(() => receiver.decode(sliceOf(Uint8Array.from([0xd9, 0x9e, tag, ...id])), sender))).toBe(
        'ERR_BAD_TERM',
      )
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

  it.each([
    ['whose node has no host', ['a', 1, 1]],
    ['of no life of its node', ['a@127.0.0.1', 0, 1]],
    ['of half a life', ['a@127.0.0.1', 1.5, 1]],
    ['of no number', ['a@127.0.0.1', 1, 0]],
    ['of a negative number', ['a@127.0.0.1', 1, -1]],
  ])('a pid or reference %s is refused, also inside a message', (_what, parts) => {
    const cbor = new Encoder({ useRecords: false })
    for (const tag of [40_501, 40_502])
      for (const term of [new Tag(parts, tag), { list: [new Tag(parts, tag)] }])
        expect(codeOf(() => codec.decode(Uint8Array.from(cbor.encode(term))))).toBe('ERR_BAD_TERM')
  })

  it('nesting of 100,000 arrays is refused without a stack overflow', () => {
    expect(codeOf(() => codec.decode(new Uint8Array(100_000).fill(0x81)))).toBe('ERR_BAD_TERM')
  })

  it('a property named __proto__ is refused, and changes no prototype', () => {
    const bytes = new Encoder({ useRecords: false }).encode(JSON.parse('{"__proto__":{"polluted":true}}'))
    for (let times = 0; times < 3; times++)
      expect(codeOf(() => codec.decode(Uint8Array.from(bytes)))).toBe('ERR_BAD_TERM')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

/** As a class of a user's may do it, or one who means harm. */
function ofLength(bytes: Uint8Array, length: unknown): Uint8Array {
  return Object.defineProperty(bytes, 'length', { value: length })
}

describe('what says of itself what is not true', () => {
  it.each([undefined, NaN, -1, 0, 2, 7_000, 2 ** 40, '4', {}])('bytes of a length of %s go as they are', (length) => {
    expect(codec.encode(ofLength(Uint8Array.of(1, 2, 3, 4), length))).toEqual(Uint8Array.of(0x44, 1, 2, 3, 4))
    expect(roundTrip({ next: 'term' })).toEqual({ next: 'term' })
  })

  it.each(['soon', undefined, {}])('a date of the time %s goes as it is', (time) => {
    const date = Object.assign(new Date(7), { getTime: () => time })
    expect(roundTrip(date)).toEqual(new Date(7))
  })

  it.each([2.5, NaN, -1, 2 ** 32, '1', undefined])('an array of a length of %s is refused', (length) => {
    const array = new Proxy([1], {
      get: (items, name) => (name === 'length' ? length : (Reflect.get(items, name) as unknown)),
    })
    expect(codeOf(() => codec.encode({ array }))).toBe('ERR_NOT_SENDABLE')
    expect(roundTrip({ next: 'term' })).toEqual({ next: 'term' })
  })

  it.each([NaN, 0, -1, 1.5, 2 ** 53, Infinity])('a pid and a reference of the number %s are refused', (id) => {
    for (const identity of [new Pid(origin, id), new Ref(origin, id)])
      for (const write of [terms, new MessageCodec(origin), new MessageCodec({ ...origin, incarnation: 1 })])
        expect(codeOf(() => write.encode({ identity }))).toBe('ERR_NOT_SENDABLE')
  })

  it.each([
    { name: 'nobody', incarnation: 1 },
    { name: '', incarnation: 1 },
    { ...origin, incarnation: 0 },
    { ...origin, incarnation: 1.5 },
    undefined,
    null,
    {},
  ])('a pid of the node %o is refused', (node) => {
    expect(codeOf(() => codec.encode({ pid: new Pid(node as never, 1) }))).toBe('ERR_NOT_SENDABLE')
    expect(roundTrip(new Pid(origin, 1))).toEqual(new Pid(origin, 1))
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

describe('a term at its limits', () => {
  const limited = (limit: Partial<TermLimits>): TermCodec => new TermCodec({ ...DEFAULT_TERM_LIMITS, ...limit })

  /** What is refused is so at both: a receiver who takes less than a sender gives would end their connection. */
  function expectBound(codec: TermCodec, most: unknown, tooMuch: unknown, code: string): void {
    expect(codec.decode(codec.encode(most))).toEqual(most)
    expect(codeOf(() => codec.encode(tooMuch))).toBe(code)
    expect(codeOf(() => codec.decode(terms.encode(tooMuch)))).toBe('ERR_BAD_TERM')
  }

  it.each<[string, (inner: unknown) => unknown]>([
    ['arrays', (inner) => [inner]],
    ['objects', (inner) => ({ inner })],
    ['sets', (inner) => new Set([inner])],
    ['maps', (inner) => new Map([['inner', inner]])],
  ])('%s are nested as deep as the limit says, at the sender and at the receiver', (_what, around) => {
    const nested = (depth: number): unknown => (depth === 0 ? 'innermost' : around(nested(depth - 1)))
    expectBound(limited({ maxDepth: 10 }), nested(10), nested(11), 'ERR_NOT_SENDABLE')
  })

  it('has as many values as the limit says, at the sender and at the receiver', () => {
    const zeros = (count: number): number[] => new Array<number>(count).fill(0)
    expectBound(limited({ maxItems: 10 }), zeros(9), zeros(10), 'ERR_NOT_SENDABLE')
  })

  it('has as many bytes as the limit says, at the sender and at the receiver', () => {
    const bytes = (length: number): Uint8Array => new Uint8Array(length - 2)
    expectBound(limited({ maxBytes: 100 }), bytes(100), bytes(101), 'ERR_MESSAGE_TOO_LARGE')
  })

  it('a bigint has 1,024 bits, of either sign', () => {
    const most = 2n ** 1_024n - 1n
    expect(roundTrip([most, -most])).toEqual([most, -most])
    for (const tooMuch of [most + 1n, -most - 1n]) expect(codeOf(() => codec.encode(tooMuch))).toBe('ERR_NOT_SENDABLE')
  })

  it('one that is far over it is refused before all of it is read', () => {
    let read = 0
    const line = {
      get text() {
        read++
        return 'x'.repeat(10_000)
      },
    }
    expect(codeOf(() => limited({ maxBytes: 1_000 }).encode(new Array(1_000).fill(line)))).toBe('ERR_MESSAGE_TOO_LARGE')
    expect(read).toBeLessThan(20)
  })
})

/** Of memory that terms are written to, one behind the other. */
const BLOCK_BYTES = 8 * 1024
/** Before an array of some thousand bytes. */
const BYTES_HEAD = 3

describe('the forms of a value', () => {
  it('numbers on either side of where their form changes come back equal', () => {
    const edges = [24, 2 ** 8, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 53].flatMap((edge) => [edge - 1, edge, edge + 1])
    const numbers = edges.flatMap((edge) => [edge, -edge])
    expect(roundTrip(numbers)).toEqual(numbers)
  })

  it.each<[string, unknown]>([
    ['a float', 1.5],
    ['an integer of four bytes', 70_000],
    ['a short text', 'x'.repeat(30)],
    ['a short text of another alphabet', '水'.repeat(20)],
    ['a long text', '水'.repeat(100)],
    ['an array of bytes', new Uint8Array(20).fill(7)],
    ['null', null],
    ['a pid', new Pid(origin, 7)],
    ['a pid behind one of another node', [new Pid({ ...origin, incarnation: 1 }, 7), new Pid(origin, 7)]],
  ])('%s is whole, wherever the memory that it is written to ends', (_what, value) => {
    const { start, end } = new TermCodec().encode(value)
    const length = end - start
    for (let room = 0; room <= length + 5; room++) {
      const writer = new TermCodec()
      writer.encode(value)
      writer.encode(new Uint8Array(BLOCK_BYTES - length - BYTES_HEAD - room))
      expect(writer.decode(writer.encode(value))).toEqual(value)
    }
  })
})
