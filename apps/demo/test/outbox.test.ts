import { describe, expect, it } from 'vitest'

import { afterFrame, EMPTY_OUTBOX, OUTBOX_MAX_SAID, withSaid, withTold } from '../page/src/outbox.ts'
import type { Outbox } from '../page/src/outbox.ts'
import type { ServerMessage } from '../src/messages.ts'

const node = 'chat1@127.0.0.1'
const pong: ServerMessage = { type: 'pong' }

const having = (...texts: string[]): Outbox =>
  texts.reduce((outbox, text) => withSaid(outbox, { room: 'lobby', node, text }), EMPTY_OUTBOX)
const said = (from: string, text: string): ServerMessage => ({ type: 'said', room: 'lobby', from, node, text })
const textsOf = (outbox: Outbox): string[] => outbox.said.map(({ text }) => text)

describe('what was said to a room', () => {
  it('is kept until it is heard from oneself', () => {
    expect(textsOf(afterFrame(having('a', 'b'), said('alice', 'a'), 'alice'))).toEqual(['b'])
  })

  it('is not taken for heard by any other frame, nor if somebody else says the same', () => {
    const sent = having('a')
    for (const frame of [pong, said('bob', 'a'), said('alice', 'b')]) {
      expect(textsOf(afterFrame(sent, frame, 'alice'))).toEqual(['a'])
    }
  })

  it('is kept twice if it was said twice', () => {
    expect(textsOf(afterFrame(having('a', 'a'), said('alice', 'a'), 'alice'))).toEqual(['a'])
  })

  it('is kept up to a bound, the newest', () => {
    const texts = Array.from({ length: OUTBOX_MAX_SAID + 2 }, (_, i) => `m${i}`)
    expect(textsOf(having(...texts))).toEqual(texts.slice(2))
  })
})

describe('what was told to one', () => {
  it('is in doubt until any frame comes', () => {
    const sent = withTold(withTold(EMPTY_OUTBOX, 7), 8)
    expect(sent.told).toEqual([7, 8])
    expect(afterFrame(sent, pong, 'alice').told).toEqual([])
  })
})
