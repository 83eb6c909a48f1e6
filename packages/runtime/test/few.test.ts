import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countOf, itemsOf, withItem, withoutItem, type Few } from '../src/few.ts'

describe('a few', () => {
  it('holds what a Set would hold, in its order', () => {
    const objects = Array.from({ length: 5 }, (_, n) => ({ n }))
    const step = fc.record({ adds: fc.boolean(), n: fc.nat(4) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const set = new Set<object>()
        let few: Few<object> = undefined
        for (const { adds, n } of steps) {
          const object = objects[n] ?? {}
          few = adds ? withItem(few, object) : withoutItem(few, object)
          if (adds) set.add(object)
          else set.delete(object)
          expect([...itemsOf(few)]).toEqual([...set])
          expect(countOf(few)).toBe(set.size)
          expect(few === undefined).toBe(set.size === 0)
        }
      }),
    )
  })
})
