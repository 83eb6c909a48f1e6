import { describe, expect, it } from 'vitest'
import { TurnTaking } from '../../src/distribution/turn-taking.ts'

/** A node, what it sends and what arrives, by a clock that it has to itself. */
class Side {
  private readonly turns = new TurnTaking()
  private nowMs = 0

  /** What `sent` said, from now on: how long to wait awake. */
  send(): number | undefined {
    const untilMs = this.turns.sent(this.nowMs)
    return untilMs === undefined ? undefined : untilMs - this.nowMs
  }

  /** Sends, and something arrives after so long. Says whether it waited awake. */
  turn(tookMs: number): boolean {
    const waited = this.send() !== undefined
    this.pass(tookMs)
    this.turns.arrived(this.nowMs)
    return waited
  }

  /** How many of so many turns it waited awake for. */
  take(turns: number, tookMs: number): number {
    let waits = 0
    for (let n = 0; n < turns; n++) if (this.turn(tookMs)) waits++
    return waits
  }

  receive(): void {
    this.turns.arrived(this.nowMs)
  }

  pass(ms: number): void {
    this.nowMs += ms
  }
}

const QUICK_MS = 0.1
const SLOW_MS = 1

describe('two nodes that take turns', () => {
  it('wait awake from the seventeenth turn on, for 0.4 ms at most', () => {
    const side = new Side()
    expect(side.take(16, QUICK_MS)).toBe(0)
    expect(side.send()).toBeCloseTo(0.4)
    side.pass(QUICK_MS)
    side.receive()
    expect(side.take(1_000, QUICK_MS)).toBe(1_000)
  })

  it('sleep when turns take longer, however many they are', () => {
    expect(new Side().take(10_000, SLOW_MS)).toBe(0)
  })

  it('begin to count anew after a slow turn', () => {
    const side = new Side()
    side.take(15, QUICK_MS)
    side.turn(SLOW_MS)
    expect(side.take(16, QUICK_MS)).toBe(0)
    expect(side.turn(QUICK_MS)).toBe(true)
  })

  it('go on waiting when one wait in twenty is in vain', () => {
    const side = new Side()
    side.take(16 + 200, QUICK_MS)
    for (let n = 0; n < 200; n++) {
      expect(side.take(19, QUICK_MS)).toBe(19)
      side.turn(SLOW_MS)
    }
  })

  it('sleep for more and more turns, 2,048 at most, when waits are in vain', () => {
    const side = new Side()
    /** Quick turns until it waits awake; and waits in vain until it sleeps again. */
    const sleep = (): number => {
      let turns = 0
      while (!side.turn(QUICK_MS)) turns++
      while (side.turn(SLOW_MS));
      return turns
    }
    expect(Array.from({ length: 7 }, sleep)).toEqual([16, 16, 64, 256, 1_024, 2_048, 2_048])
    // Once they have been worth it for a while it counts from the beginning.
    side.take(2_048 + 200, QUICK_MS)
    while (side.turn(SLOW_MS));
    expect([sleep(), sleep()]).toEqual([16, 64])
  })
})

describe('who takes no turns sleeps', () => {
  it('one that only sends, whatever it did before', () => {
    const side = new Side()
    side.take(1_000, QUICK_MS)
    let waits = 0
    for (let n = 0; n < 10_000; n++) {
      if (side.send() !== undefined) waits++
      side.pass(QUICK_MS)
    }
    // What it had to its credit, and no more.
    expect(waits).toBeLessThanOrEqual(9)
  })

  it('one that only receives', () => {
    const side = new Side()
    side.take(15, QUICK_MS)
    for (let n = 0; n < 100; n++) side.receive()
    expect(side.turn(QUICK_MS)).toBe(false)
    expect(side.turn(QUICK_MS)).toBe(true)
  })

  it('several that were sent one after the other are one turn, from the first of them on', () => {
    const side = new Side()
    for (let n = 0; n < 16; n++) {
      side.send()
      side.pass(0.3)
      side.turn(0.3)
    }
    expect(side.turn(QUICK_MS)).toBe(false)
  })
})
