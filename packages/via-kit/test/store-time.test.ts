import { StoreTime } from '@pidmesh/via-kit'
import { describe, expect, it } from 'vitest'

describe('the time of a store', () => {
  it('is too late for everything as long as nothing is known of it', () => {
    expect(new StoreTime().at(5_000, 0)).toBe(0)
  })

  it('is what the store has said, and as much more as has gone by since, but for a part in a thousand', () => {
    const time = new StoreTime()
    time.learn(1_000_000, 500)
    expect(time.at(500, 500)).toBe(1_000_000)
    expect(time.at(2_500, 500)).toBe(1_001_998)
    expect(time.at(12_500, 10_500)).toBe(1_011_988)
  })

  it('is what was said last, also if that is earlier: a clock may be put back', () => {
    const time = new StoreTime()
    time.learn(1_000_000, 500)
    time.learn(400_000, 600)
    expect(time.at(600, 600)).toBe(400_000)
  })

  it('is not known any more a minute after it was said', () => {
    const time = new StoreTime()
    time.learn(1_000_000, 500)
    expect(time.at(62_500, 60_500)).toBeGreaterThan(1_000_000)
    expect(time.at(62_501, 60_501)).toBe(0)
  })
})
