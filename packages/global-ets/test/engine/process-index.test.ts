import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyWords } from '../../src/engine/key-words.ts'
import { ProcessIndex } from '../../src/engine/process-index.ts'
import { NONE, Rows } from '../../src/engine/rows.ts'

const MULTIPLIER = 0x9e3779b1

class CountedRows extends Rows {
  reads = 0
  override idOf(slot: number): number {
    this.reads++
    return super.idOf(slot)
  }
  of(id: number): number {
    return this.add({ key: KeyWords.of('k'), copy: 0, id, epoch: 1, meta: {}, hash: 0 })
  }
}

it('has no ids that meet whatever the secret, not either of those whose halves are chosen', () => {
  const meets: number[] = []
  for (const secret of [MULTIPLIER, 0x1234567, 0xdeadbeef]) {
    const rows = new CountedRows()
    const index = new ProcessIndex(rows, secret)
    let count = 0
    // What the highest halves would become if they were multiplied by a number that all know.
    for (let high = 1; high < 2 ** 15; high++) {
      const hash = Math.imul(high, 0x85ebca6b)
      if (((hash ^ (hash >>> 15)) & 16_383) >= 4_096) continue
      const id = high * 2 ** 38
      index.put(id, rows.of(id))
      count++
    }
    meets.push(rows.reads / count)
  }
  expect(Math.max(...meets)).toBeLessThan(20)
})

describe.each([
  ["this node's own ids", undefined],
  ["another node's ids", MULTIPLIER],
])('an index of processes by %s', (_, multiplier) => {
  it('has what a Map would have, whatever comes and goes', () => {
    const step = fc.record({ puts: fc.boolean(), id: fc.oneof(fc.nat(300), fc.nat(2 ** 31), fc.maxSafeNat()) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 500 }), (steps) => {
        const rows = new CountedRows()
        const index = new ProcessIndex(rows, multiplier)
        const model = new Map<number, number>()
        for (const { puts, id } of steps) {
          if (puts) {
            const slot = rows.of(id)
            expect(index.put(id, slot)).toBe(model.get(id) ?? NONE)
            model.set(id, slot)
          } else {
            index.setFirst(id, NONE)
            model.delete(id)
          }
        }
        for (const { id } of steps) expect(index.first(id)).toBe(model.get(id) ?? NONE)
      }),
    )
  })

  it.each([1, 2, 8, 64, 128, 1_024, 65_536, 2 ** 22])(
    'looks at few others to put one in or take it out, if they are %d apart',
    (step) => {
      const rows = new CountedRows()
      const index = new ProcessIndex(rows, multiplier)
      const ids = Array.from({ length: 10_000 }, (_, n) => 1 + n * step)
      for (const id of ids) index.put(id, rows.of(id))
      for (const id of ids) index.setFirst(id, NONE)
      expect(rows.reads / ids.length).toBeLessThan(20)
      for (const id of ids) expect(index.first(id)).toBe(NONE)
    },
  )
})
