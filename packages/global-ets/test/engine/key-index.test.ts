import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyIndex } from '../../src/engine/key-index.ts'
import { KeyWords } from '../../src/engine/key-words.ts'
import { NONE, Rows } from '../../src/engine/rows.ts'

const SECRET = 0x1234567

function rowOf(rows: Rows, key: string): number {
  return rows.add({ key: KeyWords.of(key), copy: 0, id: 1, epoch: 1, meta: {}, hash: 0 })
}

describe('an index of keys', () => {
  it('has what a Map would have, whatever comes and goes', () => {
    const step = fc.record({ sets: fc.boolean(), key: fc.nat(200) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 2_000 }), fc.integer(), (steps, secret) => {
        const rows = new Rows()
        const index = new KeyIndex(rows, secret | 1)
        const model = new Map<string, number>()
        for (const { sets, key: n } of steps) {
          const key = `room:${n}`
          if (sets) {
            const slot = rowOf(rows, key)
            index.set(KeyWords.of(key), slot)
            model.set(key, slot)
          } else {
            index.remove(KeyWords.of(key))
            model.delete(key)
          }
          expect(index.first(KeyWords.of(key))).toBe(model.get(key) ?? NONE)
        }
        expect(index.keys().sort()).toEqual([...model.keys()].sort())
        for (let n = 0; n <= 200; n++)
          expect(index.first(KeyWords.of(`room:${n}`))).toBe(model.get(`room:${n}`) ?? NONE)
      }),
      { numRuns: 30 },
    )
  })

  it('tells keys apart whose hashes are the same, and finds those that stood behind one that goes', () => {
    // Of 300,000 keys some have the same 32 bits.
    const rows = new Rows()
    const index = new KeyIndex(rows, SECRET)
    const slots = Array.from({ length: 300_000 }, (_, n) => {
      const slot = rowOf(rows, `k${n}`)
      index.set(KeyWords.of(`k${n}`), slot)
      return slot
    })
    for (let n = 0; n < slots.length; n += 2) index.remove(KeyWords.of(`k${n}`))
    const wrong = slots.filter((slot, n) => index.first(KeyWords.of(`k${n}`)) !== (n % 2 === 0 ? NONE : slot))
    expect(wrong).toEqual([])
    for (let n = 1; n < slots.length; n += 2) index.remove(KeyWords.of(`k${n}`))
    expect(index.keys()).toEqual([])
  })

  it('reads hardly another key than the one that is looked for', () => {
    const rows = new CountedRows()
    const index = new KeyIndex(rows, SECRET)
    for (let n = 0; n < 20_000; n++) put(index, rows, `user:${n}`)
    rows.reads = 0
    for (let n = 0; n < 20_000; n++) index.first(KeyWords.of(`user:${n}`))
    for (let n = 0; n < 20_000; n++) index.first(KeyWords.of(`nobody:${n}`))
    expect(rows.reads).toBeGreaterThanOrEqual(20_000)
    expect(rows.reads).toBeLessThan(20_010)
  })

  describe.each([0x1234567, 0xdeadbeef, 0x9e3779b1])('has no keys that meet whatever the secret, here %d', (secret) => {
    it('of long ones', () => {
      // Their difference is in the highest bit of two characters in turn, which a product with an odd number keeps: without a shift for each character all were one.
      const bits = (value: number, length: number): string =>
        Array.from({ length }, (_, bit) => ((value >> bit) & 1 ? '\u8000\u8000' : '\0\0')).join('')
      const keys = Array.from({ length: 2_048 }, (_, n) => bits(n, 11) + '\0'.repeat((1 << 14) - 22) + bits(~n, 11))
      const rows = new CountedRows()
      const index = new KeyIndex(rows, secret)
      for (const key of keys) put(index, rows, key)
      expect(rows.reads).toBeLessThan(20)
    })

    it.each([3, 7, 11, 14])('of short ones that differ from their character %d on', (at) => {
      const rows = new CountedRows()
      const index = new KeyIndex(rows, secret)
      for (let n = 0; n < 256; n++) put(index, rows, 'a'.repeat(at) + String.fromCharCode(n))
      expect(index.keys()).toHaveLength(256)
      expect(rows.reads).toBe(0)
    })

    it('of short ones', () => {
      // The highest bit of one word, and those of the next that it would become by one product and a shift, whatever the number: with a single product for each word all eight of a kind were one.
      const highest = ['\0', '\x80'] as const
      const became = ['\0\0', '\x01\x80'] as const
      const keys: string[] = []
      for (let n = 0; n < 128; n++)
        for (const [first, second, third] of triples())
          keys.push(
            `${String.fromCharCode(n)}a${highest[first]}bb${mixed(became[first], second)}bb${mixed(became[second], third)}bb${became[third]}`,
          )
      const rows = new CountedRows()
      const index = new KeyIndex(rows, secret)
      for (const key of keys) put(index, rows, key)
      expect(keys[0]).toHaveLength(15)
      expect(index.keys()).toHaveLength(1_024)
      expect(rows.reads).toBeLessThan(20)
    })
  })
})

class CountedRows extends Rows {
  reads = 0
  override hasKey(slot: number, key: KeyWords): boolean {
    this.reads++
    return super.hasKey(slot, key)
  }
}

function put(index: KeyIndex, rows: Rows, key: string): void {
  index.set(KeyWords.of(key), rowOf(rows, key))
}

type Bit = 0 | 1

function triples(): (readonly [Bit, Bit, Bit])[] {
  const bits = [0, 1] as const
  return bits.flatMap((a) => bits.flatMap((b) => bits.map((c) => [a, b, c] as const)))
}

/** Two characters, the highest bit of the second turned if `bit` is set. */
function mixed(two: string, bit: Bit): string {
  return two.slice(0, 1) + String.fromCharCode(two.charCodeAt(1) ^ (bit * 0x80))
}
