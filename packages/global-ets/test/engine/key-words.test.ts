import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyWords } from '../../src/engine/key-words.ts'
import { Rows } from '../../src/engine/rows.ts'

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20, size: 'max' }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 20, size: 'max' }),
  fc.string({
    unit: fc.constantFrom('a', '\0', '\x7f', '\x80', '\xff', '\u0100', '\ud800'),
    maxLength: 20,
    size: 'max',
  }),
)

function rowOf(rows: Rows, text: string): number {
  return rows.add({ key: KeyWords.of(text), copy: 0, id: 1, epoch: 1, meta: {}, hash: 0 })
}

describe('a key in words', () => {
  it('is the text that it was taken from, in a row too, whatever was in both before', () => {
    const rows = new Rows()
    const [words, read] = [new KeyWords(), new KeyWords()]
    fc.assert(
      fc.property(key, fc.boolean(), (text, frees) => {
        expect(words.set(text).text).toBe(text)
        const slot = rowOf(rows, text)
        expect(rows.keyOf(slot)).toBe(text)
        expect(rows.readKey(slot, read).text).toBe(text)
        if (frees) rows.free(slot)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is equal to that of a row if and only if the texts are', () => {
    const rows = new Rows()
    fc.assert(
      fc.property(key, key, fc.nat(19), (a, b, at) => {
        const slot = rowOf(rows, a)
        expect(rows.hasKey(slot, KeyWords.of(b))).toBe(a === b)
        expect(rows.hasKey(slot, KeyWords.of(a))).toBe(true)
        // One character is another one.
        const other = a.slice(0, at) + b.slice(0, 1) + a.slice(at + 1)
        expect(rows.hasKey(slot, KeyWords.of(other))).toBe(other === a)
        expect(rows.hasKey(slot, KeyWords.of(`${a}\0`))).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  it('is short with up to fifteen characters of eight bits, and with one', () => {
    const isShort = (text: string): boolean => KeyWords.of(text).isShort
    expect(['a', '\0', 'é', 'x'.repeat(15)].map(isShort)).toEqual([true, true, true, true])
    expect(['', 'x'.repeat(16), '€', 'short\ud83d\ude00'].map(isShort)).toEqual([false, false, false, false])
  })

  it('is taken from bytes as from a text if they are ASCII and few, and not otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20, size: 'max' }), fc.nat(3), (bytes, before) => {
        const words = KeyWords.of('before'.repeat(before))
        const padded = Uint8Array.from([9, ...bytes, 9])
        const taken = words.setAscii(padded, 1, 1 + bytes.length)
        expect(taken).toBe(bytes.length <= 15 && bytes.every((byte) => byte < 128))
        if (!taken) return
        expect(words.text).toBe(String.fromCharCode(...bytes))
        expect(words.words).toEqual(KeyWords.of(words.text).words)
      }),
    )
  })

  it('is sent as its bytes only if all of them are ASCII, whichever is not', () => {
    for (let length = 1; length <= 15; length++) {
      const ascii = 'a'.repeat(length)
      expect(KeyWords.of(ascii).isShortAscii).toBe(true)
      expect(new KeyWords().setAscii(Buffer.from(ascii), 0, length)).toBe(true)
      for (let at = 0; at < length; at++) {
        const other = `${ascii.slice(0, at)}é${ascii.slice(at + 1)}`
        expect(KeyWords.of(other).isShortAscii).toBe(false)
        expect(new KeyWords().setAscii(Buffer.from(other, 'latin1'), 0, length)).toBe(false)
      }
    }
    expect(KeyWords.of('a'.repeat(16)).isShortAscii).toBe(false)
  })

  it('with nothing in it is not that which was there before', () => {
    const words = KeyWords.of('x'.repeat(100))
    expect(words.set('').text).toBe('')
  })
})
