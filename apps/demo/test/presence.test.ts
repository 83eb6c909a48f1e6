import { expect, it } from 'vitest'

import { colourOf, isUp, roomsOf, shortName } from '../page/src/presence.ts'

const node = 'chat1@127.0.0.1'

it('finds the rooms that somebody is in, sorted', () => {
  const online = [
    { user: 'a', node, room: 'lobby' },
    { user: 'b', node, room: 'cats' },
    { user: 'c', node, room: 'lobby' },
  ]
  expect(roomsOf(online, 'lobby')).toEqual([
    { name: 'cats', users: 1 },
    { name: 'lobby', users: 2 },
  ])
})

it('counts a user once who is in a room with two sessions', () => {
  const online = [
    { user: 'a', node, room: 'lobby' },
    { user: 'a', node: 'chat2@127.0.0.1', room: 'lobby' },
  ]
  expect(roomsOf(online, 'lobby')).toEqual([{ name: 'lobby', users: 1 }])
})

it('has the current room before the table knows it', () => {
  expect(roomsOf([], 'new')).toEqual([{ name: 'new', users: 0 }])
})

it('takes a node for gone only if the node in use was heard and does not see it', () => {
  expect(isUp(node, ['chat2@127.0.0.1'])).toBe(false)
  expect(isUp(node, [node, 'chat2@127.0.0.1'])).toBe(true)
  expect(isUp(node, undefined)).toBe(true)
})

it('gives nine nodes nine colours', () => {
  const names = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => `chat${i}@127.0.0.1`)
  expect(new Set(names.map(colourOf)).size).toBe(9)
  expect(shortName('chat1@127.0.0.1')).toBe('chat1')
})
