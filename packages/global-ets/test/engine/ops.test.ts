import { PidmeshError, TermCodec } from '@pidmesh/runtime'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyWords } from '../../src/engine/key-words.ts'
import { BadOps, OpReader, OpWriter, type OpSink } from '../../src/engine/ops.ts'

const terms = new TermCodec()

function bytesOf(meta: object): Uint8Array {
  const { bytes, start, end } = terms.encode(meta)
  return bytes.slice(start, end)
}

/** Metadata that takes so many bytes, of more than 300. */
function sized(bytes: number): Uint8Array {
  const rest = bytesOf({ text: 'x'.repeat(300) }).length - 300
  return bytesOf({ text: 'x'.repeat(bytes - rest) })
}

/** What was read, as lists. */
function readAll(bytes: Uint8Array): unknown[][] {
  const read: unknown[][] = []
  const sink: OpSink = {
    put: (key, id, epoch, { meta }) => void read.push(['put', key.text, id, epoch, meta]),
    remove: (key, id, epoch) => void read.push(['remove', key.text, id, epoch]),
    change: (key, id, { meta }) => void read.push(['change', key.text, id, meta]),
  }
  expect(new OpReader(terms).read(bytes, sink)).toBe(read.length)
  return read
}

const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })

const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const meta = fc.oneof(fc.constant({}), fc.record({ room: fc.string({ unit: 'grapheme', maxLength: 20 }) }))

describe('operations as bytes', () => {
  it('are read as they were written, whatever the keys, the ids and the metadata', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('put', 'remove', 'change'), key, id, id, meta), { maxLength: 50 }),
        (ops) => {
          const writer = new OpWriter()
          const expected: unknown[][] = []
          for (const [kind, name, process, epoch, data] of ops) {
            const bytes = Object.keys(data).length === 0 ? new Uint8Array(0) : bytesOf(data)
            if (kind === 'put') writer.put(KeyWords.of(name), process, epoch, bytes)
            else if (kind === 'remove') writer.remove(KeyWords.of(name), process, epoch)
            else writer.change(KeyWords.of(name), process, bytes)
            expected.push(
              kind === 'put'
                ? [kind, name, process, epoch, data]
                : kind === 'remove'
                  ? [kind, name, process, epoch]
                  : [kind, name, process, data],
            )
          }
          expect(writer.count).toBe(ops.length)
          expect(readAll(writer.take())).toEqual(expected)
          expect(writer.bytes).toBe(0)
        },
      ),
    )
  })

  it('of a hostile peer are operations, or an error that says so, and nothing else', () => {
    const writer = new OpWriter()
    writer.put(KeyWords.of('user:alice'), 7, 1, bytesOf({ room: 'lobby' }))
    writer.remove(KeyWords.of('user:é'), 300, 2)
    writer.change(KeyWords.of('x'), 2 ** 40, bytesOf({ a: [1, 2, 3] }))
    const good = writer.take()
    const spoilt = fc.tuple(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), spoilt), (drawn) => {
        let bytes: Uint8Array
        if (drawn instanceof Uint8Array) {
          bytes = drawn
        } else {
          bytes = good.slice(0, drawn[2])
          bytes[drawn[0]] = drawn[1]
        }
        try {
          readAll(bytes)
        } catch (error) {
          expect(error instanceof BadOps || error instanceof PidmeshError).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a kind that there is not', [9, 1, 97, 1]],
    ['no key', [1, 0, 1, 1, 0]],
    ['a key that is longer than there are bytes', [1, 200, 1, 97]],
    ['a key that is no UTF-8', [2, 2, 0xc3, 0x28, 1, 1]],
    ['a key of 257 bytes', [2, 129, 2, ...new Array<number>(257).fill(97), 1, 1]],
    ['metadata of 1,025 bytes', [1, 1, 97, 1, 1, 129, 8, ...sized(1_025)]],
    ['the process 0', [2, 1, 97, 0, 1]],
    ['a number of nine bytes', [2, 1, 97, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['metadata that is a number', [1, 1, 97, 1, 1, 1, 7]],
    ...[[], new Map(), new Set(), new Date(0), new Uint8Array(2)].map((meta): [string, number[]] => {
      const bytes = bytesOf(meta)
      return [`metadata that is of the class ${meta.constructor.name}`, [1, 1, 97, 1, 1, bytes.length, ...bytes]]
    }),
  ])('with %s are none', (_what, bytes) => {
    expect(() => readAll(Uint8Array.from(bytes))).toThrowError(BadOps)
  })
  it('have keys of up to 256 bytes, and metadata of up to 1,024', () => {
    const writer = new OpWriter()
    writer.put(KeyWords.of('k'.repeat(256)), 1, 1, sized(1_024))
    expect(readAll(writer.take())).toEqual([['put', 'k'.repeat(256), 1, 1, { text: expect.any(String) }]])
  })
})
