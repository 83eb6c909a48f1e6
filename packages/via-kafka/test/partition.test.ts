import { describe, expect, it } from 'vitest'
import { partitionOf } from '../src/partition.ts'

describe('the partition of a channel', () => {
  it('is the same for ever: nodes of several versions share a topic', () => {
    expect(['', 'a', 'b', 'room:1', 'größer', '🙂'].map((channel) => partitionOf(channel, 1_000))).toEqual(KNOWN)
  })

  it('is spread evenly over names that differ at their end only', () => {
    const counts = new Array<number>(8).fill(0)
    for (let index = 0; index < 8_000; index++) {
      const partition = partitionOf(`room:${index}`, 8)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(Math.max(...counts)).toBeLessThan(1_150)
  })

  it('is 0 if there is one', () => {
    expect(partitionOf('a', 1)).toBe(0)
  })
})

const KNOWN = [923, 715, 274, 256, 605, 266]
