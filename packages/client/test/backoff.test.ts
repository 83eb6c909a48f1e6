import { expect, it } from 'vitest'
import { retryDelayMs, retryHintMs } from '../src/backoff.ts'

const limits = { minRetryMs: 250, maxRetryMs: 30_000 }

it('is anywhere between nothing and a ceiling that doubles', () => {
  for (const [retries, ceilingMs] of [
    [0, 250],
    [1, 500],
    [6, 16_000],
    [7, 30_000],
    [10_000, 30_000],
  ] as const) {
    expect(retryDelayMs(limits, retries, 0, 0)).toBe(0)
    expect(retryDelayMs(limits, retries, 0, 0.999)).toBeCloseTo(ceilingMs * 0.999)
  }
})

it('is never less than the gateway’s hint, and not the same for all that got it', () => {
  expect(retryDelayMs(limits, 0, 4_000, 0)).toBe(4_000)
  expect(retryDelayMs(limits, 0, 4_000, 0.5)).toBe(4_125)
  expect(retryDelayMs(limits, 9, 4_000, 0.5)).toBe(15_000)
})

it('finds the hint in the reason, and believes it within reason', () => {
  expect(retryHintMs('service_restart;retry_after_ms=1234')).toBe(1_234)
  expect(retryHintMs('try_again_later')).toBe(0)
  expect(retryHintMs('x;retry_after_ms=')).toBe(0)
  expect(retryHintMs('x;retry_after_ms=-5')).toBe(0)
  expect(retryHintMs(`x;retry_after_ms=${'9'.repeat(100)}`)).toBe(600_000)
})
