import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/system/system-clock.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('the system clock', () => {
  it('a delay beyond 2^31 milliseconds is honoured, and can be cancelled after its first part', () => {
    const fired: string[] = []
    systemClock.setTimer(2 ** 31 + 1_000, () => fired.push('in 25 days'))
    const cancelled = systemClock.setTimer(2 ** 31 + 1_000, () => fired.push('never'))
    vi.advanceTimersByTime(2 ** 31)
    expect(fired).toEqual([])
    cancelled.cancel()
    vi.advanceTimersByTime(1_000)
    expect(fired).toEqual(['in 25 days'])
  })

  it('a timer never fires within the call that sets it, nor before its time', () => {
    const fired: number[] = []
    systemClock.setTimer(0, () => fired.push(0))
    systemClock.setTimer(1.5, () => fired.push(1.5))
    expect(fired).toEqual([])
    vi.advanceTimersByTime(1)
    expect(fired).toEqual([0])
    vi.advanceTimersByTime(1)
    expect(fired).toEqual([0, 1.5])
  })
})
