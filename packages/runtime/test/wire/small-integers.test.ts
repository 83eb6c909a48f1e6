/**
 * By itself: a double in a slice of any test would make doubles of the fields of all slices.
 */
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { expect, it } from 'vitest'
import { sliceOf } from '../../src/slice.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import { TermCodec } from '../../src/wire/term.ts'

setFlagsFromString('--allow-natives-syntax')
const isSmallInteger = runInThisContext('(value) => %IsSmi(value)') as (value: number) => boolean

// Positions are counted from them, and payloads are written by them: with doubles a message takes a fifth more.
it('where the payloads of a frame begin and end is told in small integers', () => {
  const codec = new FrameCodec(new TermCodec())
  const writer = codec.signalWriter()
  for (const bytes of [1, 200, 40_000])
    writer.append({ type: 'send', from: 1, to: 2, payload: sliceOf(new Uint8Array(bytes)) })
  const frame = codec.decode(writer.takeFrame())
  const payloads =
    frame.type === 'data' ? frame.signals.flatMap((signal) => ('payload' in signal ? [signal.payload] : [])) : []
  expect(payloads.map(({ start, end }) => isSmallInteger(start) && isSmallInteger(end))).toEqual([true, true, true])
  // And not of any number.
  expect(isSmallInteger(0.5)).toBe(false)
})
