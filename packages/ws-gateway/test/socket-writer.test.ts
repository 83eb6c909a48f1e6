/**
 * The frames of a turn on their way to a socket's stream: in order, together, and at its end.
 */
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { VirtualClock } from '@pidmesh/runtime/testing'
import { WebSocket } from 'ws'
import { Counters } from '../src/counters.ts'
import { frameOf } from '../src/frame.ts'
import { SocketWriter } from '../src/socket-writer.ts'
import { TurnEnd } from '../src/turn-end.ts'

interface Bench {
  readonly writer: SocketWriter
  readonly stream: PassThrough
  /** What was given to the stream so far. */
  readonly chunks: (string | Buffer)[]
  /** What the writes so far were, each as text. */
  readonly writes: string[]
  readonly errors: unknown[]
  /** The writers that were to be flushed at the end of the turn. */
  readonly later: SocketWriter[]
  readonly clock: VirtualClock
  readonly counters: Counters
}

/** A writer whose answer to the upgrade has gone out. */
function open({ extensions = '', turn = new TurnEnd() } = {}): Bench {
  const [stream, clock, counters] = [new PassThrough(), new VirtualClock(), new Counters()]
  const [chunks, writes, errors, later]: [(string | Buffer)[], string[], unknown[], SocketWriter[]] = [[], [], [], []]
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  stream.write = (chunk: string | Buffer, ...rest: unknown[]) => {
    chunks.push(chunk)
    writes.push(typeof chunk === 'string' ? chunk : chunk.toString('latin1'))
    return write(chunk, ...rest)
  }
  stream.on('error', (error) => errors.push(error))
  stream.cork()
  const writer = new SocketWriter({
    socket: { readyState: WebSocket.OPEN, extensions, bufferedAmount: 0, send: () => undefined },
    stream,
    isBinary: false,
    host: {
      clock,
      counters,
      softBufferedBytes: 1_000,
      maxBufferedBytes: 2_000,
      slowTimeoutMs: 1_000,
      flushLater: (waiting) => later.push(waiting),
      sharedBytes: (frame) => turn.bytesOf(frame),
    },
    owner: { isStarting: false, onRelieved: () => undefined },
  })
  writer.flush()
  return { writer, stream, chunks, writes, errors, later, clock, counters }
}

const text = (payload: string) => frameOf(payload, false)
const long = Buffer.from('a Buffer')

it('texts of a turn are one write, at its end', () => {
  const { writer, writes, later } = open()
  for (const payload of ['one', 'two', 'three']) writer.write(text(payload))
  expect(later).toEqual([writer])
  expect(writes).toEqual([])
  writer.flush()
  expect(writes).toEqual(['\x81\x03one\x81\x03two\x81\x05three'])
})

it('a Buffer keeps its place among texts, and all go out at the end of the turn', () => {
  const { writer, stream, writes, later } = open()
  writer.write(text('before'))
  writer.write(long)
  writer.write(text('after'))
  expect(later).toEqual([writer])
  expect(stream.read()).toBeNull()
  writer.flush()
  expect(writes).toEqual(['\x81\x06before', 'a Buffer', '\x81\x05after'])
  const chunks: unknown[] = []
  for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk)
  expect(chunks.join('')).toContain('after')
})

it('the next turn is one of its own', () => {
  const { writer, writes, later } = open()
  for (const payload of ['one', 'two']) {
    writer.write(text(payload))
    writer.flush()
  }
  expect(later).toEqual([writer, writer])
  expect(writes).toEqual(['\x81\x03one', '\x81\x03two'])
})

it('what the turn has written waits for the client', () => {
  const { writer } = open()
  expect([1_001, 2_001].map((bytes) => writer.roomFor(bytes))).toEqual(['enough', 'full'])
  writer.write(text('x'.repeat(998)))
  expect(writer.bufferedBytes).toBe(1_002)
  expect(writer.roomFor(1)).toBe('tight')
  expect(writer.roomFor(1_000)).toBe('full')
})

it('who reads nothing is stalled in time, however often something is sent meanwhile', () => {
  const { writer, clock } = open()
  writer.write(text('x'.repeat(1_100)))
  const sends = [0, 400, 800].map((ms) => {
    clock.passTo(ms)
    return writer.roomFor(1)
  })
  expect(sends).toEqual(['tight', 'tight', 'tight'])
  expect([999, 1_000].map((ms) => writer.isStalled(ms))).toEqual([false, true])
})

it('of what waits for clients who read slowly little is copied for each: the rest is the same memory for all', () => {
  const turn = new TurnEnd()
  const slow = [open({ turn }), open({ turn })]
  const payloads = Array.from({ length: 40 }, (_, index) => `${index} ${'ä'.repeat(500)}`)
  for (const payload of payloads) {
    const frame = text(payload)
    for (const { writer } of slow) writer.write(frame)
  }
  for (const { writer } of slow) writer.flush()
  const [one = [], other = []] = slow.map(({ chunks }) => chunks)
  const texts = one.filter((chunk) => typeof chunk === 'string')
  expect(texts.join('').length).toBeLessThanOrEqual(16 * 1024)
  const buffers = one.filter((chunk) => typeof chunk !== 'string')
  expect(buffers.length).toBeGreaterThan(20)
  expect(buffers.every((buffer) => other.includes(buffer))).toBe(true)
  expect(slow[0]?.writes.join('')).toBe(payloads.map((payload) => text(payload)).join(''))
})

it('a text that is no longer than a Buffer takes by itself stays one, whatever waits', () => {
  const { writer, chunks } = open()
  for (let index = 0; index < 1_000; index++) writer.write(text('x'.repeat(50)))
  writer.flush()
  expect(chunks.map((chunk) => typeof chunk)).toEqual(['string'])
})

it('what is written when the client has ended the connection is no error', async () => {
  const { writer, stream, writes, errors } = open()
  writer.write(text('too late'))
  stream.end()
  writer.flush()
  await new Promise((resolve) => setImmediate(resolve))
  expect({ writes, errors }).toEqual({ writes: [], errors: [] })
})

it.each([
  ['a text', text('a text')],
  ['a Buffer', long],
])('of 64 messages one is timed, from then on until the system has taken it (%s)', async (_what, frame) => {
  const { writer, clock, counters } = open()
  const passed = (ms: number): void => {
    clock.setTimer(ms, () => undefined)
    clock.fireNext(Infinity)
  }
  for (let index = 0; index < 128; index++) {
    writer.writeMessage(frame)
    if (index % 64 !== 63) continue
    passed(40)
    writer.flush()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(counters.pushLatencySeconds.stats).toMatchObject({ count: 2, sum: 0.08 })
})
