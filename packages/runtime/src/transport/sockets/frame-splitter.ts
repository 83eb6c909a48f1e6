/**
 * Frames out of a stream of bytes: each is led by its length, four bytes, the most significant first.
 *
 * Of a frame that isn't whole is kept what has arrived, and at most as much room again: a length alone takes none, and one byte at a time no more than all at once.
 */
const LENGTH_BYTES = 4
const COPIED_BYTES = 2_048
const NO_BYTES = Buffer.alloc(0)

/** A frame with its length, in one piece if it is small: to copy it costs less than a second piece does. */
export function ledByLength(frame: Uint8Array): readonly [Buffer, Uint8Array?] {
  const isSmall = frame.length <= COPIED_BYTES
  const head = Buffer.allocUnsafe(isSmall ? LENGTH_BYTES + frame.length : LENGTH_BYTES)
  head.writeUInt32BE(frame.length)
  if (!isSmall) return [head, frame]
  head.set(frame, LENGTH_BYTES)
  return [head]
}

export interface FrameTaker {
  /** Bytes that the next frame may have. */
  readonly limit: () => number
  /** Says whether to go on. */
  readonly onFrame: (frame: Buffer) => boolean
}

export class FrameSplitter {
  /** Begins with a frame that isn't whole; has room for more than is there. */
  private kept = NO_BYTES
  private keptBytes = 0

  /**
   * Gives the frames that are whole with this chunk, one by one. One that came in one chunk is a view of it.
   * @returns the length of a frame that may not be so long, if one comes: nothing after it can be read
   */
  take(chunk: Buffer, { limit, onFrame }: FrameTaker): number | undefined {
    const isContinued = this.keptBytes > 0
    if (isContinued) this.keep(chunk)
    const bytes = isContinued ? this.kept.subarray(0, this.keptBytes) : chunk
    let at = 0
    for (;;) {
      const length = bytes.length - at < LENGTH_BYTES ? 0 : bytes.readUInt32BE(at)
      if (length > limit()) {
        this.forget()
        return length
      }
      const start = at + LENGTH_BYTES
      if (start + length > bytes.length) break
      at = start + length
      if (!onFrame(bytes.subarray(start, at))) {
        this.forget()
        return undefined
      }
    }
    if (at === 0 && isContinued) return undefined
    // What was given are views of what was kept: the rest begins anew.
    this.forget()
    this.keep(bytes.subarray(at))
    return undefined
  }

  private forget(): void {
    this.kept = NO_BYTES
    this.keptBytes = 0
  }

  private keep(bytes: Buffer): void {
    const { kept, keptBytes } = this
    this.keptBytes = keptBytes + bytes.length
    if (this.keptBytes > kept.length) {
      this.kept = Buffer.allocUnsafe(2 * this.keptBytes)
      kept.copy(this.kept, 0, 0, keptBytes)
    }
    bytes.copy(this.kept, keptBytes)
  }
}
