import { describe, expect, it } from 'vitest'
import { Intake, LARGEST_PIECE, PIECE } from '../../src/distribution/intake.ts'
import type { Signal } from '../../src/signals/signal.ts'

const frame = (first: number, count: number): Signal[] =>
  Array.from({ length: count }, (_, index) => ({ type: 'link', from: first + index, to: 1 }))

function take(intake: Intake, most: number): number[] {
  const taken: number[] = []
  while (taken.length < most) {
    const signal = intake.next()
    if (signal === undefined) break
    taken.push(signal.from)
  }
  return taken
}

describe('What has arrived', () => {
  it('is taken in in the order in which it came, over the bounds of frames', () => {
    const intake = new Intake()
    intake.add(frame(0, 3))
    intake.add([])
    intake.add(frame(3, 2))
    expect([intake.length, take(intake, 10), intake.length, intake.next()]).toEqual([5, [0, 1, 2, 3, 4], 0, undefined])
  })

  it('is taken in by the half, if the other side has nothing to do: each half that is answered gives it something', () => {
    const intake = new Intake()
    intake.add(frame(0, 100))
    const pieces = [take(intake, intake.piece).length]
    // The answer to the first half.
    intake.sent()
    intake.beginPiece()
    pieces.push(take(intake, intake.piece).length)
    expect(pieces).toEqual([50, 50])
  })

  it('is taken in by the frame while the other side has another one to do with', () => {
    const intake = new Intake()
    intake.sent()
    intake.sent()
    intake.add(frame(0, 100))
    expect(take(intake, intake.piece)).toHaveLength(100)
    intake.beginPiece()
    intake.add(frame(0, 100))
    expect(take(intake, intake.piece)).toHaveLength(50)
  })

  it('is not halved if it is little', () => {
    const sizes = [2 * PIECE - 1, 2 * PIECE].map((size) => {
      const intake = new Intake()
      intake.add(frame(0, size))
      return take(intake, intake.piece).length
    })
    expect(sizes).toEqual([2 * PIECE - 1, PIECE])
  })

  it.each([
    [[1, 100], [101]],
    [
      [10, 10, 30],
      [20, 30],
    ],
    [
      [PIECE, 30],
      [PIECE, 30],
    ],
    [
      [1, 3_000],
      [LARGEST_PIECE, LARGEST_PIECE, 3_001 - 2 * LARGEST_PIECE],
    ],
  ])(
    'in frames of %j, while the other side has something to do, is taken in in whole frames: %j',
    (frames, expected) => {
      const intake = new Intake()
      const pieces: number[] = []
      for (const size of frames) intake.add(frame(0, size))
      intake.sent()
      while (intake.length > 0) {
        intake.beginPiece()
        pieces.push(take(intake, intake.piece).length)
      }
      expect(pieces).toEqual(expected)
    },
  )

  it('in other frames of the same moment counts among the piece', () => {
    const intake = new Intake()
    intake.add(frame(0, PIECE - 2))
    take(intake, intake.piece)
    expect(intake.isPieceOver).toBe(false)
    intake.add(frame(100, 5))
    expect(take(intake, intake.piece)).toEqual([100, 101, 102, 103, 104])
    expect(intake.isPieceOver).toBe(true)
    intake.beginPiece()
    expect(intake.isPieceOver).toBe(false)
  })

  it('of many small frames is taken in until the piece is over, so that none is forgotten', () => {
    const intake = new Intake()
    for (let n = 0; n < PIECE - 1; n++) intake.add(frame(n, 1))
    expect(take(intake, intake.piece)).toHaveLength(PIECE - 1)
    for (let n = 0; n < 2 * PIECE - 1; n++) intake.add(frame(n, 1))
    intake.beginPiece()
    expect(take(intake, intake.piece)).toHaveLength(PIECE)
    expect(intake.isPieceOver).toBe(true)
  })

  it('is halved again after a while, however much was sent that needed no answer; and no more than a few frames are counted', () => {
    const intake = new Intake()
    for (let n = 0; n < 1_000; n++) intake.sent()
    intake.forgetSent()
    intake.add(frame(0, 100))
    expect(intake.piece).toBe(50)
    for (let n = 0; n < 1_000; n++) intake.sent()
    for (let n = 0; n < 3; n++) intake.add(frame(n, 1))
    expect(intake.piece).toBe(100)
    intake.add(frame(3, 1))
    expect(intake.piece).toBe(52)
  })

  it('goes in larger pieces the more of it waits: a full frame in less than a dozen', () => {
    const intake = new Intake()
    intake.add(frame(0, 1_300))
    let pieces = 0
    for (; intake.length > 0; pieces++) {
      intake.beginPiece()
      take(intake, intake.piece)
    }
    expect(pieces).toBeLessThan(12)
  })

  it('waits in a few frames at most: then it says so', () => {
    const intake = new Intake()
    for (let count = 0; count < 4; count++) intake.add(frame(count, 1))
    expect(intake.isOver).toBe(false)
    intake.add(frame(4, 1))
    expect(intake.isOver).toBe(true)
    intake.next()
    expect(intake.isOver).toBe(false)
  })
})
