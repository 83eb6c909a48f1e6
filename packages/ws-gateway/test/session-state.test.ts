/**
 * PURPOSE: who may go on with a session, and with what. The core alone: no socket, no process, no clock.
 *
 * INVARIANTS: a ring is the list of what was added and is neither acknowledged nor over a limit; at most one place is the session, whatever of a move is lost or late; a nonce
 * is good once, and until the client has shown that it has the next.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Frame } from '../src/frame.ts'
import { ReplayRing, type RingLimits } from '../src/replay-ring.ts'
import { SessionState } from '../src/session-state.ts'

const limits: RingLimits = { maxMessages: 4, maxBytes: 100 }
const nonce = (text: string): Buffer => Buffer.from(text.padEnd(12, '.'))
const frame = (text: string): Buffer => Buffer.from(text)

/** A ring with messages of one byte. */
function ringOf(count: number, given: RingLimits = limits): ReplayRing {
  const ring = new ReplayRing(given)
  for (let number = 1; number <= count; number++) ring.add(frame(`${number}`))
  return ring
}

function textsAfter(ring: ReplayRing, number: number): readonly string[] | undefined {
  return ring.after(number)?.map(String)
}

describe('a replay ring', () => {
  it('gives what comes after a number, in order', () => {
    expect(textsAfter(ringOf(3), 0)).toEqual(['1', '2', '3'])
    expect(textsAfter(ringOf(3), 2)).toEqual(['3'])
    expect(textsAfter(ringOf(3), 3)).toEqual([])
  })

  it('gives nothing at all rather than less than was asked for', () => {
    expect(textsAfter(ringOf(6), 2)).toEqual(['3', '4', '5', '6'])
    expect(textsAfter(ringOf(6), 1)).toBeUndefined()
  })

  it('keeps no more bytes than it may, and nothing of a message that is larger', () => {
    const ring = ringOf(0, { maxMessages: 10, maxBytes: 5 })
    for (const text of ['aa', 'bb', 'cc']) ring.add(frame(text))
    expect(textsAfter(ring, 1)).toEqual(['bb', 'cc'])
    ring.add(frame('too large'))
    expect([ring.size, ring.byteLength, ring.last]).toEqual([0, 0, 4])
    expect(textsAfter(ring, 3)).toBeUndefined()
    expect(textsAfter(ring, 4)).toEqual([])
  })

  it.each([-1, 4, 0.5, Number.NaN, Infinity])(
    'knows no number %d: it is neither acknowledged nor replayed',
    (number) => {
      const ring = ringOf(3)
      expect(ring.ack(number)).toBe(false)
      expect(ring.after(number)).toBeUndefined()
      expect(textsAfter(ring, 0)).toEqual(['1', '2', '3'])
    },
  )

  it('takes an acknowledgement that comes again, or late, for what it says and nothing else', () => {
    const ring = ringOf(3)
    for (const number of [2, 2, 1, 0]) expect(ring.ack(number)).toBe(true)
    expect(textsAfter(ring, 2)).toEqual(['3'])
    expect(textsAfter(ring, 1)).toBeUndefined()
  })

  it('goes on with the numbers of another place', () => {
    const ring = new ReplayRing(limits, 41)
    ring.add(frame('x'))
    expect(ring.last).toBe(42)
    expect(textsAfter(ring, 41)).toEqual(['x'])
    expect(ring.after(40)).toBeUndefined()
  })

  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant('add' as const), bytes: fc.nat({ max: 12 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('ack' as const), number: fc.integer({ min: -1, max: 60 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('after' as const), number: fc.integer({ min: -1, max: 60 }) }),
    },
  )

  it('is the list of what was added, without what is acknowledged, and without the oldest where that is too much', () => {
    fc.assert(
      fc.property(
        fc.record({ maxMessages: fc.integer({ min: 1, max: 8 }), maxBytes: fc.integer({ min: 1, max: 40 }) }),
        fc.nat({ max: 10 }),
        fc.array(step, { maxLength: 60 }),
        (given, start, steps) => {
          const ring = new ReplayRing(given, start)
          let [model, last] = [[] as readonly { readonly number: number; readonly frame: Buffer }[], start]
          for (const one of steps) {
            if (one.type === 'add') {
              const added = Buffer.alloc(one.bytes)
              ring.add(added)
              model = newestWithin([...model, { number: ++last, frame: added }], given)
            } else if (one.type === 'ack') {
              const isKnown = one.number >= 0 && one.number <= last
              expect(ring.ack(one.number)).toBe(isKnown)
              if (isKnown) model = model.filter(({ number }) => number > one.number)
            } else {
              const missed = model.filter(({ number }) => number > one.number)
              const isWhole = one.number >= 0 && one.number <= last && missed.length === last - one.number
              const given = ring.after(one.number)
              expect(given?.length).toBe(isWhole ? missed.length : undefined)
              // The very same buffers: they are shared.
              if (isWhole) missed.forEach((kept, index) => expect(given?.[index]).toBe(kept.frame))
            }
            const bytes = model.reduce((sum, kept) => sum + kept.frame.length, 0)
            expect([ring.last, ring.size, ring.byteLength]).toEqual([last, model.length, bytes])
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

/** As many of the newest as are within the limits. */
function newestWithin<T extends { readonly frame: Buffer }>(all: readonly T[], given: RingLimits): readonly T[] {
  let [from, bytes] = [all.length, 0]
  while (from > 0 && all.length - from < given.maxMessages) {
    bytes += all[from - 1]?.frame.length ?? 0
    if (bytes > given.maxBytes) break
    from--
  }
  return all.slice(from)
}

/** A session whose client has been told a nonce, and has said that it has it. */
function sessionWith(known: string): SessionState {
  const state = new SessionState(limits)
  state.attach(nonce(known))
  state.ack(0)
  return state
}

describe('the nonce of a session', () => {
  it('is good for who comes with it, and no other is', () => {
    const state = sessionWith('a')
    expect(state.claim(nonce('a'), 0)).toEqual({ type: 'granted', missed: [] })
    expect(state.claim(nonce('b'), 0)).toEqual({ type: 'failed', why: 'refused', seq: 0 })
    expect(state.claim(Buffer.alloc(0), 0)).toMatchObject({ why: 'refused' })
    expect(state.claim(nonce('a').subarray(0, 11), 0)).toMatchObject({ why: 'refused' })
  })

  it('is good once: the next takes its place as soon as the client shows that it has it', () => {
    const state = sessionWith('a')
    state.attach(nonce('b'), nonce('a'))
    expect(state.knows(nonce('a'))).toBe(true)
    state.ack(0)
    expect(state.knows(nonce('a'))).toBe(false)
    expect(state.knows(nonce('b'))).toBe(true)
  })

  it('stays good however often what told the next is lost', () => {
    const state = sessionWith('a')
    for (const lost of ['b', 'c', 'd']) {
      expect(state.claim(nonce('a'), 0).type).toBe('granted')
      state.attach(nonce(lost), nonce('a'))
      state.detach()
    }
    // Whatever of it the client has.
    for (const any of ['a', 'b', 'c', 'd']) expect(state.claim(nonce(any), 0).type).toBe('granted')
  })

  it('that was told is forgotten only if seven were told since', () => {
    const state = sessionWith('a')
    const told = Array.from({ length: 8 }, (_, index) => `b${index}`)
    for (const one of told) state.attach(nonce(one), nonce('a'))
    expect(told.filter((one) => !state.knows(nonce(one)))).toEqual(['b0'])
    expect(state.knows(nonce('a'))).toBe(true)
  })

  it('is past as soon as a newer one is told', () => {
    const state = sessionWith('a')
    expect(state.isNewest(nonce('a'))).toBe(true)
    state.attach(nonce('b'), nonce('a'))
    expect([state.isNewest(nonce('a')), state.isNewest(nonce('b')), state.isNewest(nonce('c'))]).toEqual([
      false,
      true,
      false,
    ])
  })

  it('that the client was told at the former place is good at the new one, also if the client comes with an older one', () => {
    const former = sessionWith('a')
    former.attach(nonce('b'), nonce('a'))
    const state = new SessionState(limits, {
      seq: 0,
      missed: [],
      received: 0,
      isConfirmed: false,
      nonces: former.nonces,
    })
    state.attach(nonce('c'), nonce('a'))
    for (const any of ['a', 'b', 'c']) expect(state.knows(nonce(any))).toBe(true)
    state.ack(0)
    expect([state.knows(nonce('a')), state.knows(nonce('b')), state.knows(nonce('c'))]).toEqual([false, false, true])
  })

  it('is used up by who comes with the next one: that shows that it was told', () => {
    const state = sessionWith('a')
    state.attach(nonce('b'), nonce('a'))
    state.detach()
    state.attach(nonce('c'), nonce('b'))
    expect(state.knows(nonce('a'))).toBe(false)
    expect(state.knows(nonce('b'))).toBe(true)
  })

  it('is not used up by an acknowledgement of what was not sent', () => {
    const state = sessionWith('a')
    state.attach(nonce('b'), nonce('a'))
    expect(state.ack(1)).toBe(false)
    expect(state.knows(nonce('a'))).toBe(true)
  })

  it('that the client has come with is good at the new place of the session, until the next one is acknowledged', () => {
    const state = new SessionState(limits, {
      seq: 7,
      missed: [frame('x')],
      received: 3,
      isConfirmed: true,
      nonces: [nonce('a')],
    })
    state.attach(nonce('b'), nonce('a'))
    expect(state.claim(nonce('a'), 7)).toEqual({ type: 'granted', missed: [frame('x')] })
    expect(state.ack(8)).toBe(true)
    expect(state.claim(nonce('a'), 8)).toMatchObject({ why: 'refused' })
    expect(state.claim(nonce('b'), 8)).toEqual({ type: 'granted', missed: [] })
    expect(state.received).toBe(3)
  })

  it('is none before there was a socket', () => {
    expect(() => new SessionState(limits).nonce).toThrow('no token before it has a socket')
  })
})

describe('a claim', () => {
  it('fails with the last number that was used if what was missed is not kept', () => {
    const state = sessionWith('a')
    for (let number = 1; number <= 5; number++) state.ring.add(frame(`${number}`))
    expect(state.claim(nonce('a'), 0)).toEqual({ type: 'failed', why: 'gap', seq: 5 })
    expect(state.claim(nonce('a'), 6)).toEqual({ type: 'failed', why: 'gap', seq: 5 })
    expect(state.claim(nonce('a'), 1).type).toBe('granted')
  })

  it('waits while another one is under way, and is refused once that is committed', () => {
    const state = sessionWith('a')
    const claim = state.freeze()
    expect(state.claim(nonce('a'), 0)).toEqual({ type: 'busy' })
    // Who has no right to the session doesn't learn that.
    expect(state.claim(nonce('b'), 0)).toMatchObject({ why: 'refused' })
    expect(state.commit(claim)).toBe(true)
    expect(state.claim(nonce('a'), 0)).toMatchObject({ why: 'refused' })
  })

  it('is committed once', () => {
    const state = sessionWith('a')
    const claim = state.freeze()
    expect([state.commit(claim), state.commit(claim), state.thaw(claim)]).toEqual([true, false, false])
    expect(state.phase).toBe('moved')
  })

  it('that has come to nothing is not committed any more, and the next one is', () => {
    const state = sessionWith('a')
    const first = state.freeze()
    expect(state.thaw(first)).toBe(true)
    expect(state.phase).toBe('detached')
    expect(state.commit(first)).toBe(false)
    const second = state.freeze()
    expect([state.thaw(first), state.commit(first), state.commit(second)]).toEqual([false, false, true])
  })

  it('is not called off by a socket that closes late', () => {
    const state = sessionWith('a')
    const claim = state.freeze()
    state.detach()
    expect([state.phase, state.commit(claim)]).toEqual(['moving', true])
    state.detach()
    expect(state.phase).toBe('moved')
  })
})

/**
 * A session among places. Where it is asks and answers may be late or lost: `order` says which of what is under way happens next. What the places believe must agree at any
 * time: each that is granted a commit is the session, and who granted it isn't.
 */
describe('a session that many places want', () => {
  type Step =
    | { readonly type: 'push' | 'thaw' }
    | { readonly type: 'ack'; readonly of: number }
    | { readonly type: 'come'; readonly by: number }
    | { readonly type: 'commit'; readonly claim: number }
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ type: fc.constant('push' as const) }),
    fc.record({ type: fc.constant('thaw' as const) }),
    fc.record({ type: fc.constant('ack' as const), of: fc.nat({ max: 20 }) }),
    { weight: 2, arbitrary: fc.record({ type: fc.constant('come' as const), by: fc.nat({ max: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('commit' as const), claim: fc.nat({ max: 4 }) }) },
  )

  interface Claim {
    readonly at: SessionState
    readonly number: number
    readonly seq: number
    readonly missed: readonly Frame[]
    readonly shown: Buffer
    readonly nonces: readonly Buffer[]
  }

  it('is at one place only, and that has all that the client lacks', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const big: RingLimits = { maxMessages: 1_000, maxBytes: 100_000 }
        let [nonces, pushed, has] = [0, 0, 0]
        // What the client was told, and how much of that it has left behind: by coming with a newer one, or by acknowledging.
        const told: Buffer[] = []
        let past = 0
        const next = (): Buffer => {
          const made = nonce(`${++nonces}`)
          told.push(made)
          return made
        }
        const places = [new SessionState(big)]
        places[0]?.attach(next())
        const claims: Claim[] = []
        const alive = (): SessionState[] => places.filter(({ phase }) => phase !== 'moved')
        for (const one of steps) {
          const [place] = alive()
          if (place === undefined) throw new Error('no place is the session')
          if (one.type === 'push' && place.phase !== 'moving') place.ring.add(frame(`${++pushed}`))
          else if (one.type === 'ack' && place.phase === 'attached' && one.of <= pushed && one.of >= has) {
            expect(place.ack(one.of)).toBe(true)
            has = one.of
            past = told.length - 1
          } else if (one.type === 'thaw') place.thaw(place.claims)
          else if (one.type === 'come') {
            const shown = told[told.length - 1 - one.by] ?? nonce('stranger')
            const isKnown = told.indexOf(shown) >= past
            const verdict = place.claim(shown, has)
            expect(verdict.type).toBe(!isKnown ? 'failed' : place.phase === 'moving' ? 'busy' : 'granted')
            if (verdict.type !== 'granted') continue
            expect(verdict.missed.map(String)).toEqual(numbersAfter(has, pushed))
            const { nonces } = place
            claims.push({ at: place, number: place.freeze(), seq: has, missed: verdict.missed, shown, nonces })
          } else if (one.type === 'commit') {
            // Of all that were ever granted, whether they have come to nothing or not.
            const claim = claims[claims.length - 1 - one.claim]
            if (claim === undefined || !claim.at.commit(claim.number)) continue
            expect(claim.at).toBe(place)
            const there = new SessionState(big, { ...claim, received: 0, isConfirmed: false })
            past = Math.max(past, told.indexOf(claim.shown))
            there.attach(next(), claim.shown)
            places.push(there)
            expect(there.ring.after(has)?.map(String)).toEqual(numbersAfter(has, pushed))
          }
          expect(alive()).toHaveLength(1)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

function numbersAfter(first: number, last: number): readonly string[] {
  return Array.from({ length: last - first }, (_, index) => `${first + index + 1}`)
}
