import { nodeName } from '@pidmesh/runtime'
import { MemoryLogger, seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import type { ConnectFailure } from '../../src/distribution/connection.ts'
import { Dialer } from '../../src/distribution/dialer.ts'

it('who waits for a node whose address vanishes between two tries is told that it is not connected', async () => {
  const b = nodeName('b@127.0.0.1')
  const tie: ConnectFailure = {
    type: 'refused',
    code: 'simultaneous',
    by: 'peer',
    peer: { name: b, incarnation: 1 },
    versions: undefined,
  }
  let fail: (failure: ConnectFailure) => void = () => undefined
  const dialer = new Dialer({
    clock: new VirtualClock(),
    random: seededRandom(1),
    log: new MemoryLogger(),
    backoffMs: { first: 100, most: 1_000 },
    dialsLearnt: true,
    isConnected: () => false,
    dial: (_address, onFailed) => {
      fail = onFailed
      return { close: () => undefined, claimedPeer: undefined }
    },
  })
  dialer.list(new Set(['127.0.0.1:1']))
  fail(tie)
  const outcome = dialer.redial(b)
  // Its own try, and then the next is on its way.
  fail(tie)
  await new Promise((resolve) => setImmediate(resolve))
  dialer.list(new Set())
  expect(await outcome).toBe(false)
})
