import { describe, expect, it } from 'vitest'
import { hashOfKey, hashOfRow } from '../../src/engine/hashes.ts'
import { KeyWords } from '../../src/engine/key-words.ts'

const hashOf = (key: string): number => hashOfKey(KeyWords.of(key))

describe('the hash of a key', () => {
  it.each([
    ['a', 444641715],
    ['user:42', 599759890],
    ['a short key of é', 1527260331],
    ['a short key é', 3019859459],
    ['x'.repeat(15), 3553280161],
    ['x'.repeat(16), 3487547775],
    ['€', 3648786903],
  ] as const)('of %j is the same on every node, and in every version', (key, hash) => {
    expect(hashOf(key)).toBe(hash)
  })

  it('depends on each character, of short and of long keys', () => {
    for (const length of [1, 14, 15, 16, 40])
      for (let at = 0; at < length; at++)
        expect(hashOf('a'.repeat(at) + 'b' + 'a'.repeat(length - at - 1))).not.toBe(hashOf('a'.repeat(length)))
  })

  it('is part of that of its row, as are id, epoch and metadata', () => {
    const all = [
      hashOfRow(1, 2, 3, 4),
      hashOfRow(0, 2, 3, 4),
      hashOfRow(1, 0, 3, 4),
      hashOfRow(1, 2, 0, 4),
      hashOfRow(1, 2, 3, 0),
    ]
    expect(new Set(all).size).toBe(5)
  })
})
