import { describe, expect, it } from 'vitest'

import { GAP_NOTE, initialStay, isIn, step } from '../page/src/stay.ts'
import type { Stay, StayEvent } from '../page/src/stay.ts'

const enter: StayEvent = { type: 'enter', user: 'alice', room: 'lobby' }
const welcomed = (node: number): StayEvent => ({ type: 'welcomed', node: `chat${node}@127.0.0.1` })
const closed = (code: number, reason = ''): StayEvent => ({ type: 'closed', code, reason, isFinal: false })
const ended = (code: number, reason = ''): StayEvent => ({ type: 'closed', code, reason, isFinal: true })

/** What has come of it, and the texts of all notes on the way. */
function after(...events: StayEvent[]): { stay: Stay; texts: string[] } {
  let stay = initialStay('')
  const texts: string[] = []
  for (const event of events) {
    const next = step(stay, event)
    stay = next.stay
    texts.push(...next.notes.map(({ text }) => text))
  }
  return { stay, texts }
}

describe('who enters', () => {
  it('is in when a node has welcomed him, and not before, without a word in the log', () => {
    expect(isIn(after(enter).stay)).toBe(false)
    const { stay, texts } = after(enter, closed(1006), welcomed(1))
    expect(stay).toMatchObject({ is: 'online', user: 'alice', room: 'lobby', node: 'chat1@127.0.0.1' })
    expect(texts).toEqual([])
  })

  it('is out again if the name is taken, and is told so', () => {
    expect(after(enter, ended(4009, 'name_taken')).stay).toMatchObject({
      is: 'out',
      user: 'alice',
      notice: { code: 'name-taken', detail: 'alice' },
    })
  })

  it('is not told again why he was out before', () => {
    expect(after(enter, ended(4009), enter).stay.notice).toBeUndefined()
  })

  it('cannot enter a second time', () => {
    const bob: StayEvent = { type: 'enter', user: 'bob', room: 'cats' }
    expect(after(enter, welcomed(1), bob).stay).toMatchObject({ is: 'online', user: 'alice', room: 'lobby' })
  })
})

describe('who loses his node', () => {
  it('is still in, and is told once, however many attempts fail', () => {
    const { stay, texts } = after(enter, welcomed(1), closed(1012), closed(1006), closed(1006))
    expect(stay).toMatchObject({ is: 'away', node: 'chat1@127.0.0.1' })
    expect(isIn(stay)).toBe(true)
    expect(texts).toEqual(['chat1 is shutting down. Looking for another node.'])
  })

  it.each([
    { code: 1006, reason: '', why: 'is gone' },
    { code: 1006, reason: 'no answer to a ping', why: 'does not answer' },
    { code: 1001, reason: '', why: 'is shutting down' },
    { code: 1011, reason: 'internal_error', why: 'had an error' },
    { code: 1013, reason: 'try_again_later', why: 'is overloaded' },
    { code: 4005, reason: 'rate_limited', why: 'was sent too much at once' },
    { code: 4008, reason: 'slow_consumer', why: 'found this connection too slow' },
    { code: 4011, reason: 'name_conflict', why: 'found the name on two nodes at once' },
    { code: 4999, reason: '', why: 'is gone' },
  ])('is told that it $why at $code "$reason"', ({ code, reason, why }) => {
    const { texts } = after(enter, welcomed(1), closed(code, reason))
    expect(texts).toEqual([`chat1 ${why}. Looking for another node.`])
  })

  it('is told where he is again, and nothing else if his session goes on', () => {
    expect(after(enter, welcomed(1), closed(1006), welcomed(2)).texts.slice(1)).toEqual(['Moved from chat1 to chat2.'])
    expect(after(enter, welcomed(1), closed(1006), welcomed(1)).texts.slice(1)).toEqual(['Back on chat1.'])
  })

  it('is told in one line that something may be missing if his session is lost', () => {
    expect(after(enter, welcomed(1), closed(1006), { type: 'gap' }, welcomed(2)).texts.slice(1)).toEqual([
      GAP_NOTE.text,
      'Moved from chat1 to chat2.',
    ])
  })

  it('keeps the room that he chooses meanwhile', () => {
    const { stay } = after(enter, welcomed(1), closed(1006), { type: 'room', room: 'cats' }, welcomed(2))
    expect(stay.room).toBe('cats')
  })

  it.each([
    { code: 4009, reason: 'name_taken', notice: { code: 'name-lost', detail: 'alice' } },
    { code: 4013, reason: 'replaced', notice: { code: 'name-lost', detail: 'alice' } },
    { code: 4014, reason: 'resumed_elsewhere', notice: { code: 'elsewhere', detail: 'alice' } },
    { code: 4400, reason: 'bad_message', notice: { code: 'refused', detail: 'bad_message' } },
  ])('is out at a final $code, and is told why', ({ code, reason, notice }) => {
    for (const events of [[], [closed(1006)]])
      expect(after(enter, welcomed(1), ...events, ended(code, reason)).stay).toMatchObject({ is: 'out', notice })
  })
})

describe('who leaves', () => {
  it('is out without a notice, and whatever comes of his connection after that changes nothing', () => {
    const left = after(enter, welcomed(1), { type: 'leave' })
    expect(left.stay).toMatchObject({ is: 'out', user: 'alice', notice: undefined })
    for (const event of [ended(1000), closed(1006), welcomed(2), { type: 'gap' } as const])
      expect(step(left.stay, event)).toEqual({ stay: left.stay, notes: [] })
  })
})
