/**
 * What has arrived from one node and is not taken in yet: signals go in by the frame, and come out in pieces, between which sockets get theirs.
 *
 *   frame ─ add ─▶ frames ─ next, a piece ─▶ the router ─ sockets ─ next, a piece ─▶ …
 *
 * A frame of all that a hundred processes have asked would otherwise be answered with one frame: while one node works through it the other has nothing to do, and
 * the two take turns for as long as they go on (docs/adr/0019).
 *
 * Invariants: signals leave in the order in which they came; no more than `MAX_FRAMES` wait when `isOver` has been heeded.
 */
import type { Signal } from '../signals/signal.ts'

/** Signals that are taken in before sockets get theirs. */
export const PIECE = 32
/** Of many that wait a larger part is taken in at a time: one of so many. */
const PIECES = 4
/** Frames that may wait, each of 64 KiB or with one signal. */
const MAX_FRAMES = 4

export class Intake {
  private readonly frames: (readonly Signal[])[] = []
  /** Of the first frame. */
  private taken = 0
  private waiting = 0
  private takenInPiece = 0

  /** Signals that wait. */
  get length(): number {
    return this.waiting
  }

  /** More waits than may: the next ones are to be taken in at once. */
  get isOver(): boolean {
    return this.frames.length > MAX_FRAMES
  }

  /** How many may still be taken in before sockets get theirs. */
  get room(): number {
    return Math.max(PIECE, Math.ceil(this.waiting / PIECES)) - this.takenInPiece
  }

  /** Sockets are to get theirs. */
  get isPieceOver(): boolean {
    return this.takenInPiece >= PIECE
  }

  /** Sockets have had theirs. */
  beginPiece(): void {
    this.takenInPiece = 0
  }

  add(signals: readonly Signal[]): void {
    if (signals.length === 0) return
    this.frames.push(signals)
    this.waiting += signals.length
  }

  next(): Signal | undefined {
    const signals = this.frames[0]
    if (signals === undefined) return undefined
    const signal = signals[this.taken++]
    this.waiting--
    this.takenInPiece++
    if (this.taken === signals.length) {
      this.frames.shift()
      this.taken = 0
    }
    return signal
  }
}
