import { describe, expect, it } from 'vitest'
import { clientFrame, FrameReader, OPCODE } from '../src/contestants/gateway/frames.ts'

/** `81 03 'abc'`, a ping `89 00`, a text of 200 bytes (`81 7e 00c8`), and one of 70,000 (`81 7f …`). */
const LONG = 'x'.repeat(200)
const LONGER = 'y'.repeat(70_000)
const stream = Buffer.concat([
  Buffer.from('8103616263', 'hex'),
  Buffer.from('8900', 'hex'),
  Buffer.from('817e00c8', 'hex'),
  Buffer.from(LONG),
  Buffer.from('817f0000000000011170', 'hex'),
  Buffer.from(LONGER),
])
const frames = [
  [OPCODE.text, 'abc'],
  [OPCODE.ping, ''],
  [OPCODE.text, LONG],
  [OPCODE.text, LONGER],
]

/** What a reader finds that is given chunks of so many bytes, all in the same memory. */
function framesIn(bytes: Buffer, chunkBytes: number): Array<[number, string]> {
  const found: Array<[number, string]> = []
  const reader = new FrameReader((opcode, data, start, end) =>
    found.push([opcode, data.toString('latin1', start, end)]),
  )
  const memory = Buffer.alloc(chunkBytes)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const length = bytes.copy(memory, 0, at, at + chunkBytes)
    reader.read(memory.subarray(0, length))
  }
  return found
}

describe('frames of a server', () => {
  it('are found wherever the bytes are cut, though the memory of a chunk is used again', () => {
    for (const chunkBytes of [stream.length, 65_536, 997, 211, 7]) expect(framesIn(stream, chunkBytes)).toEqual(frames)
    const short = stream.subarray(0, 211)
    for (const chunkBytes of [1, 2, 3]) expect(framesIn(short, chunkBytes)).toEqual(frames.slice(0, 3))
  })

  it('of more than a megabyte are none', () => {
    expect(() => framesIn(Buffer.from('817f0000000000200000', 'hex'), 16)).toThrow('a frame of 2097152 bytes')
  })
})

describe('a frame of a client', () => {
  it('is final, and has a mask of zeros', () => {
    expect(clientFrame(OPCODE.text, Buffer.from('40')).toString('hex')).toBe('8182000000003430')
  })

  it('is short', () => {
    expect(() => clientFrame(OPCODE.text, Buffer.alloc(126))).toThrow('short frames only')
  })
})
