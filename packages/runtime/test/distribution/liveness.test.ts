import { describe, expect, it } from 'vitest'
import {
  lookMs,
  onHeard,
  onLook,
  onProgress,
  onTick,
  startLiveness,
  type Liveness,
} from '../../src/distribution/liveness.ts'

const options = { tickMs: 1_000, ticks: 4, noProgressMs: 10_000 }

/** Looks as often as it should up to a moment; `events` happen before the look of their moment. */
function run(
  untilMs: number,
  events: { readonly [ms: number]: (state: Liveness) => Liveness } = {},
  stalls: ReadonlyArray<readonly [number, number]> = [],
  isWaiting = false,
) {
  let state = startLiveness(0, options)
  const ticks: number[] = []
  for (let ms = lookMs(options); ms <= untilMs; ms += lookMs(options)) {
    const event = events[ms]
    if (event !== undefined) state = event(state)
    if (stalls.some(([from, to]) => ms >= from && ms < to)) continue
    const look = onLook(state, ms, isWaiting, options)
    state = look.state
    if (look.verdict.type === 'dead') return { diedAtMs: ms, why: look.verdict.why, ticks }
    if (look.verdict.sendTick) ticks.push(ms)
  }
  return { diedAtMs: undefined, why: undefined, ticks }
}

describe('liveness', () => {
  it('a peer that is never heard is dead after four ticks, and not before', () => {
    expect(run(10_000)).toMatchObject({ diedAtMs: 4_000, why: 'not_heard' })
  })

  it('a peer that was last heard between two looks is dead at most an eighth of a tick after its four ticks', () => {
    const { diedAtMs } = run(10_000, { 250: (state) => onHeard(state, 249) })
    expect(diedAtMs).toBe(4_250)
  })

  it('whatever is heard counts as life', () => {
    const events = Object.fromEntries(
      [3_750, 7_500, 11_000].map((ms) => [ms, (state: Liveness) => onTick(state, ms, 0)]),
    )
    expect(run(14_000, events).diedAtMs).toBeUndefined()
  })

  it('a tick is due once a tick', () => {
    expect(run(3_900).ticks).toEqual([1_000, 2_000, 3_000])
  })

  it('a stall of our own for 10 seconds kills nobody who speaks afterwards', () => {
    const stalled = run(13_000, { 12_250: (state) => onTick(state, 12_250, 0) }, [[2_000, 12_000]])
    expect(stalled.diedAtMs).toBeUndefined()
  })

  it('after a stall of our own a peer that stays silent is dead when its time, without ours, is over', () => {
    const { diedAtMs, why } = run(30_000, { 1_000: (state) => onTick(state, 1_000, 0) }, [[2_000, 12_000]])
    expect(why).toBe('not_heard')
    expect(diedAtMs).toBeGreaterThan(12_500)
    expect(diedAtMs).toBeLessThanOrEqual(15_500)
  })

  it('a peer that ticks but does not hear us is given up, so that a one-way link ends on both sides', () => {
    const events = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => (i + 1) * 500).map((ms) => [ms, (state: Liveness) => onTick(state, ms, ms)]),
    )
    expect(run(10_000, events)).toMatchObject({ diedAtMs: 5_000, why: 'we_are_not_heard' })
  })

  it('stalls of our own again and again do not keep a peer alive that is gone', () => {
    let state = startLiveness(0, options)
    let diedAtMs: number | undefined
    for (let ms = 0; ms < 60_000 && diedAtMs === undefined; ms += 400) {
      // Stalled for 380 ms; one look that is late, and one when the sockets have been read.
      for (const at of [ms + 380, ms + 381]) {
        const look = onLook(state, at, false, options)
        state = look.state
        if (look.verdict.type === 'dead') diedAtMs = at
      }
    }
    expect(diedAtMs).toBeLessThan(6_000)
    expect(diedAtMs).toBeGreaterThanOrEqual(4_000)
  })

  it('a look that is late says so: another is due when the sockets have been read', () => {
    const state = startLiveness(0, options)
    expect(onLook(state, 125, false, options).isLate).toBe(false)
    expect(onLook(state, 2_000, false, options).isLate).toBe(true)
  })

  describe('of a connection on which something waits', () => {
    const ticking = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => (i + 1) * 500).map((ms) => [ms, (state: Liveness) => onTick(state, ms, 0)]),
    )

    it('nothing is passed on for ten seconds: it is dead, however well its peer ticks', () => {
      expect(run(30_000, ticking, [], true)).toMatchObject({ diedAtMs: 10_000, why: 'no_progress' })
    })

    it('something is passed on within ten seconds: it lives', () => {
      const events = { ...ticking, 9_000: (state: Liveness) => onProgress(onTick(state, 9_000, 0), 9_000) }
      expect(run(18_000, events, [], true).diedAtMs).toBeUndefined()
      expect(run(30_000, events, [], true)).toMatchObject({ diedAtMs: 19_000, why: 'no_progress' })
    })

    it('is looked at ten times in its ten seconds, however long the ticks', () => {
      expect([100, 1_000, 75_000].map((tickMs) => lookMs({ ...options, tickMs }))).toEqual([12.5, 125, 1_000])
    })

    it('a stall of our own does not count', () => {
      expect(run(30_000, ticking, [[2_000, 9_000]], true).diedAtMs).toBeGreaterThan(16_000)
    })

    it('a stall of our own does not count, however long the ticks', () => {
      const slow = { ...options, tickMs: 75_000 }
      const look = onLook(startLiveness(0, slow), lookMs(slow) + 12_000, true, slow)
      expect(look).toMatchObject({ verdict: { type: 'wait' }, isLate: true })
    })
  })

  it('where nothing waits there is nothing to be passed on', () => {
    const events = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => (i + 1) * 500).map((ms) => [ms, (state: Liveness) => onTick(state, ms, 0)]),
    )
    expect(run(30_000, events).diedAtMs).toBeUndefined()
  })
})
