import { describe, expect, it } from 'vitest'
import { TokenExpiry } from '../src/token-expiry.ts'

const NOW = 1_000_000

describe('a client whose token expires', () => {
  it('is told a minute before, once', () => {
    const expiry = new TokenExpiry(NOW + 600_000, NOW)
    expect([NOW, NOW + 539_999, NOW + 540_000, NOW + 540_001].map((at) => expiry.tellNow(at))).toEqual([
      false,
      false,
      true,
      false,
    ])
  })

  it('is told at half of the time if there is less than two minutes', () => {
    const expiry = new TokenExpiry(NOW + 10_000, NOW)
    expect([expiry.tellNow(NOW + 4_999), expiry.tellNow(NOW + 5_000)]).toEqual([false, true])
  })

  it('has so much time left, and none when it is over', () => {
    const expiry = new TokenExpiry(NOW + 10_000, NOW)
    expect([expiry.leftMs(NOW + 0.4), expiry.leftMs(NOW + 20_000)]).toEqual([10_000, 0])
    expect([expiry.isOver(NOW + 9_999), expiry.isOver(NOW + 10_000)]).toEqual([false, true])
  })
})
