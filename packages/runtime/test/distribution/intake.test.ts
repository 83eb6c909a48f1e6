import { describe, expect, it } from 'vitest'
import { Intake, PIECE } from '../../src/distribution/intake.ts'
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

  it('is taken in by a piece, and what came in other frames of the same moment counts among it', () => {
    const intake = new Intake()
    intake.add(frame(0, PIECE - 2))
    take(intake, intake.room)
    expect(intake.isPieceOver).toBe(false)
    intake.add(frame(100, 5))
    expect(intake.room).toBe(2)
    take(intake, intake.room)
    expect([intake.isPieceOver, intake.room]).toEqual([true, 0])
    intake.beginPiece()
    expect([intake.isPieceOver, take(intake, intake.room)]).toEqual([false, [102, 103, 104]])
  })

  it('goes in larger pieces the more of it waits: a full frame in a dozen', () => {
    const intake = new Intake()
    intake.add(frame(0, 1_300))
    let pieces = 0
    for (; intake.length > 0; pieces++) {
      intake.beginPiece()
      take(intake, intake.room)
    }
    expect(pieces).toBeLessThan(16)
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
