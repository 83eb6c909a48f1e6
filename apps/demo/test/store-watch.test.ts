import { describe, expect, it } from 'vitest'

import { StoreWatch, watchStore } from '../src/store-watch.ts'

/** What is told after each look: `+` has an answer, `-` has none. */
function toldOf(looks: string): readonly (string | undefined)[] {
  const watch = new StoreWatch()
  return Array.from(looks, (look) => watch.looked(look === '+'))
}

describe("what is told of somebody else's store", () => {
  it('is nothing as long as it answers', () => {
    expect(toldOf('++++').every((told) => told === undefined)).toBe(true)
  })

  it('is once that it is away, and once that it is back', () => {
    expect(toldOf('+-----++++').filter((told) => told !== undefined)).toEqual(['away', 'back'])
    expect(toldOf('--++--')).toEqual([undefined, 'away', undefined, 'back', undefined, 'away'])
  })

  it('is nothing of what comes and goes with each look', () => {
    expect(toldOf('+-+-+-+-').filter((told) => told !== undefined)).toEqual([])
    expect(toldOf('--+-+-+-').filter((told) => told !== undefined)).toEqual(['away'])
  })

  it('is nothing more when the demo has ended, also of a look that is under way', async () => {
    const ending = new AbortController()
    const lines: string[] = []
    let looks = 0
    const look = (): Promise<void> => {
      if (++looks === 2) ending.abort()
      return Promise.reject(new Error('away'))
    }
    await watchStore({ place: 'host:1', look, tell: (line) => lines.push(line), signal: ending.signal })
    expect([looks, lines]).toEqual([2, []])
  })
})
