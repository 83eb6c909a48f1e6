import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdTable } from '../src/id-table.ts'

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

  it('of which many have come and few are left takes no more room than those', () => {
    const table = new IdTable<Item>()
    for (let id = 1; id <= 10_000; id++) table.set(id, { id })
    for (let id = 1; id <= 9_990; id++) table.delete(id)
    expect(table.places).toBeLessThan(1_000)
    expect(table.values().map(({ id }) => id)).toEqual([
      9_991, 9_992, 9_993, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999, 10_000,
    ])
  })
})
