/**
 * What has arrived from one node and is not taken in yet: signals go in by the frame, and come out in pieces, between which sockets get theirs.
 *
 *   frame ─ add ─▶ frames ─ next, a piece ─▶ the router ─ sockets ─ next, a piece ─▶ …
 *
 * A frame of all that a hundred processes have asked would otherwise be answered with one frame: while one node works through it the other has nothing to do, and
 * the two take turns for as long as they go on (docs/adr/0019). So half of what waits is taken in at a time, unless the other node has something to do already: then each
 * half would only be a frame more.
 *
 * Invariants: signals leave in the order in which they came; no more than `MAX_FRAMES` wait when `isOver` has been heeded.
 */
import type { Signal } from '../signals/signal.ts'

/** Signals after which sockets get theirs. Twice as many are worth to be taken in by halves. */
export const PIECE = 16
/** Signals that are taken in at once, at most: a large frame of small ones would hold up the sockets. */
export const LARGEST_PIECE = 1_024
/** Frames that may wait, each of 64 KiB or with one signal. */
const MAX_FRAMES = 4
/** More are not counted: they may need no answer. */
const MOST_UNDER_WAY = 4

export class Intake {
  private readonly frames: (readonly Signal[])[] = []
  /** Of the first frame. */
  private taken = 0
  private waiting = 0
  private takenInPiece = 0
  /** What the other side has to do with, in frames: each that comes is taken for the answer to one. */
  private underWay = 0

  /** Signals that wait. */
  get length(): number {
    return this.waiting
  }

  /** More waits than may: the next ones are to be taken in at once. */
  get isOver(): boolean {
    return this.frames.length > MAX_FRAMES
  }

  /** Signals that are to be taken in now. */
  get piece(): number {
    const least = PIECE - this.takenInPiece
    const isHalved = this.underWay === 0 && this.waiting >= 2 * PIECE
    const wanted = isHalved ? Math.max(least, Math.ceil(this.waiting / 2)) : this.wholeFrames(least)
    return Math.min(wanted, LARGEST_PIECE)
  }

  /** Sockets are to get theirs. */
  get isPieceOver(): boolean {
    return this.takenInPiece >= PIECE
  }

  /** Sockets have had theirs. */
  beginPiece(): void {
    this.takenInPiece = 0
  }

  /** A frame was sent, or several at once. */
  sent(): void {
    if (this.underWay < MOST_UNDER_WAY) this.underWay++
  }

  /** Now and then: what was sent may have needed no answer. So the other side is taken to have nothing to do. */
  forgetSent(): void {
    this.underWay = 0
  }

  add(signals: readonly Signal[]): void {
    if (signals.length === 0) return
    this.frames.push(signals)
    this.waiting += signals.length
    if (this.underWay > 0) this.underWay--
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

  /** Signals of the first frames, so many that they are as many as this, or all. */
  private wholeFrames(least: number): number {
    let signals = -this.taken
    for (const frame of this.frames) {
      signals += frame.length
      if (signals >= least) break
    }
    return signals
  }
}
