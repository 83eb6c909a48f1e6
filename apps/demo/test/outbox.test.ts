import { describe, expect, it } from 'vitest'

import { afterMessage, EMPTY_OUTBOX, OUTBOX_MAX, withSaid, withTold } from '../page/src/outbox.ts'
import type { Outbox } from '../page/src/outbox.ts'
import type { ServerMessage } from '../src/messages.ts'

const node = 'chat1@127.0.0.1'
const welcome: ServerMessage = { type: 'welcome', node, user: 'alice', room: 'lobby' }

const having = (...texts: string[]): Outbox =>
  texts.reduce((outbox, text) => withSaid(outbox, { room: 'lobby', node, text }), EMPTY_OUTBOX)
const said = (from: string, text: string): ServerMessage => ({ type: 'said', room: 'lobby', from, node, text })
const told = (from: string, to: string, text: string): ServerMessage => ({ type: 'told', from, to, node, text })
const textsOf = (outbox: Outbox): string[] => outbox.said.map(({ text }) => text)

describe('what was said to a room', () => {
  it('is kept until it is heard from oneself', () => {
    expect(textsOf(afterMessage(having('a', 'b'), said('alice', 'a'), 'alice'))).toEqual(['b'])
  })

  it('is not taken for heard by any other message, nor if somebody else says the same', () => {
    const sent = having('a')
    for (const message of [welcome, said('bob', 'a'), said('alice', 'b'), told('alice', 'bob', 'a')]) {
      expect(textsOf(afterMessage(sent, message, 'alice'))).toEqual(['a'])
    }
  })

  it('is kept twice if it was said twice', () => {
    expect(textsOf(afterMessage(having('a', 'a'), said('alice', 'a'), 'alice'))).toEqual(['a'])
  })

  it('is kept up to a bound, the newest', () => {
    const texts = Array.from({ length: OUTBOX_MAX + 2 }, (_, i) => `m${i}`)
    expect(textsOf(having(...texts))).toEqual(texts.slice(2))
  })
})

describe('what was told to one', () => {
  const sent = withTold(withTold(EMPTY_OUTBOX, { entryId: 7, to: 'bob', text: 'a' }), {
    entryId: 8,
    to: 'carol',
    text: 'a',
  })
  const idsAfter = (message: ServerMessage): number[] =>
    afterMessage(sent, message, 'alice').told.map(({ entryId }) => entryId)

  it('is in doubt until the node tells it back', () => {
    expect(idsAfter(told('alice', 'carol', 'a'))).toEqual([7])
    expect(idsAfter(told('alice', 'bob', 'b'))).toEqual([7, 8])
    expect(idsAfter(told('bob', 'alice', 'a'))).toEqual([7, 8])
    expect(idsAfter(welcome)).toEqual([7, 8])
  })

  it('is in doubt no more if the node says that nobody was there to get it', () => {
    expect(idsAfter({ type: 'undeliverable', to: 'bob' })).toEqual([8])
  })

  it('is kept up to a bound, the newest', () => {
    let outbox = EMPTY_OUTBOX
    for (let entryId = 0; entryId < OUTBOX_MAX + 2; entryId++)
      outbox = withTold(outbox, { entryId, to: 'bob', text: 'a' })
    expect(outbox.told).toHaveLength(OUTBOX_MAX)
    expect(outbox.told[0]?.entryId).toBe(2)
  })
})
