import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FrameSplitter, ledByLength, type FrameTaker } from '../../../src/transport/sockets/frame-splitter.ts'
import { MAX_FRAME_BYTES } from '../../../src/wire/frame.ts'

function streamOf(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frames.flatMap((frame) => ledByLength(frame).filter((piece) => piece !== undefined)))
}

const all = (onFrame: (frame: Buffer) => boolean): FrameTaker => ({ limit: () => MAX_FRAME_BYTES, onFrame })

/** What comes out if the stream comes in chunks that end there. */
function framesOf(stream: Buffer, ends: readonly number[]): Buffer[] {
  const splitter = new FrameSplitter()
  const frames: Buffer[] = []
  const places = [0, ...ends.map((end) => end % (stream.length + 1)).toSorted((a, b) => a - b), stream.length]
  for (const [index, end] of places.slice(1).entries()) {
    splitter.take(
      Buffer.from(stream.subarray(places[index], end)),
      all((frame) => frames.push(frame) > 0),
    )
  }
  return frames
}

describe('frames out of a stream', () => {
  const anyFrames = fc.array(fc.uint8Array({ maxLength: 6_000 }), { maxLength: 12 })

  it('are those that went in, wherever the stream is cut', () => {
    fc.assert(
      fc.property(anyFrames, fc.array(fc.nat({ max: 100_000 }), { maxLength: 40 }), (frames, ends) => {
        expect(framesOf(streamOf(frames), ends)).toEqual(frames.map((frame) => Buffer.from(frame)))
      }),
    )
  })

  it('are those that went in if each byte comes alone', () => {
    const frames = [Uint8Array.of(1, 2, 3), new Uint8Array(0), new Uint8Array(3_000).fill(7), Uint8Array.of(4)]
    const stream = streamOf(frames)
    expect(framesOf(stream, [...stream.keys()])).toEqual(frames.map((frame) => Buffer.from(frame)))
  })

  it('stay what they are when more has come', () => {
    const stream = streamOf([new Uint8Array(500).fill(1), new Uint8Array(500).fill(2), new Uint8Array(500).fill(3)])
    const frames = framesOf(stream, [600, 700, 1_100])
    expect(frames.map((frame) => new Set(frame))).toEqual([new Set([1]), new Set([2]), new Set([3])])
  })

  it('end with one that is said to be too long, which takes no room', () => {
    const splitter = new FrameSplitter()
    const stream = Buffer.concat([streamOf([Uint8Array.of(1)]), Buffer.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3)])
    const frames: Buffer[] = []
    expect(
      splitter.take(
        stream,
        all((frame) => frames.push(frame) > 0),
      ),
    ).toBe(0xffff_ffff)
    expect(frames).toEqual([Buffer.of(1)])
    expect(
      new FrameSplitter().take(
        Buffer.from([0, 0x10, 0, 1]),
        all(() => true),
      ),
    ).toBe(MAX_FRAME_BYTES + 1)
    expect(
      new FrameSplitter().take(
        Buffer.from([0, 0x10, 0, 0]),
        all(() => true),
      ),
    ).toBeUndefined()
  })

  it('that are not whole take at most as much room again as what has come of them, and are not copied for each byte', () => {
    const rooms: number[] = []
    const { allocUnsafe } = Buffer
    vi.spyOn(Buffer, 'allocUnsafe').mockImplementation((bytes) => {
      rooms.push(bytes)
      return allocUnsafe(bytes)
    })
    onTestFinished(() => void vi.restoreAllMocks())
    const splitter = new FrameSplitter()
    const taker = all(() => true)
    splitter.take(Buffer.of(0, 0x10, 0, 0), taker)
    for (let come = 5; come < 5_000; come++) {
      splitter.take(Buffer.of(1), taker)
      expect(rooms.at(-1)).toBeLessThanOrEqual(2 * come)
    }
    expect(rooms.length).toBeLessThan(20)
  })

  it('leave nothing behind once no more are taken: what comes then is for nobody', () => {
    for (const taker of [all(() => false), { limit: () => 3, onFrame: () => true }]) {
      const splitter = new FrameSplitter()
      const stream = streamOf([new Uint8Array(10)])
      splitter.take(stream.subarray(0, 2), taker)
      splitter.take(stream.subarray(2), taker)
      expect(splitter).toMatchObject({ keptBytes: 0 })
    }
  })

  it('may be as long as is allowed when they come', () => {
    const stream = streamOf([new Uint8Array(10), new Uint8Array(20)])
    let limit = 10
    const onFrame = (): boolean => {
      limit = 20
      return true
    }
    expect(new FrameSplitter().take(stream, { limit: () => limit, onFrame })).toBeUndefined()
    expect(new FrameSplitter().take(stream, { limit: () => 10, onFrame })).toBe(20)
  })

  it('are given until it is told to stop', () => {
    const frames: Buffer[] = []
    new FrameSplitter().take(
      streamOf([Uint8Array.of(1), Uint8Array.of(2)]),
      all((frame) => frames.push(frame) > 1),
    )
    expect(frames).toEqual([Buffer.of(1)])
  })
})
