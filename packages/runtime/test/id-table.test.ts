import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '@pidmesh/runtime/testing'
import { IdTable, randomIdHash } from '../src/id-table.ts'

interface Item {
  readonly id: number
}

/** Few enough to meet again, some that share their lowest bits, and some beyond 32 bits. */
const ids = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.constantFrom(64, 128, 1_024, 2 ** 31, 2 ** 32 + 1, 2 ** 40 + 3),
)
const acts = fc.array(
  fc
    .record({ type: fc.constantFrom('set', 'set', 'delete', 'get', 'clear' as const), id: ids })
    .filter(({ type, id }) => type !== 'clear' || id === 1),
  { maxLength: 300 },
)

describe('A table by ids', () => {
  it('holds what a Map would, in the order of the ids', () => {
    fc.assert(
      fc.property(acts, (commands) => {
        const table = new IdTable<Item>()
        const map = new Map<number, Item>()
        for (const { type, id } of commands) {
          switch (type) {
            case 'set': {
              const item = { id }
              table.set(id, item)
              map.set(id, item)
              break
            }
            case 'delete':
              expect(table.delete(id)).toBe(map.delete(id))
              break
            case 'clear':
              table.clear()
              map.clear()
              break
            case 'get':
              expect(table.get(id)).toBe(map.get(id))
          }
          expect(table.size).toBe(map.size)
        }
        expect(table.values()).toEqual([...map.values()].sort((a, b) => a.id - b.id))
      }),
    )
  })

  it('whose hash is drawn by chance holds ids that were chosen to meet in another without many of them meeting', () => {
    // k times the inverse of the golden multiplier: in the table with the known hash they lie side by side.
    let inverse = 1
    for (let round = 0; round < 5; round++) inverse = Math.imul(inverse, 2 - Math.imul(0x9e3779b1, inverse))
    const chosen = [
      ...Array.from({ length: 20_000 }, (_, k) => Math.imul(k + 1, inverse) >>> 0),
      ...Array.from({ length: 20_000 }, (_, k) => (k + 1) * 2 ** 32),
    ].filter((id) => id > 0)
    const table = new IdTable<Item>(64, randomIdHash(seededRandom(3)))
    for (const id of chosen) table.set(id, { id })
    expect(table.size).toBe(new Set(chosen).size)
    expect(table.longestProbe).toBeLessThan(500)
  })

  it('of which many have come and few are left gives room back', () => {
    for (const keptPlaces of [64, 1_024]) {
      const table = new IdTable<Item>(keptPlaces)
      for (let id = 1; id <= 10_000; id++) table.set(id, { id })
      for (let id = 1; id <= 9_997; id++) table.delete(id)
      expect(table.places).toBe(keptPlaces)
      expect(table.values().map(({ id }) => id)).toEqual([9_998, 9_999, 10_000])
    }
  })
  it('from which all go moves what is left seldom, and has room for what comes then', () => {
    const table = new IdTable<Item>()
    for (let id = 1; id <= 10_000; id++) table.set(id, { id })
    const moves: number[] = []
    for (let id = 1; id <= 10_000; id++) {
      const before = table.places
      table.delete(id)
      if (table.places === before) continue
      moves.push(table.places)
      if (table.places > 64) expect(table.size * 5).toBeGreaterThan(table.places)
      expect(table.size * 2).toBeLessThan(table.places)
    }
    expect(moves).toEqual([8_192, 2_048, 512, 128, 64])
  })
})
