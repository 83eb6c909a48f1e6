/**
 * Short texts that were read before: keys, names and the values that programs repeat. One that comes again is found by its bytes, and makes no new text.
 *
 * A fixed number of places, each of which has the text that came last: nothing grows, and a peer that sends many different texts gains nothing.
 */

/** A power of two. */
const PLACES = 1_024
/** Longer ones are as fast to make. */
const MAX_LENGTH = 32

export class TextCache {
  private readonly texts: string[] = new Array<string>(PLACES).fill('')

  /** The text of so many bytes there, which are within the bytes, if they are ASCII and few enough. */
  read(bytes: Uint8Array, start: number, length: number): string | undefined {
    if (length > MAX_LENGTH) return undefined
    if (length === 0) return ''
    const first = bytes[start] ?? 0
    const middle = bytes[start + (length >> 1)] ?? 0
    const last = bytes[start + length - 1] ?? 0
    const place = (first * 37 + middle * 11 + last * 3 + length) & (PLACES - 1)
    const known = this.texts[place] ?? ''
    if (known.length === length && isThere(known, bytes, start)) return known
    let text = ''
    for (let at = start; at < start + length; at++) {
      const code = bytes[at] ?? 0
      if (code > 0x7f) return undefined
      text += String.fromCharCode(code)
    }
    this.texts[place] = text
    return text
  }
}

function isThere(text: string, bytes: Uint8Array, start: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[start + index] !== text.charCodeAt(index)) return false
  }
  return true
}
