import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyIndex } from '../../src/engine/key-index.ts'
import { NONE, Rows } from '../../src/engine/rows.ts'

const SECRET = 0x1234567

function rowOf(rows: Rows, key: string): number {
  return rows.add({ key, copy: 0, id: 1, epoch: 1, meta: {}, hash: 0 })
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
            index.set(key, slot)
            model.set(key, slot)
          } else {
            index.remove(key)
            model.delete(key)
          }
          expect(index.first(key)).toBe(model.get(key) ?? NONE)
        }
        expect(index.keys().sort()).toEqual([...model.keys()].sort())
        for (let n = 0; n <= 200; n++) expect(index.first(`room:${n}`)).toBe(model.get(`room:${n}`) ?? NONE)
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
      index.set(`k${n}`, slot)
      return slot
    })
    for (let n = 0; n < slots.length; n += 2) index.remove(`k${n}`)
    const wrong = slots.filter((slot, n) => index.first(`k${n}`) !== (n % 2 === 0 ? NONE : slot))
    expect(wrong).toEqual([])
    for (let n = 1; n < slots.length; n += 2) index.remove(`k${n}`)
    expect(index.keys()).toEqual([])
  })

  it('reads hardly another key than the one that is looked for', () => {
    const rows = new Rows()
    const index = new KeyIndex(rows, SECRET)
    for (let n = 0; n < 20_000; n++) index.set(`user:${n}`, rowOf(rows, `user:${n}`))
    let reads = 0
    const keyOf = rows.keyOf.bind(rows)
    rows.keyOf = (slot) => {
      reads++
      return keyOf(slot)
    }
    for (let n = 0; n < 20_000; n++) index.first(`user:${n}`)
    for (let n = 0; n < 20_000; n++) index.first(`nobody:${n}`)
    expect(reads).toBeLessThan(20_010)
  })

  it.each([0x1234567, 0xdeadbeef, 0x9e3779b1])('has no keys that meet whatever the secret, here %d', (secret) => {
    // Their difference is in the highest bit of two characters in turn, which a product with an odd number keeps: without a shift for each character all were one.
    const bits = (value: number, length: number): string =>
      Array.from({ length }, (_, bit) => ((value >> bit) & 1 ? '\u8000\u8000' : '\0\0')).join('')
    const keys = Array.from({ length: 2_048 }, (_, n) => bits(n, 11) + '\0'.repeat((1 << 14) - 22) + bits(~n, 11))
    const rows = new Rows()
    const index = new KeyIndex(rows, secret)
    let reads = 0
    const keyOf = rows.keyOf.bind(rows)
    rows.keyOf = (slot) => {
      reads++
      return keyOf(slot)
    }
    for (const key of keys) index.set(key, rowOf(rows, key))
    expect(reads).toBeLessThan(20)
  })
})
