import { seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'

it('timers fire in the order of their due times, and of their making if those are equal; cancelled ones never', () => {
  const clock = new VirtualClock()
  const { fraction } = seededRandom(1)
  const fired: number[] = []
  const wanted: { readonly dueMs: number; readonly index: number }[] = []
  for (let index = 0; index < 2_000; index++) {
    const dueMs = Math.floor(fraction() * 100)
    const timer = clock.setTimer(dueMs, () => fired.push(index))
    if (fraction() < 0.7) timer.cancel()
    else wanted.push({ dueMs, index })
  }
  while (clock.fireNext(60));
  expect(clock.monotonicMs()).toBe(60)
  while (clock.fireNext(Infinity));
  expect(fired).toEqual(wanted.sort((a, b) => a.dueMs - b.dueMs || a.index - b.index).map(({ index }) => index))
})

it('a timer that is made by one that fires has its place among the others', () => {
  const clock = new VirtualClock()
  const fired: string[] = []
  clock.setTimer(1, () => {
    fired.push('first')
    clock.setTimer(1, () => fired.push('made by the first'))
    clock.setTimer(0, () => fired.push('made by the first, at once'))
  })
  clock.setTimer(2, () => fired.push('second'))
  while (clock.fireNext(10));
  expect(fired).toEqual(['first', 'made by the first, at once', 'second', 'made by the first'])
})
