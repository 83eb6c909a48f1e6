import { describe, expect, it } from 'vitest'

import { append, EMPTY_LOG, entryOf, LOG_MAX_ENTRIES, markDoubtful, visibleIn } from '../page/src/chat-log.ts'

const node = 'chat1@127.0.0.1'

describe('the log', () => {
  it('keeps the newest entries only, with ids that are never used again', () => {
    let log = EMPTY_LOG
    for (let i = 0; i < LOG_MAX_ENTRIES + 3; i++) {
      log = append(log, i, { kind: 'room', room: 'lobby', from: 'bob', node, text: `m${i}` })
    }
    expect(log.entries).toHaveLength(LOG_MAX_ENTRIES)
    expect(log.entries[0]).toMatchObject({ id: 4, text: 'm3', atMs: 3 })
  })

  it("shows a room's messages in that room, and what is direct or a notice in every room", () => {
    let log = append(EMPTY_LOG, 0, { kind: 'room', room: 'lobby', from: 'bob', node, text: 'a' })
    log = append(log, 0, { kind: 'room', room: 'cats', from: 'bob', node, text: 'b' })
    log = append(log, 0, { kind: 'direct', from: 'bob', to: 'alice', node, text: 'c' })
    log = append(log, 0, { kind: 'notice', text: 'd', tone: 'calm' })
    expect(visibleIn(log, 'cats').map(({ text }) => text)).toEqual(['b', 'c', 'd'])
  })

  it('shows in every room what was not delivered to one', () => {
    const log = append(EMPTY_LOG, 0, { kind: 'undelivered', room: 'lobby', from: 'alice', node, text: 'a' })
    expect(visibleIn(log, 'cats')).toHaveLength(1)
  })

  it('marks the direct messages that are in doubt, and leaves every other entry the same', () => {
    let log = append(EMPTY_LOG, 0, { kind: 'direct', from: 'alice', to: 'bob', node, text: 'arrived' })
    log = append(log, 0, { kind: 'direct', from: 'alice', to: 'bob', node, text: 'lost' })
    const marked = markDoubtful(log, [2])
    expect(marked.entries[0]).toBe(log.entries[0])
    expect(marked.entries[1]).toMatchObject({ id: 2, text: 'lost', isDoubtful: true })
    expect(markDoubtful(log, [])).toBe(log)
  })
})

describe("a node's message", () => {
  it('is an entry if somebody said it', () => {
    expect(entryOf({ type: 'said', room: 'lobby', from: 'bob', node, text: 'hi' }, 'alice')).toEqual({
      kind: 'room',
      room: 'lobby',
      from: 'bob',
      node,
      text: 'hi',
    })
  })

  it('is no second entry for what one told another oneself', () => {
    expect(entryOf({ type: 'told', from: 'alice', to: 'bob', node, text: 'hi' }, 'alice')).toBeUndefined()
    expect(entryOf({ type: 'told', from: 'alice', to: 'alice', node, text: 'hi' }, 'alice')).toMatchObject({
      text: 'hi',
    })
  })

  it('is a warning if something was not done', () => {
    expect(entryOf({ type: 'undeliverable', to: 'bob' }, 'alice')).toMatchObject({ kind: 'notice', tone: 'warning' })
    expect(entryOf({ type: 'refused', code: 'too-fast', message: 'Slow down.' }, 'alice')).toMatchObject({
      text: 'Slow down.',
    })
  })

  it('is no entry if it is about the connection', () => {
    expect(entryOf({ type: 'pong' }, 'alice')).toBeUndefined()
    expect(entryOf({ type: 'online', users: [], nodes: [] }, 'alice')).toBeUndefined()
  })
})
