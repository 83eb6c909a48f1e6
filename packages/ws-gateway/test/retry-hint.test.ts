import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CLOSE, isCloseCause } from '../src/close-codes.ts'
import { retryAfterMs, withRetryHint } from '../src/retry-hint.ts'

it('a client comes back after the least time, and within the jitter', () => {
  const hint = { leastMs: 500, jitterMs: 1_000 }
  expect(retryAfterMs(hint, 0)).toBe(500)
  expect(retryAfterMs(hint, 0.25)).toBe(750)
  expect(retryAfterMs({ leastMs: 10_000_000, jitterMs: 1 }, 0.5)).toBe(600_000)
  fc.assert(
    fc.property(
      fc.nat(600_000),
      fc.nat(600_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (leastMs, jitterMs, fraction) => {
        const afterMs = retryAfterMs({ leastMs, jitterMs }, fraction)
        expect(Number.isInteger(afterMs)).toBe(true)
        expect(afterMs).toBeGreaterThanOrEqual(Math.min(leastMs, 600_000))
        expect(afterMs).toBeLessThanOrEqual(Math.min(leastMs + jitterMs, 600_000))
      },
    ),
  )
})

it('the hint stands behind the reason', () => {
  expect(withRetryHint(CLOSE.restart, 1_234)).toEqual({ code: 1012, reason: 'service_restart;retry_after_ms=1234' })
})

it('every cause of the gateway can have the largest hint, and one that is too long with it goes without', () => {
  for (const cause of Object.values(CLOSE)) {
    const hinted = withRetryHint(cause, 600_000)
    expect(hinted.reason).toMatch(/;retry_after_ms=600000$/)
    expect(isCloseCause(hinted)).toBe(true)
  }
  const long = { code: 4_123, reason: 'ä'.repeat(53) }
  expect(withRetryHint(long, 1)).toMatchObject({ reason: `${long.reason};retry_after_ms=1` })
  expect(withRetryHint(long, 10)).toBe(long)
})
