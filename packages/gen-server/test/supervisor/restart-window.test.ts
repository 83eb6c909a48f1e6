import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RestartWindow } from '../../src/supervisor/restart-window.ts'

it('there may be as many restarts within a period as the intensity says, those a period old included', () => {
  const pauses = fc.array(fc.nat(30), { maxLength: 60 })
  fc.assert(
    fc.property(fc.nat(5), fc.integer({ min: 1, max: 100 }), pauses, (intensity, periodMs, pausesMs) => {
      const window = new RestartWindow({ intensity, periodMs })
      const grantedMs: number[] = []
      let nowMs = 0
      for (const pauseMs of pausesMs) {
        nowMs += pauseMs
        const recent = grantedMs.filter((thenMs) => thenMs >= nowMs - periodMs).length
        expect(window.add(nowMs)).toBe(recent < intensity)
        if (recent < intensity) grantedMs.push(nowMs)
      }
    }),
  )
})

it.each([
  [1_000, false],
  [1_001, true],
])(
  'a restart 1,000 ms after one with the intensity 1 in 1,000 ms is one too many, one ms later it is not: %i, %s',
  (nowMs, may) => {
    const window = new RestartWindow({ intensity: 1, periodMs: 1_000 })
    expect(window.add(0)).toBe(true)
    expect(window.add(nowMs)).toBe(may)
  },
)

it('a restart costs no more for there having been many: 200,000 within a period, and 200,000 after it', () => {
  const window = new RestartWindow({ intensity: 1_000_000, periodMs: 200_000 })
  let refused = 0
  for (let nowMs = 0; nowMs < 400_000; nowMs++) if (!window.add(nowMs)) refused++
  expect(refused).toBe(0)
})
