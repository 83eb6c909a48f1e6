import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ShardedMap, type MapKey } from '../../src/collections/sharded-map.ts'

const long = 'x'.repeat(100)
const keys = (index: number): MapKey[] => [
  index,
  -index,
  index / 8,
  index * 2 ** 40,
  BigInt(index),
  BigInt(index) << 70n,
  `${index}`,
  `${long}${index}${long}`,
]

it('a sharded map holds what a Map holds, of all kinds of keys, before it is parted and afterwards', () => {
  for (const count of [100, 2_000]) {
    const map = new ShardedMap<number>()
    const model = new Map<MapKey, number>()
    for (let index = 0; index < count; index++) {
      for (const key of keys(index)) {
        map.set(key, index)
        model.set(key, index)
        if (index % 3 === 0) {
          const other = keys(index / 3)[index % 8] ?? 0
          expect(map.take(other)).toBe(model.get(other))
          model.delete(other)
        }
      }
      expect(map.size).toBe(model.size)
    }
    for (let index = 0; index < count; index++) for (const key of keys(index)) expect(map.get(key)).toBe(model.get(key))
    map.clear()
    expect([map.size, map.get(1), map.take(1)]).toEqual([0, undefined, undefined])
  }
})

it('0 and -0, true and false are keys as any', () => {
  const map = new ShardedMap<string>()
  map.set(-0, 'zero')
  map.set(true, 'yes')
  for (let index = 1; index < 5_000; index++) map.set(index, 'more')
  expect([map.get(0), map.get(true), map.get(false)]).toEqual(['zero', 'yes', undefined])
})

it('any text is found again', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 80 }), { maxLength: 50 }), (texts) => {
      const map = new ShardedMap<number>()
      for (let index = 0; index < 5_000; index++) map.set(index, index)
      texts.forEach((text, index) => map.set(text, index))
      expect(texts.map((text) => map.get(text))).toEqual(texts.map((_, index) => index))
    }),
    { numRuns: 20 },
  )
})
