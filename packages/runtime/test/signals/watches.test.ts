import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Process } from '../../src/process/process.ts'
import type { Watch } from '../../src/signals/monitors.ts'
import { addWatch, removeWatch, takeWatches, watchesOf } from '../../src/signals/watches.ts'

describe('the watches of a process', () => {
  it('are what a Set would hold, in its order, and let go of what is taken out', () => {
    const watches = Array.from({ length: 5 }, () => ({ previous: undefined, next: undefined }) as unknown as Watch)
    const step = fc.record({ does: fc.constantFrom('adds', 'removes', 'takes all'), n: fc.nat(4) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const process = new Process({ name: 'a@h', incarnation: 1 } as never, 1)
        const set = new Set<Watch>()
        for (const { does, n } of steps) {
          const watch = watches[n] as Watch
          if (does === 'takes all') {
            expect(takeWatches(process)).toEqual([...set])
            set.clear()
          } else if (does === 'removes') {
            removeWatch(process, watch)
            set.delete(watch)
          } else if (!set.has(watch)) {
            addWatch(process, watch)
            set.add(watch)
          }
          const held = watchesOf(process)
          expect(held.length).toBe(set.size)
          for (const [index, one] of [...set].entries()) expect(held[index]).toBe(one)
          for (const one of watches) expect(one.next === undefined).toBe(!set.has(one))
        }
        takeWatches(process)
      }),
    )
  })
})
