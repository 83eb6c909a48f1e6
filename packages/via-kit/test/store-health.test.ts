import { MemoryLogger, VirtualClock } from '@pidmesh/runtime/testing'
import { StoreError } from '@pidmesh/via-kit'
import { describe, expect, it } from 'vitest'
import { StoreHealth } from '../src/store-health.ts'
import { away } from './lab.ts'

function start(): {
  readonly health: StoreHealth
  readonly pass: (ms: number) => void
  readonly lines: () => readonly string[]
} {
  const clock = new VirtualClock()
  const log = new MemoryLogger()
  return {
    health: new StoreHealth({ clock, log }, 'the store', 'memory'),
    pass: (ms) => clock.passTo(clock.monotonicMs() + ms),
    lines: () => log.lines.map(({ message, fields }) => [fields['part'], message].filter(Boolean).join(': ')),
  }
}

describe('whether a store answers', () => {
  it('says nothing of a call that it was not asked for', () => {
    const { health, lines } = start()
    health.failed(new StoreError('ERR_STORE_OVERLOADED', 'too many wait'))
    expect([health.isAvailable, health.failures, lines()]).toEqual([true, 0, []])
  })

  it('is told once where some calls fail again and again, and once when none has for a while', () => {
    const { health, pass, lines } = start()
    for (let n = 0; n < 10; n++) {
      health.failed(away())
      pass(1_900)
      health.succeeded()
    }
    expect([health.isAvailable, health.failures, lines()]).toEqual([true, 10, ['the store does not answer']])
    pass(100)
    health.succeeded()
    expect(lines().slice(1)).toEqual(['the store is back'])
  })

  it('of a part that nobody has asked for five minutes is not known any more: of one that is asked it is, and of a store that is one', () => {
    const { health, pass, lines } = start()
    health.failed(away())
    for (const part of ['a', 'b']) health.failed(away(), part)
    for (let second = 0; second < 300; second++) {
      expect(lines()).toHaveLength(3)
      pass(1_000)
      health.failed(away(), 'b')
    }
    expect(lines().slice(3)).toEqual(['a: a part of the store is not asked any more'])
    pass(3_000)
    health.succeeded('b')
    expect(health.isAvailable).toBe(false)
    health.succeeded()
    expect([health.isAvailable, lines().length]).toEqual([true, 6])
  })

  it('is known of a part that is asked seldom', () => {
    const { health, pass, lines } = start()
    health.failed(away(), 'a')
    pass(299_000)
    health.failed(away(), 'a')
    pass(299_000)
    health.failed(away(), 'b')
    expect(lines()).toEqual(['a: a part of the store does not answer', 'b: a part of the store does not answer'])
  })
})
