import { nodeName } from '@pidmesh/runtime'
import { MemoryLogger, VirtualClock } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import type { Connection } from '../../src/distribution/connection.ts'
import { Peer } from '../../src/distribution/peer.ts'
import { Approach } from '../../src/distribution/pending-node.ts'
import { Counters } from '../../src/observe/counters.ts'
import type { Signal } from '../../src/signals/signal.ts'
import { sliceOf } from '../../src/slice.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { TermCodec } from '../../src/wire/term.ts'

const codec = new FrameCodec(new TermCodec())
const b = { name: nodeName('b@127.0.0.1'), incarnation: 1 }
const MEBIBYTE = 1024 * 1024

/** A connected node, over a connection that takes what it is given. */
function connected() {
  const [clock, counters] = [new VirtualClock(), new Counters()]
  const connection = { bufferedBytes: 0, write: () => undefined, send: () => undefined, close: () => undefined }
  const peer = new Peer({
    introduced: { identity: b, address: '127.0.0.1:2', isHidden: false, tickMs: 1_000, version: 2 },
    connection: connection as unknown as Connection,
    codec,
    clock,
    busyWait: undefined,
    log: new MemoryLogger(),
    counters,
    liveness: { tickMs: 1_000, ticks: 4, noProgressMs: 10_000 },
    limits: {
      busyBytes: MEBIBYTE,
      resumeBytes: MEBIBYTE / 2,
      limitBytes: 16 * MEBIBYTE,
      windowBytes: MEBIBYTE / 4,
      signalBytes: 9 * MEBIBYTE,
    },
    idHash: { low: 1, high: 1 },
    events: {
      wantFlush: () => undefined,
      onSignal: () => undefined,
      onPeers: () => undefined,
      onDown: () => undefined,
    },
  })
  return { clock, connection, counters, peer }
}

const send = (bytes = 1): Signal => ({ type: 'send', from: 1, to: 2, payload: sliceOf(new Uint8Array(bytes)) })

it.each<Frame>([
  { type: 'data', signals: [send()] },
  { type: 'part', transfer: 0, bytes: new Uint8Array(5_000), last: false },
  { type: 'control', message: { type: 'tick', heardAgeMs: 0 } },
  { type: 'control', message: { type: 'peers', peers: [] } },
])('whatever comes from a node counts as life: $type', (frame) => {
  const { clock, peer } = connected()
  clock.passTo(3_000)
  expect(peer.silentForMs).toBe(3_000)
  peer.onFrame(frame)
  expect(peer.silentForMs).toBe(0)
})

it('however many frames stand unread, no more than four of them wait to be taken in', () => {
  const { counters, peer } = connected()
  const signals = Array.from({ length: 1_000 }, () => send())
  for (let count = 0; count < 50; count++) {
    peer.onFrame({ type: 'data', signals })
    expect(peer.waitingSignals).toBeLessThanOrEqual(4_000)
  }
  expect(counters.signalsReceived + peer.waitingSignals).toBe(50_000)
})

it('each message that finds the connection busy is counted', () => {
  const { connection, counters, peer } = connected()
  expect([peer.signal(send()), counters.totals().busySends]).toEqual(['ok', 0])
  connection.bufferedBytes = MEBIBYTE
  expect([peer.signal(send()), peer.signal(send()), counters.totals().busySends]).toEqual(['busy', 'busy', 2])
})

it('what is sent to a node that could not be reached, by who has not been told yet, is refused and not kept', () => {
  const limits = { busyBytes: MEBIBYTE, limitBytes: 16 * MEBIBYTE }
  const approach = new Approach({ name: b.name, limits, writer: codec.signalWriter(), onFull: () => undefined })
  const node = approach.node()
  expect(node.signal(send())).toBe('ok')
  const { bytes } = approach
  approach.giveUp(() => undefined)
  expect([node.signal(send()), approach.bytes]).toEqual(['noconnection', bytes])
})
