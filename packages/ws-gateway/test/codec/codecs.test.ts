/**
 * What holds for every codec, and for JSON.
 */
import { cast } from '@pidmesh/gen-server'
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BareCodec } from '../../src/codec/bare.ts'
import { MAX_DEPTH, MAX_MESSAGES, type Codec, type Payload } from '../../src/codec/codec.ts'
import { JsonCodec } from '../../src/codec/json.ts'
import { MsgpackCodec } from '../../src/codec/msgpack.ts'

const codecs: readonly Codec[] = [new BareCodec(), new JsonCodec(), new MsgpackCodec()]
const json = new JsonCodec()
const bare = new BareCodec()
const ofJson = (text: string, codec: Codec = json) => codec.decode(Buffer.from(text))

const key = fc.string().filter((text) => text !== '__proto__')
const { message } = fc.letrec<{ message: unknown }>((tie) => ({
  message: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false, 0, -1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.string({ unit: 'grapheme' }),
    fc.string({ minLength: 250, maxLength: 260 }),
    fc.array(tie('message'), { maxLength: 20 }),
    fc.dictionary(key, tie('message'), { maxKeys: 20, noNullPrototype: true }),
  ),
}))

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value }
  return value
}

/** What a client would get; `undefined` if there is no form. */
function encoded(codec: Codec, given: unknown): Buffer | undefined {
  const payload = codec.encodeMessage(given)
  return payload === undefined ? undefined : bytesOf(payload)
}

function bytesOf(payload: Payload): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload)
}

/** What a server is sent by `cast`. */
async function castMessage(request: object): Promise<unknown> {
  const cluster = new TestCluster()
  const node = await cluster.start('a')
  const sent = new Promise((resolve) => {
    cast(node, node.spawn(handler(() => resolve)), request)
  })
  try {
    return await cluster.run(sent)
  } finally {
    await cluster.stop()
  }
}

describe.each(codecs)('the codec $name', (codec) => {
  it('brings back the message that it was given, whatever is in it', () => {
    fc.assert(
      fc.property(message, (given) => {
        // Text for text frames, bytes for binary ones.
        expect(typeof codec.encodeMessage(given)).toBe(codec.isBinary ? 'object' : 'string')
        expect(codec.decode(encoded(codec, given) ?? Buffer.alloc(0))).toEqual({ type: 'messages', messages: [given] })
      }),
    )
  })

  it('throws at no payload, and gives only what it says it does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['messages', 'control', 'malformed']).toContain(codec.decode(Buffer.from(bytes)).type)
      }),
      { numRuns: 3_000 },
    )
  })

  it('throws at no payload that is nearly right', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 3 }), (given, where, byte, cut) => {
        const payload = encoded(codec, given) ?? Buffer.alloc(0)
        const broken = Buffer.from(payload.subarray(0, payload.length - cut))
        if (broken.length > 0) broken[where % broken.length] = byte
        expect(['messages', 'control', 'malformed']).toContain(codec.decode(broken).type)
      }),
      { numRuns: 1_000 },
    )
  })

  it('takes nothing that would be a cast to a server that it is passed on to, wherever in a message it stands', async () => {
    const posing = await castMessage({ type: 'grant', to: 'mallory' })
    const holders: unknown[] = [posing, [posing], { to: 'ann', message: posing }, { a: [{ of: [1, posing] }] }]
    for (const holder of holders)
      expect(codec.decode(encoded(codec, holder) ?? Buffer.alloc(0))).toEqual({ type: 'malformed', problem: 'a cast' })
    for (const innocent of ['$gen_cast', ['$gen_cast'], { type: ['$gen_cast'] }, { text: '$gen_cast', type: 'said' }])
      expect(codec.decode(encoded(codec, innocent) ?? Buffer.alloc(0)).type).toBe('messages')
  })

  it('has no form for what is no data', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    const hostile = {
      get trap() {
        throw new Error('no')
      },
    }
    for (const given of [undefined, () => 1, Symbol('s'), 1n, { a: 1n }, cycle, { cycle }, hostile]) {
      expect(codec.encodeMessage(given)).toBe(undefined)
    }
    // And goes on.
    expect(codec.encodeMessage(1)).toBeDefined()
  })

  it('leaves out what is undefined in an object', () => {
    const payload = encoded(codec, { a: 1, b: undefined }) ?? Buffer.alloc(0)
    expect(codec.decode(payload)).toStrictEqual({ type: 'messages', messages: [{ a: 1 }] })
  })

  it(`takes messages of ${MAX_DEPTH} levels, and no more`, () => {
    const payload = (levels: number) => encoded(codec, nested(levels)) ?? Buffer.alloc(0)
    expect(codec.decode(payload(MAX_DEPTH))).toEqual({ type: 'messages', messages: [nested(MAX_DEPTH)] })
    expect(codec.decode(payload(MAX_DEPTH + 1)).type).toBe('malformed')
  })
})

