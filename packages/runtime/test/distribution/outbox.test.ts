import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Inbox } from '../../src/distribution/inbox.ts'
import { BATCH_BYTES, MAX_TRANSFERS, Outbox } from '../../src/distribution/outbox.ts'
import type { Signal } from '../../src/signals/signal.ts'
import { sliceOf } from '../../src/slice.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import { TermCodec } from '../../src/wire/term.ts'
import { viewOf } from '../wire/raw-frames.ts'

const codec = new FrameCodec(new TermCodec())
const KIB = 1024

/** What arrives of frames, as `[from, number, bytes]`. */
class Receiver {
  readonly got: Array<readonly [from: number, number: number, bytes: number]> = []
  private readonly inbox = new Inbox(9 * KIB * KIB)

  take(bytes: Uint8Array): void {
    const frame = codec.decode(bytes)
    if (frame.type === 'data') {
      for (const signal of frame.signals) this.note(signal)
    } else if (frame.type === 'part') {
      const whole = this.inbox.add(frame.transfer, frame.bytes, frame.last)
      if (whole !== undefined) for (const signal of codec.decodeParts(whole)) this.note(signal)
    }
  }

  private note(signal: Signal): void {
    if (signal.type === 'send') this.got.push([signal.from, signal.to, viewOf(signal.payload).length])
  }
}

const message = (from: number, number: number, bytes: number): Signal => ({
  type: 'send',
  from,
  to: number,
  payload: sliceOf(new Uint8Array(bytes).fill(number)),
})

function drain(outbox: Outbox, receiver: Receiver, frames = Infinity): number {
  let taken = 0
  for (; taken < frames; taken++) {
    const frame = outbox.nextFrame()
    if (frame === undefined) break
    expect(frame.length).toBeLessThanOrEqual(BATCH_BYTES + 6)
    receiver.take(frame)
  }
  return taken
}

