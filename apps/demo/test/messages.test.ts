import { describe, expect, it } from 'vitest'

import { clientMessage } from '../src/messages.ts'

const accepts = (message: unknown): boolean => clientMessage.safeParse(message).success

describe('what a client may say', () => {
  it.each([
    { type: 'join', room: 'cats-and_Dogs9' },
    { type: 'say', text: '<b>' },
    { type: 'say', text: 'x'.repeat(2000) },
    { type: 'tell', to: 'a'.repeat(32), text: 'hi' },
    { type: 'ping' },
  ])('includes %o', (message) => {
    expect(accepts(message)).toBe(true)
  })

  it.each([
    { type: 'join', room: '' },
    { type: 'join', room: 'a b' },
    { type: 'join', room: 'ok\n' },
    { type: 'say', text: '' },
    { type: 'say', text: 'x'.repeat(2001) },
    { type: 'say', text: 1 },
    { type: 'tell', to: 'a'.repeat(33), text: 'hi' },
    { type: 'tell', text: 'hi' },
    { type: 'ping', extra: true },
    { type: 'welcome' },
    'ping',
    null,
    [],
  ])('does not include %o', (message) => {
    expect(accepts(message)).toBe(false)
  })
})
