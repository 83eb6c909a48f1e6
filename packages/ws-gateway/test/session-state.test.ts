/**
 * What decides about a session: its ring, its phases, its token.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodeName, Pid } from '@pidmesh/runtime'
import { ReplayRing } from '../src/replay-ring.ts'
import { hashOfNode, openToken, sealToken, sessionOf } from '../src/resume-token.ts'
import { SessionState } from '../src/session-state.ts'

const limits = { maxMessages: 4, maxBytes: 100 }
const frame = (length: number): Buffer => Buffer.alloc(length)

describe('a ring', () => {
  it('is a list of the last messages that are not acknowledged, within its limits, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 0, max: 120 }) }),
      fc.record({ ack: fc.integer({ min: -1, max: 60 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ring = new ReplayRing(limits)
        let kept: { number: number; frame: Buffer }[] = []
        let last = 0
        for (const one of steps) {
          if ('add' in one) {
            const added = frame(one.add)
            ring.add(added)
            kept.push({ number: ++last, frame: added })
            const bytes = () => kept.reduce((sum, { frame: { length } }) => sum + length, 0)
            while (kept.length > limits.maxMessages || bytes() > limits.maxBytes) kept.shift()
          } else {
            const isKnown = one.ack >= 0 && one.ack <= last
            expect(ring.ack(one.ack)).toBe(isKnown)
            if (isKnown) kept = kept.filter(({ number }) => number > one.ack)
          }
          expect([ring.last, ring.size]).toEqual([last, kept.length])
          expect(ring.byteLength).toBe(kept.reduce((sum, { frame: { length } }) => sum + length, 0))
          for (let after = 0; after <= last; after++) {
            const missed = ring.after(after)
            const wanted = kept.filter(({ number }) => number > after)
            if (last - after > kept.length) expect(missed).toBeUndefined()
            else expect(missed).toEqual(wanted.map(({ frame: of }) => of))
          }
          expect(ring.after(last + 1)).toBeUndefined()
        }
      }),
    )
  })

  it('has nothing for what is no number', () => {
    const ring = new ReplayRing(limits)
    for (const number of [Number.NaN, 0.5, -1, Infinity]) {
      expect(ring.after(number)).toBeUndefined()
      expect(ring.ack(number)).toBe(false)
    }
  })
})

describe('a session', () => {
  const [first, second, other] = [Buffer.from('first nonce!'), Buffer.from('second nonce'), Buffer.from('other nonce!')]

  function attached(): SessionState {
    const state = new SessionState(limits)
    state.attach(first)
    return state
  }

  it('is gone on with by its nonce, and by no other', () => {
    const state = attached()
    state.ring.add(frame(1))
    expect(state.claim(other, 0)).toEqual({ type: 'failed', why: 'refused', seq: 1 })
    expect(state.claim(first.subarray(0, 5), 0)).toMatchObject({ why: 'refused' })
    expect(state.claim(first, 0)).toEqual({ type: 'granted', missed: [frame(1)] })
  })

  it('takes the former nonce until the client has shown that it has the next', () => {
    const state = attached()
    state.detach()
    state.attach(second, first)
    expect([state.knows(first), state.knows(second)]).toEqual([true, true])
    state.ack(0)
    expect([state.knows(first), state.knows(second)]).toEqual([false, true])
  })

  it('takes the nonce that the client has, however often what tells it the next is lost', () => {
    const state = attached()
    state.ack(0)
    for (const next of [second, other, second]) {
      expect(state.claim(first, 0).type).toBe('granted')
      state.attach(next, first)
      state.detach()
    }
    expect([state.knows(first), state.knows(second), state.knows(other)]).toEqual([true, true, false])
  })

  it('moves to one place at most: a commit is granted to the claim that is under way, once', () => {
    const act = fc.oneof(fc.constant('claim' as const), fc.constant('thaw' as const), fc.constant('commit' as const))
    fc.assert(
      fc.property(fc.array(fc.tuple(act, fc.integer({ min: 0, max: 6 })), { maxLength: 30 }), (acts) => {
        const state = attached()
        let commits = 0
        let open: number | undefined
        for (const [one, number] of acts) {
          if (one === 'claim') {
            if (state.claim(first, 0).type === 'granted') open = state.freeze()
          } else if (one === 'thaw') {
            expect(state.thaw(number)).toBe(open === number && commits === 0)
            if (open === number) open = undefined
          } else {
            const isGranted = state.commit(number)
            expect(isGranted).toBe(open === number && commits === 0)
            if (isGranted) {
              commits++
              open = undefined
            }
          }
          if (commits > 0) expect([state.phase, state.claim(first, 0).type]).toEqual(['moved', 'failed'])
        }
        expect(commits).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is busy while another claim is under way', () => {
    const state = attached()
    state.freeze()
    expect(state.claim(first, 0)).toEqual({ type: 'busy' })
  })

  it('goes on where it was restored, with the nonce that the client has come with', () => {
    const state = new SessionState(limits, { seq: 7, missed: [frame(1), frame(2)], received: 3, nonce: first })
    state.attach(second)
    expect([state.ring.last, state.received, state.knows(first)]).toEqual([9, 3, true])
    expect(state.claim(first, 8)).toEqual({ type: 'granted', missed: [frame(2)] })
  })
})

describe('a token', () => {
  const [key, otherKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const origin = { name: nodeName('a@127.0.0.1'), incarnation: 1_234_567_890_123 }
  const session = new Pid(origin, 4_503_599_627_370_497)
  const nonce = Buffer.from('twelve bytes')
  const token = sealToken(key, session, nonce, 'alice')

  it('says which session it is of, to who knows the key and the principal', () => {
    const ticket = openToken([otherKey, key], token, 'alice')
    expect(ticket).toEqual({
      nodeHash: hashOfNode(origin.name),
      incarnation: origin.incarnation,
      id: session.id,
      nonce,
    })
    if (ticket === undefined) throw new Error('it is none')
    expect(sessionOf(ticket, origin, [])?.equals(session)).toBe(true)
    const elsewhere = { name: nodeName('b@127.0.0.1'), incarnation: 1 }
    expect(sessionOf(ticket, elsewhere, [origin.name])?.equals(session)).toBe(true)
    expect(sessionOf(ticket, elsewhere, [])).toBeUndefined()
  })

  it('has no address in it', () => {
    expect(Buffer.from(token, 'base64url').toString('latin1')).not.toContain('127.0.0.1')
  })

  it('is nothing by another key, for another principal, or with any bit changed', () => {
    expect(openToken([otherKey], token, 'alice')).toBeUndefined()
    expect(openToken([key], token, 'bob')).toBeUndefined()
    expect(openToken([], token, 'alice')).toBeUndefined()
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(openToken([key], changed.toString('base64url'), 'alice')).toBeUndefined()
    }
  })

  it('is nothing, whatever else it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        (text) => openToken([key], text, 'alice') === undefined,
      ),
    )
  })
})
