/**
 * Who a client is, by what `authenticate` has returned.
 */
import { Authenticated } from '@pidmesh/ws-gateway'
import { describe, expect, it } from 'vitest'
import { defaultPrincipalId } from '../src/principal.ts'

const bad = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })

describe('a principal that nobody gives an id has', () => {
  it.each<[string, unknown, string]>([
    ['itself, if it is a text', 'ann', 'ann'],
    [
      'its JSON with the keys in order, also of what is in it',
      { b: { d: 1, c: 2 }, a: [{ y: 1, x: 2 }] },
      '{"a":[{"x":2,"y":1}],"b":{"c":2,"d":1}}',
    ],
    ['its large numbers as text', { account: 2n ** 64n }, '{"account":"18446744073709551616"}'],
    ['what is seen of it, where more is not', { user: 'ann', seen: new Map() }, '{"seen":{},"user":"ann"}'],
    [
      'nothing, where there is nothing',
      { roles: [], more: {}, none: Object.create(null) as unknown, user: null },
      '{"more":{},"none":{},"roles":[],"user":null}',
    ],
  ])('%s', (_what, principal, id) => {
    expect(defaultPrincipalId(principal)).toBe(id)
  })

  it.each<[string, unknown]>([
    ['that nobody is named in, and hides something', { user: null, account: new Map() }],
    ['with a symbol for its key', { [Symbol('user')]: 'ann' }],
    ['whose field is not counted among its own', Object.defineProperty({}, 'user', { value: 'ann' })],
  ])('none, one %s: others may be the same', (_what, principal) => {
    expect(() => defaultPrincipalId(principal)).toThrow(bad)
  })
})

it.each([null, undefined])('nobody is no one who is authenticated: %j', (principal) => {
  expect(() => new Authenticated(principal)).toThrow(bad)
})
