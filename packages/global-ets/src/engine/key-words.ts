/**
 * A key as rows keep it, and as it is compared and sent: a short one in four words, which stand in the row itself, a long one as text.
 *
 *   'user:42' ─▶ │ 7 │ u │ s │ e │ r │ : │ 4 │ 2 │ 0 … │      sixteen bytes, the first the length; a length of 0: it is a text, elsewhere
 *
 * A text for each key would be one more place of the memory to wait for in each look-up, and an object that stays, which the collector of young objects copies.
 */

/** Of a key that is kept in words: characters, at most, and each of them of eight bits (Latin-1). */
export const MAX_SHORT_KEY = 15
/** The highest bits of four bytes: set where a character isn't ASCII. A length has none. */
const NOT_ASCII = 0x80808080

export class KeyWords {
  /** Zeros behind the last character. Of a key that isn't short all are zeros. */
  readonly words: Int32Array = new Int32Array(4)
  /** The same memory. */
  readonly bytes: Buffer = Buffer.from(this.words.buffer)
  /** Of a key that isn't short. */
  private long = ''

  static of(text: string): KeyWords {
    return new KeyWords().set(text)
  }

  get isShort(): boolean {
    return this.bytes[0] !== 0
  }

  /** Whether its sixteen bytes, as far as its length says, are what stands for it in an operation (ops.ts). */
  get isShortAscii(): boolean {
    const { words } = this
    const bits = (words[0] as number) | (words[1] as number) | (words[2] as number) | (words[3] as number)
    return this.isShort && (bits & NOT_ASCII) === 0
  }

  get text(): string {
    const { bytes } = this
    return this.isShort ? bytes.toString('latin1', 1, 1 + (bytes[0] as number)) : this.long
  }

  set(text: string): this {
    const { bytes } = this
    this.clear()
    if (text.length > 0 && text.length <= MAX_SHORT_KEY) {
      let bits = 0
      for (let at = 0; at < text.length; at++) {
        const unit = text.charCodeAt(at)
        bits |= unit
        bytes[at + 1] = unit
      }
      if (bits < 256) {
        bytes[0] = text.length
        return this
      }
      this.clear()
    }
    this.long = text
    return this
  }

  /** Takes a short key from bytes that are ASCII, each its character: `false` if they aren't, or too many. */
  setAscii(from: Uint8Array, start: number, end: number): boolean {
    const { bytes } = this
    const length = end - start
    this.clear()
    if (length > MAX_SHORT_KEY) return false
    bytes[0] = length
    for (let at = 0; at < length; at++) bytes[at + 1] = from[start + at] as number
    return this.isShortAscii
  }

  /** Takes the key of a row: its words stand at `at`. */
  setFrom(words: Int32Array, at: number, long: string | undefined): void {
    this.words[0] = words[at] as number
    this.words[1] = words[at + 1] as number
    this.words[2] = words[at + 2] as number
    this.words[3] = words[at + 3] as number
    if (long !== undefined) this.long = long
  }

  private clear(): void {
    const { words } = this
    words[0] = 0
    words[1] = 0
    words[2] = 0
    words[3] = 0
  }
}
