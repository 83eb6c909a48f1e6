import { json, type Codec } from '@pidmesh/client'
import { msgpack } from '@pidmesh/client/msgpack'
import { describe, expect, it } from 'vitest'

/** As it comes from a socket. */
function received(frame: string | Uint8Array): unknown {
  return typeof frame === 'string' ? frame : frame.slice().buffer
}

describe.each([
  { name: 'JSON', codec: json },
  { name: 'MessagePack', codec: msgpack },
])('$name', ({ codec }: { codec: Codec }) => {
  it.each([1, 15, 16, 64, 300])('makes a frame of %i messages that were encoded one by one', (count) => {
    const messages = Array.from({ length: count }, (_, index) => ({ index, text: 'ä€😀' }))
    expect(codec.decode(received(codec.frame(messages.map((message) => codec.encode(message)))))).toEqual(messages)
  })

  it('makes a control without what is undefined', () => {
    expect(codec.decode(received(codec.control({ type: 'hello', token: undefined })))).toEqual({ type: 'hello' })
  })

  it('refuses what has no form', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    for (const bad of [undefined, () => 1, 1n, cycle])
      expect(() => codec.encode(bad)).toThrow(expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }))
  })

  it('throws at what is no frame of it', () => {
    for (const data of ['{', new ArrayBuffer(0), undefined]) expect(() => codec.decode(data)).toThrow(Error)
  })
})

it('MessagePack refuses what the gateway would close for, or would not get as it is', () => {
  const deep = (levels: number): unknown => Array.from({ length: levels }).reduce((inner: unknown) => [inner], 1)
  const half = '😀'.slice(0, 1)
  for (const bad of [half, { [half]: 1 }, JSON.parse('[{"__proto__":1}]'), deep(65), [new Date(NaN)]])
    expect(() => msgpack.encode(bad)).toThrow(expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }))
  for (const good of [
    '😀',
    deep(64),
    [new Date(-8.64e15), new Date(8.64e15), null, [], {}],
    '__proto__',
    Uint8Array.of(0xd8),
  ])
    expect(msgpack.decode(received(msgpack.frame([msgpack.encode(good)])))).toEqual([good])
})

it('MessagePack has bytes and dates', () => {
  const message = { bytes: Uint8Array.of(1, 2), at: new Date(1_000) }
  expect(msgpack.decode(received(msgpack.frame([msgpack.encode(message)])))).toEqual([message])
})
