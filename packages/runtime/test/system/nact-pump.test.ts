import { afterEach, describe, expect, it } from 'vitest'
import type { Pump } from '../../src/ports.ts'
import { nactPump } from '../../src/system/nact-pump.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const BUDGET_MS = 5

describe('the pump', () => {
  const pumps: Pump[] = []

  afterEach(() => {
    for (const pump of pumps.splice(0)) pump.stop()
  })

  function start(turn: (nowMs: number, endsAtMs: number, pump: Pump) => boolean): { pump: Pump; clock: VirtualClock } {
    const clock = new VirtualClock()
    const pump: Pump = nactPump({
      systemName: `pump ${pumps.length}`,
      clock,
      budgetMs: BUDGET_MS,
      turn: (nowMs, endsAtMs) => turn(nowMs, endsAtMs, pump),
    })
    pumps.push(pump)
    return { pump, clock }
  }

  const lap = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  async function microtasks(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) await Promise.resolve()
  }

  it('never turns within wake, and once for any number of them', async () => {
    let turns = 0
    const { pump } = start((nowMs, endsAtMs) => {
      if (nowMs >= endsAtMs) return true
      turns++
      return false
    })
    for (let i = 0; i < 10; i++) pump.wake()
    expect(turns).toBe(0)
    await lap()
    await lap()
    expect(turns).toBe(1)
  })

  it('within a window a wake costs no lap of the event loop; the window lasts for the budget and is not prolonged', async () => {
    const beganAtMs: number[] = []
    const { pump, clock } = start((nowMs, endsAtMs) => {
      if (nowMs >= endsAtMs) return true
      beganAtMs.push(nowMs)
      expect(endsAtMs).toBe(BUDGET_MS)
      return false
    })
    pump.wake()
    await lap()
    await lap()
    expect(beganAtMs).toEqual([0])
    for (let ms = 1; ms < BUDGET_MS; ms++) {
      clock.passTo(ms)
      pump.wake()
      await microtasks(3)
      expect(beganAtMs.at(-1)).toBe(ms)
    }
    clock.passTo(BUDGET_MS)
    pump.wake()
    await microtasks(10)
    expect(beganAtMs).toHaveLength(BUDGET_MS)
  })

  it('work that never ends lets the event loop in after each window', async () => {
    let turns = 0
    const { pump, clock } = start((nowMs) => {
      turns++
      // Each turn takes half a millisecond, and there is always more.
      clock.passTo(nowMs + 0.5)
      return true
    })
    pump.wake()
    const seen: number[] = []
    for (let i = 0; i < 20; i++) {
      await lap()
      seen.push(turns)
    }
    // Ten turns of half a millisecond, and the one that finds the window at its end.
    for (const [i, count] of seen.slice(1).entries()) expect(count - (seen[i] ?? 0)).toBeLessThanOrEqual(12)
    expect(turns).toBeGreaterThan(50)
  })

  it('a turn that asks for another gets it behind the microtasks that wait', async () => {
    const order: string[] = []
    const { pump } = start((nowMs, endsAtMs) => {
      if (nowMs >= endsAtMs) return true
      order.push('turn')
      if (order.length > 1) return false
      void Promise.resolve().then(() => order.push('a continuation'))
      return true
    })
    pump.wake()
    await lap()
    await lap()
    expect(order).toEqual(['turn', 'a continuation', 'turn'])
  })

  it('does not turn any more once it is stopped', async () => {
    let turns = 0
    const { pump } = start(() => {
      turns++
      return true
    })
    pump.wake()
    pump.stop()
    pump.stop()
    await lap()
    await lap()
    expect(turns).toBe(0)
  })
})