describe.each([json, new MsgpackCodec()])('a frame of $name', (codec) => {
  const frameWith = (values: unknown) => bytesOf(codec.encodeControl(values as object))

  it('is messages, one or more, or a control', () => {
    expect(codec.decode(frameWith([1, 'a', null, [2]]))).toEqual({ type: 'messages', messages: [1, 'a', null, [2]] })
    expect(codec.decode(frameWith({ type: 'ack', seq: 7 }))).toEqual({
      type: 'control',
      control: { type: 'ack', seq: 7 },
    })
    expect(codec.decode(frameWith([]))).toEqual({ type: 'malformed', problem: 'a frame without a message' })
  })

  it(`has ${MAX_MESSAGES} messages at most`, () => {
    const most = new Array<number>(MAX_MESSAGES).fill(7)
    expect(codec.decode(frameWith(most))).toEqual({ type: 'messages', messages: most })
    expect(codec.decode(frameWith([...most, 7])).type).toBe('malformed')
  })

  it('with a control that has no form is a mistake of the gateway', () => {
    expect(() => codec.encodeControl({ a: 1n })).toThrow(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
  })
})

it('a frame of JSON that is neither an array nor an object is malformed', () => {
  for (const text of ['1', '"a"', 'null', 'true', '', '[1', '{"a"', 'undefined', "['a']"]) {
    expect(ofJson(text).type).toBe('malformed')
  }
})

it('a bare frame is one message, an array too, and there are no controls', () => {
  expect(ofJson('[1,2]', bare)).toEqual({ type: 'messages', messages: [[1, 2]] })
  expect(ofJson('{"type":"ack"}', bare)).toEqual({ type: 'messages', messages: [{ type: 'ack' }] })
  expect(bare.encodeMessage({ a: [1] })).toBe('{"a":[1]}')
  expect(() => (bare as Codec).encodeControl({ type: 'pong' })).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
  )
})

it('a key __proto__ is malformed in JSON, however it is spelt and wherever it stands; as a value it is text', () => {
  for (const name of ['__proto__', '\\u005f_proto__', '__pr\\u006Fto__']) {
    expect(ofJson(`[{"a":{"${name}":{"isAdmin":true}}}]`).type).toBe('malformed')
    expect(ofJson(`{"${name}":1}`).type).toBe('malformed')
    expect(ofJson(`["${name}"]`)).toEqual({ type: 'messages', messages: ['__proto__'] })
  }
})

it('64 KiB of brackets are malformed, closed or not', () => {
  for (const codec of [json, bare]) {
    expect(ofJson('['.repeat(65_536), codec).type).toBe('malformed')
    expect(ofJson('['.repeat(32_768) + ']'.repeat(32_768), codec).type).toBe('malformed')
    expect(ofJson('{"a":'.repeat(9_000) + '1' + '}'.repeat(9_000), codec).type).toBe('malformed')
  }
})

it('a cast is malformed in JSON, however its type is spelt', () => {
  for (const type of ['$gen_cast', '\\u0024gen_cast', '$gen\\u005fc\\u0061st'])
    expect(ofJson(`[{"type":"${type}","request":{}}]`)).toEqual({ type: 'malformed', problem: 'a cast' })
})
