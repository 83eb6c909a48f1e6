import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc16, encodeName, slotOf } from '../src/names.ts'

/** Any text, also with halves of pairs. */
const names = fc.array(fc.integer({ min: 0, max: 0xff_ff })).map((units) => String.fromCharCode(...units))

describe('a name in a key', () => {
  it('stays as it is if it is a usual one', () => {
    expect(encodeName('room:1/a.b-c_d@e')).toBe('room:1/a.b-c_d@e')
  })

  it.each([
    ['a b', 'a%20b'],
    ['100%', '100%25'],
    ['{a}b', '%7Ba%7Db'],
    ['*', '*'],
    ['ä', '%C3%A4'],
    ['\u{1F600}', '%F0%9F%98%80'],
    ['\uD83D', '%uD83D'],
    ['\uFFFD', '%EF%BF%BD'],
    ['', ''],
  ])('%j is %j', (name, encoded) => {
    expect(encodeName(name)).toBe(encoded)
  })

  it('is ASCII without braces and spaces, whatever it was', () => {
    fc.assert(fc.property(names, (name) => /^[!-z|~]*$/.test(encodeName(name))))
  })

  it('is another one for each name', () => {
    fc.assert(fc.property(names, names, (one, other) => (encodeName(one) === encodeName(other)) === (one === other)))
    for (const [one, other] of [
      ['%uD83D', '\uD83D'],
      ['a%20b', 'a b'],
      ['\uD83D', '\uD83E'],
    ] as const)
      expect(encodeName(one)).not.toBe(encodeName(other))
  })
})

describe('the slot of a key', () => {
  it('is a CRC-16/XMODEM', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0x31_c3)
  })

  it('is that of what is in the first braces, unless nothing is', () => {
    expect(slotOf('{user}:1')).toBe(slotOf('user'))
    expect(slotOf('a{user}{b}')).toBe(slotOf('user'))
    expect(slotOf('a}{user}')).toBe(slotOf('user'))
    expect(slotOf('{}user')).toBe(crc16(Buffer.from('{}user')) % 16_384)
    expect(slotOf('foo')).toBe(12_182)
  })
})
