import { seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { Timers, type Timer } from '../src/timers.ts'
import type { Clock } from '../src/ports.ts'

/** A clock that says how many of its timers are armed, and may wake early. */
function countingClock(clock: VirtualClock): { readonly clock: Clock; armed(): number } {
  let armed = 0
  return {
    armed: () => armed,
    clock: {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs(),
      setTimer: (delayMs, fire) => {
        armed++
        let done = false
        const finish = (): void => {
          if (!done) armed--
          done = true
        }
        const handle = clock.setTimer(delayMs, () => {
          finish()
          fire()
        })
        return {
          cancel: () => {
            finish()
            handle.cancel()
          },
        }
      },
    },
  }
}

function passBy(clock: VirtualClock, ms: number): void {
  const endMs = clock.monotonicMs() + ms
  while (clock.fireNext(endMs));
  clock.passTo(endMs)
}

describe('timers', () => {
  it('fire in the order of their due times, and of their starts if those are equal, whatever is cancelled between', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed)
      const below = (limit: number): number => Math.floor(random.fraction() * limit)
      const virtual = new VirtualClock()
      const { clock, armed } = countingClock(virtual)
      const timers = new Timers(clock)
      const fired: string[] = []
      const live: { name: string; dueMs: number; timer: Timer }[] = []
      const expected: { name: string; dueMs: number }[] = []
      const settle = (): void => {
        const due = live.filter((entry) => entry.dueMs <= virtual.monotonicMs())
        // A stable sort: equal due times stay in the order of their starts.
        due.sort((a, b) => a.dueMs - b.dueMs)
        expected.push(...due)
        for (const entry of due) live.splice(live.indexOf(entry), 1)
      }
      for (let step = 0; step < 300; step++) {
        if (random.fraction() < 0.55) {
          const name = `${step}`
          const delayMs = below(50)
          live.push({
            name,
            dueMs: virtual.monotonicMs() + delayMs,
            timer: timers.start(delayMs, () => fired.push(name)),
          })
        } else if (random.fraction() < 0.9) {
          const [entry] = live.splice(below(live.length), 1)
          if (entry !== undefined) expect(timers.cancel(entry.timer)).toBe(entry.dueMs - virtual.monotonicMs())
        } else {
          passBy(virtual, below(20))
          settle()
        }
        expect(timers.size).toBe(live.length)
        expect(armed()).toBeLessThanOrEqual(1)
      }
      passBy(virtual, 100)
      settle()
      expect(fired, `seed ${seed}`).toEqual(expected.map((entry) => entry.name))
      expect(armed()).toBe(0)
    }
  })

  it('that are cancelled are not kept: a million timeouts of calls leave no more than a few hundred', () => {
    const timers = new Timers(new VirtualClock())
    const first = timers.start(5_000, () => undefined)
    for (let i = 0; i < 1_000_000; i++) timers.drop(timers.start(5_000, () => undefined))
    expect(timers.size).toBe(1)
    expect((timers as unknown as { heap: unknown[] }).heap.length).toBeLessThan(1_000)
    expect(timers.cancel(first)).toBe(5_000)
  })

  it('that start or cancel others when they fire do so at once', () => {
    const clock = new VirtualClock()
    const timers = new Timers(clock)
    const fired: string[] = []
    const late = timers.start(10, () => fired.push('late'))
    timers.start(5, () => {
      fired.push('first')
      timers.cancel(late)
      timers.start(0, () => fired.push('at once'))
      timers.start(3, () => fired.push('soon'))
    })
    passBy(clock, 20)
    expect(fired).toEqual(['first', 'at once', 'soon'])
  })

  it('never fire early, though the clock may wake them early', () => {
    const clock = new VirtualClock()
    const fired: number[] = []
    const early: Clock = {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs(),
      setTimer: (delayMs, fire) => clock.setTimer(delayMs > 1 ? delayMs - 0.7 : delayMs, fire),
    }
    const timers = new Timers(early)
    timers.start(10, () => fired.push(clock.monotonicMs()))
    passBy(clock, 20)
    expect(fired).toEqual([10])
  })

  it('100,000 that are due at once let others in between', () => {
    const clock = new VirtualClock()
    const timers = new Timers(clock)
    let fired = 0
    for (let i = 0; i < 100_000; i++) timers.start(10, () => fired++)
    clock.fireNext(10)
    expect(fired).toBe(1_000)
    passBy(clock, 20)
    expect(fired).toBe(100_000)
  })

  it('stop cancels all', () => {
    const clock = new VirtualClock()
    const timers = new Timers(clock)
    let fired = 0
    const timer = timers.start(10, () => fired++)
    timers.stop()
    passBy(clock, 20)
    expect([fired, timers.size, timers.leftMs(timer)]).toEqual([0, 0, undefined])
  })
})