describe('the outbox', () => {
  it('puts small signals into one frame, up to 64 KiB, and says when it is full', () => {
    const outbox = new Outbox(codec)
    const receiver = new Receiver()
    for (let number = 1; number <= 600; number++) outbox.add(message(1, number, 50))
    expect(outbox.isFrameFull).toBe(false)
    expect(drain(outbox, receiver)).toBe(1)
    for (let number = 601; !outbox.isFrameFull; number++) outbox.add(message(1, number, 50))
    drain(outbox, receiver)
    expect(receiver.got.map(([, number]) => number)).toEqual(receiver.got.map((_, index) => index + 1))
    expect(outbox.bytes).toBe(0)
  })

  it('a signal of several megabytes holds up its sender, and nobody else', () => {
    const outbox = new Outbox(codec)
    const receiver = new Receiver()
    outbox.add(message(1, 1, 10))
    outbox.add(message(1, 2, 4 * KIB * KIB))
    outbox.add(message(1, 3, 10))
    drain(outbox, receiver, 5)
    outbox.add(message(2, 1, 10))
    drain(outbox, receiver, 2)
    expect(receiver.got).toEqual([
      [1, 1, 10],
      [2, 1, 10],
    ])
    drain(outbox, receiver)
    expect(receiver.got.slice(2)).toEqual([
      [1, 2, 4 * KIB * KIB],
      [1, 3, 10],
    ])
  })

  it('a large signal does not pass the small ones that its sender has sent before, however many frames are ahead of those', () => {
    const outbox = new Outbox(codec)
    const receiver = new Receiver()
    for (let number = 1; number <= 300; number++) outbox.add(message(3, number, 2 * KIB))
    outbox.add(message(2, 1, 10))
    outbox.add(message(2, 2, 100 * KIB))
    drain(outbox, receiver)
    expect(receiver.got.filter(([from]) => from === 2)).toEqual([
      [2, 1, 10],
      [2, 2, 100 * KIB],
    ])
  })

  it('200,000 small signals behind two large ones are no more than their bytes, and come in order', () => {
    const outbox = new Outbox(codec)
    const receiver = new Receiver()
    outbox.add(message(1, 1, 300 * KIB))
    outbox.add(message(1, 2, 300 * KIB))
    for (let number = 3; number <= 200_000; number++) outbox.add(message(1, number, 1))
    drain(outbox, receiver)
    expect(receiver.got).toHaveLength(200_000)
    expect(receiver.got.every(([, number], index) => number === index + 1)).toBe(true)
    expect(outbox.bytes).toBe(0)
  })

  it('a reason whose getter sends something itself spoils neither', () => {
    const outbox = new Outbox(codec)
    const seen: string[] = []
    for (let number = 1; number <= 500; number++) outbox.add(message(1, number, 50))
    outbox.add({
      type: 'exit',
      from: 1,
      to: 9,
      reason: {
        get shutdown() {
          outbox.add(message(1, 501, 200 * KIB))
          return 'late'
        },
      },
    })
    const receiver = new Receiver()
    for (let frame = outbox.nextFrame(); frame !== undefined; frame = outbox.nextFrame()) {
      const decoded = codec.decode(frame)
      seen.push(decoded.type)
      receiver.take(frame)
    }
    expect(receiver.got.map(([, number]) => number)).toEqual(Array.from({ length: 501 }, (_, index) => index + 1))
    expect(seen).toContain('part')
  })

  it('between two parts of large signals there is room for a frame of small ones, and the other way round', () => {
    const outbox = new Outbox(codec)
    outbox.add(message(1, 1, KIB * KIB))
    const kinds: string[] = []
    for (let turn = 0; turn < 10; turn++) {
      for (let number = 1; number <= 100; number++) outbox.add(message(2, number, KIB))
      const frame = outbox.nextFrame()
      if (frame !== undefined) kinds.push(codec.decode(frame).type)
    }
    expect(kinds).toEqual(Array.from({ length: 10 }, (_, turn) => (turn % 2 === 0 ? 'data' : 'part')))
  })

  it(`at most ${MAX_TRANSFERS} large signals are under way at the same time`, () => {
    const outbox = new Outbox(codec)
    const receiver = new Receiver()
    for (let from = 1; from <= 20; from++) outbox.add(message(from, 1, 300 * KIB))
    const open = new Set<number>()
    for (let frame = outbox.nextFrame(); frame !== undefined; frame = outbox.nextFrame()) {
      const part = codec.decode(frame)
      receiver.take(frame)
      if (part.type !== 'part') continue
      open.add(part.transfer)
      expect(open.size).toBeLessThanOrEqual(MAX_TRANSFERS)
      if (part.last) open.delete(part.transfer)
    }
    expect(receiver.got.map(([from]) => from).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
  })

  it('whatever is sent, whenever frames are taken: each signal arrives once, those of one sender in their order, and all bytes are counted', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ from: fc.integer({ min: 1, max: 6 }), bytes: fc.nat(2_000) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          from: fc.integer({ min: 1, max: 6 }),
          bytes: fc.integer({ min: 60_000, max: 200_000 }),
        }),
      },
      { weight: 2, arbitrary: fc.record({ frames: fc.integer({ min: 1, max: 4 }) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outbox = new Outbox(codec)
        const receiver = new Receiver()
        const sent = new Map<number, Array<readonly [number, number, number]>>()
        let waiting = 0
        for (const one of steps) {
          if ('frames' in one) {
            drain(outbox, receiver, one.frames)
            continue
          }
          const of = sent.get(one.from) ?? []
          of.push([one.from, of.length + 1, one.bytes])
          sent.set(one.from, of)
          outbox.add(message(one.from, of.length, one.bytes))
          waiting += one.bytes
        }
        const got = receiver.got.reduce((bytes, [, , more]) => bytes + more, 0)
        // What was taken of a large signal that isn't complete has been neither got nor kept.
        expect(outbox.bytes).toBeLessThanOrEqual(waiting - got + 40 * steps.length)
        drain(outbox, receiver)
        expect(outbox.bytes).toBe(0)
        for (const [from, messages] of sent) expect(receiver.got.filter(([of]) => of === from)).toEqual(messages)
      }),
      { numRuns: 150 },
    )
  })
})

describe('the inbox', () => {
  it.each([
    ['a part of a transfer that can not be', MAX_TRANSFERS, 10],
    ['a part of nothing', 0, 0],
    ['a small part that is not the last', 0, 4_095],
    ['more than a signal may have', 0, 10_001],
  ])('refuses %s', (_what, transfer, bytes) => {
    const inbox = new Inbox(10_000)
    expect(() => inbox.add(transfer, new Uint8Array(bytes), false)).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_TERM' }),
    )
  })

  it('shares no memory with the frames', () => {
    const inbox = new Inbox(50_000)
    const part = new Uint8Array(5_000).fill(1)
    inbox.add(0, part, false)
    part.fill(2)
    expect(inbox.add(0, part.subarray(0, 1), true)).toEqual(Buffer.concat([Buffer.alloc(5_000, 1), Buffer.of(2)]))
  })

  it('refuses parts without an end as soon as they are too much', () => {
    const inbox = new Inbox(50_000)
    for (let part = 0; part < 10; part++) expect(inbox.add(1, new Uint8Array(5_000), false)).toBeUndefined()
    expect(() => inbox.add(1, new Uint8Array(1), true)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_TERM' }))
  })
})
