import { nodeName } from '@pidmesh/runtime'
import { MemoryLogger, seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import { Cookies } from '../../src/distribution/cookies.ts'
import { Handshakes } from '../../src/distribution/handshakes.ts'
import { Counters } from '../../src/observe/counters.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import { TermCodec } from '../../src/wire/term.ts'

/** A listener whose transport tells of strangers when the test says so; `knock` says whether that was logged. */
async function listening() {
  const [clock, log, counters] = [new VirtualClock(), new MemoryLogger(), new Counters()]
  let tell: (from: string, detail: string | undefined) => void = () => undefined
  const handshakes = new Handshakes({
    self: { name: nodeName('a@127.0.0.1'), incarnation: 1 },
    isHidden: false,
    cookies: new Cookies(['test-cookie']),
    tickMs: 1_000,
    clock,
    random: seededRandom(1),
    log,
    transport: {
      listen: (address, _accept, onStranger) => {
        tell = onStranger ?? tell
        return Promise.resolve(address)
      },
      dial: () => {
        throw new Error('nobody is dialed')
      },
      stop: () => Promise.resolve(),
    },
    codec: new FrameCodec(new TermCodec()),
    counters,
    handshakeTimeoutMs: 5_000,
    prove: () => 'prove',
    admit: () => 'admit',
    onUp: () => {
      throw new Error('nobody comes up')
    },
  })
  await handshakes.listen('127.0.0.1:1', (address) => address)
  const knock = (host: number, detail?: string): boolean => {
    // Slowly enough for all of them to have a line.
    clock.passTo(clock.monotonicMs() + 20)
    const before = log.lines.length
    tell(`10.0.${host >> 8}.${host & 255}:1234`, detail)
    return log.lines.length > before
  }
  return { counters, knock }
}

it('strangers are counted each, and logged once in ten seconds of a host and a reason', async () => {
  const { counters, knock } = await listening()
  expect([knock(1), knock(1), knock(2), knock(1, 'why'), knock(1, 'why')]).toEqual([true, false, true, true, false])
  expect(counters.totals().handshakesMalformed).toBe(5)
})

it('of strangers no more than 256 are told apart: the one that came first is forgotten', async () => {
  const { knock } = await listening()
  for (let host = 0; host < 256; host++) expect(knock(host)).toBe(true)
  expect([knock(0), knock(255)]).toEqual([false, false])
  // One too many.
  knock(256)
  expect([knock(255), knock(256), knock(0)]).toEqual([false, false, true])
})
