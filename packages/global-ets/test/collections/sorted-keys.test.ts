import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SortedKeys } from '../../src/collections/sorted-keys.ts'

const byNumber = (a: number, b: number): number => a - b

function keysOf(...keys: number[]): SortedKeys<number> {
  const set = new SortedKeys<number>(byNumber)
  for (const key of keys) set.add(key)
  return set
}

/** 0, 1, 2 … in an order that is none. */
function shuffled(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (index * 7_919) % count)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('a set of sorted keys', () => {
  it('gives its keys in the order of the comparator, each once', () => {
    const set = new SortedKeys<string>((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    expect(['b', 'a', 'c', 'a'].map((key) => set.add(key))).toEqual([true, true, true, false])
    expect([...set]).toEqual(['a', 'b', 'c'])
    expect(set.size).toBe(3)
    expect([set.delete('b'), set.delete('b')]).toEqual([true, false])
    expect([...set]).toEqual(['a', 'c'])
    expect([set.has('a'), set.has('b')]).toEqual([true, false])
  })

  it('knows the first and the last, and the neighbours of any key, in the set or not', () => {
    const set = keysOf(10, 20, 30)
    expect([set.first(), set.last()]).toEqual([10, 30])
    expect([set.next(10), set.next(15), set.next(30), set.next(-1)]).toEqual([20, 20, undefined, 10])
    expect([set.previous(10), set.previous(15), set.previous(30), set.previous(99)]).toEqual([undefined, 10, 20, 30])
    const none = keysOf()
    expect([none.first(), none.last(), none.next(1), none.previous(1), [...none.from(1)]]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      [],
    ])
  })

  it('gives the key that it holds for one that is equal', () => {
    const set = new SortedKeys<{ id: number; text: string }>((a, b) => a.id - b.id)
    set.add({ id: 1, text: 'one' })
    expect(set.add({ id: 1, text: 'uno' })).toBe(false)
    expect(set.get({ id: 1, text: '' })).toEqual({ id: 1, text: 'one' })
    expect(set.get({ id: 2, text: '' })).toBeUndefined()
  })

  it('is read from a key on, after a key, and backwards', () => {
    const set = keysOf(10, 20, 30)
    expect([...set.from(20)]).toEqual([20, 30])
    expect([...set.from(11)]).toEqual([20, 30])
    expect([...set.from(31)]).toEqual([])
    expect([...set.after(20)]).toEqual([30])
    expect([...set.before(30)]).toEqual([20, 10])
    expect([...set.before()]).toEqual([30, 20, 10])
  })

  it('is empty when it is cleared, and can be filled again', () => {
    const set = keysOf(...upTo(2_000))
    set.clear()
    expect([set.size, [...set], set.has(1)]).toEqual([0, [], false])
    set.add(1)
    expect([...set]).toEqual([1])
  })

  it('stays sorted over many chunks: filled in order, backwards, and in none; emptied in each of them', () => {
    for (const fill of [upTo(5_000), upTo(5_000).toReversed(), shuffled(5_000)]) {
      for (const empty of [upTo(5_000), upTo(5_000).toReversed(), shuffled(5_000)]) {
        const set = keysOf(...fill)
        expect([...set]).toEqual(upTo(5_000))
        for (const key of empty.slice(0, 4_000)) set.delete(key)
        expect([...set]).toEqual(empty.slice(4_000).toSorted(byNumber))
        expect([...set.before()]).toEqual([...set].toReversed())
        for (const key of empty.slice(4_000)) expect(set.delete(key)).toBe(true)
        expect([set.size, [...set]]).toEqual([0, []])
      }
    }
  })

  it('goes on after the key that it gave last, when keys are added and deleted while it is read', () => {
    const set = keysOf(...upTo(2_000))
    const given: number[] = []
    for (const key of set.from(100)) {
      given.push(key)
      set.delete(key)
      if (key % 2 === 0) set.delete(key + 1)
      set.add(key - 0.5)
      if (key === 1_998) set.add(5_000)
    }
    expect(given).toEqual([...upTo(2_000).filter((key) => key >= 100 && key % 2 === 0), 5_000])
  })

  it('gives no key twice, when others come before it while it is read', () => {
    const set = keysOf(10, 20, 30)
    const given: number[] = []
    for (const key of set) {
      given.push(key)
      set.add(key - 5)
    }
    expect(given).toEqual([10, 20, 30])
  })

  it('gives nothing more of a set that is cleared while it is read', () => {
    const set = keysOf(...upTo(1_000))
    const keys = set.from(0)
    keys.next()
    set.clear()
    expect([...keys]).toEqual([])
  })

  it('begins at the key that it was told, though the set changes before the first is read', () => {
    const set = keysOf(10, 20, 30)
    const [from, after] = [set.from(20), set.after(20)]
    set.add(5)
    set.delete(20)
    set.add(25)
    expect([...from]).toEqual([25, 30])
    expect([...after]).toEqual([25, 30])
  })

  it('does what a plain sorted array does', () => {
    const key = fc.integer({ min: 0, max: 3_000 })
    const step = fc.oneof(
      fc.record({ type: fc.constant('add' as const), from: key, count: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ type: fc.constant('delete' as const), from: key, count: fc.integer({ min: 1, max: 900 }) }),
      fc.record({ type: fc.constant('look' as const), at: key }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const set = new SortedKeys<number>(byNumber)
        let model: number[] = []
        for (const one of steps) {
          if (one.type === 'look') {
            expect(set.has(one.at)).toBe(model.includes(one.at))
            expect(set.next(one.at)).toBe(model.find((item) => item > one.at))
            expect(set.previous(one.at)).toBe(model.findLast((item) => item < one.at))
            expect([...set.from(one.at)]).toEqual(model.filter((item) => item >= one.at))
            expect([...set.after(one.at)]).toEqual(model.filter((item) => item > one.at))
            continue
          }
          // Strides of two, so that there are gaps.
          for (let index = 0; index < one.count; index++) {
            const item = one.from + 2 * index
            const isThere = model.includes(item)
            if (one.type === 'add') expect(set.add(item)).toBe(!isThere)
            else expect(set.delete(item)).toBe(isThere)
            if (one.type === 'delete') model = model.filter((other) => other !== item)
            else if (!isThere) model.push(item)
          }
          model.sort(byNumber)
          expect(set.size).toBe(model.length)
          expect([...set]).toEqual(model)
        }
      }),
      { numRuns: 30 },
    )
  })
})
