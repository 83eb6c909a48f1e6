import { nodeName, type NodeName } from '@pidmesh/runtime'
import { MemoryLogger, seededRandom, VirtualClock } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import type { ConnectFailure } from '../../src/distribution/connection.ts'
import { Dialer } from '../../src/distribution/dialer.ts'

it.each([
  ['whose address vanishes', (dialer: Dialer) => dialer.list(new Set())],
  ['of which none is dialed any more, since this one stops,', (dialer: Dialer) => dialer.stop()],
])('who waits for a node %s between two tries is told that it is not connected', async (_what, end) => {
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
  end(dialer)
  expect(await outcome).toBe(false)
})

const nobody: ConnectFailure = { type: 'unreachable', detail: 'nobody is there' }
const noNode: ConnectFailure = { type: 'no_node', detail: 'HTTP/1.1 400' }
const refusal: ConnectFailure = {
  type: 'refused',
  code: 'bad_cookie',
  by: 'peer',
  peer: undefined,
  versions: undefined,
}

/** A dialer of which each dial is kept, until the test says what comes of it. */
function dialing() {
  const clock = new VirtualClock()
  const log = new MemoryLogger()
  const connected = new Set<NodeName>()
  const dials: { address: string; fail: (failure: ConnectFailure) => void; up: (node: NodeName) => void }[] = []
  const dialer = new Dialer({
    clock,
    random: seededRandom(1),
    log,
    backoffMs: { first: 100, most: 1_000 },
    dialsLearnt: true,
    isConnected: (node) => connected.has(node),
    dial: (address, fail, up) => {
      dials.push({ address, fail, up })
      return { close: () => undefined, claimedPeer: undefined }
    },
  })
  const pass = (ms: number): void => {
    const endMs = clock.monotonicMs() + ms
    while (clock.fireNext(endMs)) continue
    clock.passTo(endMs)
  }
  return { clock, log, connected, dials, dialer, pass }
}

it('an address that was left alone for its node is dialed when another node is told to be there', () => {
  const [x, y, address] = [nodeName('x@127.0.0.1'), nodeName('y@127.0.0.1'), '127.0.0.1:1']
  const { connected, dials, dialer } = dialing()
  void dialer.addSeed(address)
  connected.add(x)
  dials[0]?.up(x)
  dialer.onUp({ name: x, address })
  connected.delete(x)
  dialer.hold(x)
  dialer.learn({ name: y, address })
  expect(dials).toHaveLength(2)
})

it('an address that was learnt, and at which another one refuses ever since, is forgotten after ten minutes; a seed is not', async () => {
  const [x, learnt, seed] = [nodeName('x@127.0.0.1'), '127.0.0.1:1', '127.0.0.1:2']
  const { dials, dialer, pass } = dialing()
  dialer.learn({ name: x, address: learnt })
  void dialer.addSeed(seed)
  const dialedIn = (seconds: number): ReadonlySet<string> => {
    const addresses = new Set<string>()
    for (let at = 0; at < seconds; at++) {
      for (const { address, fail } of dials.splice(0)) {
        addresses.add(address)
        fail(refusal)
      }
      pass(1_000)
    }
    return addresses
  }
  expect(dialedIn(9 * 60)).toEqual(new Set([learnt, seed]))
  dialedIn(90)
  expect(dialedIn(60)).toEqual(new Set([seed]))
})

it('the pause before the next dial doubles up to its most, and is never the same for long', () => {
  const { clock, dials, dialer, pass } = dialing()
  void dialer.addSeed('127.0.0.1:1')
  const pauses: number[] = []
  for (let count = 0; count < 40; count++) {
    const failedAtMs = clock.monotonicMs()
    dials.pop()?.fail(nobody)
    while (dials.length === 0) pass(1)
    pauses.push(clock.monotonicMs() - failedAtMs)
  }
  for (const [index, pauseMs] of pauses.entries()) {
    const most = Math.min(1_000, 100 * 2 ** (index + 1))
    expect(pauseMs).toBeGreaterThanOrEqual(most / 2)
    expect(pauseMs).toBeLessThanOrEqual(most)
  }
  expect(new Set(pauses.slice(4)).size).toBeGreaterThan(20)
})

it('that another program is where a node should be is warned of once, at the second dial that finds it', () => {
  const { log, dials, dialer, pass } = dialing()
  void dialer.addSeed('127.0.0.1:1')
  const warnings = (): number => log.lines.filter(({ level }) => level === 'warn').length
  const counts: number[] = []
  for (let count = 0; count < 5; count++) {
    dials.pop()?.fail(noNode)
    counts.push(warnings())
    pass(1_000)
  }
  expect(counts).toEqual([0, 1, 1, 1, 1])
})

it('of nodes that are left alone 1,024 are remembered: one more, and the first may be dialed again', () => {
  const { dialer } = dialing()
  const nodes = Array.from({ length: 1_025 }, (_, n) => nodeName(`n${n}@127.0.0.1`))
  for (const node of nodes) dialer.hold(node)
  expect(nodes.filter((node) => !dialer.isLeftAlone(node))).toEqual(nodes.slice(0, 1))
})

it('an address that was learnt has ten minutes anew each time that its node is lost', () => {
  const [x, address] = [nodeName('x@127.0.0.1'), '127.0.0.1:1']
  const { connected, dials, dialer, pass } = dialing()
  const failFor = (minutes: number): number => {
    let count = 0
    for (let second = 0; second < minutes * 60; second++) {
      for (const { fail } of dials.splice(0)) {
        count++
        fail(nobody)
      }
      pass(1_000)
    }
    return count
  }
  dialer.learn({ name: x, address })
  failFor(9)
  connected.add(x)
  dials.pop()?.up(x)
  dialer.onUp({ name: x, address })
  connected.delete(x)
  dialer.onDown(x, false)
  failFor(9)
  expect(failFor(0.5)).toBeGreaterThan(0)
  failFor(1)
  expect(failFor(1)).toBe(0)
})

/** A dialer that has tried a seed in vain, was connected with a node there then, and has lost it just now. */
function afterLoss(failures: readonly ConnectFailure[]) {
  const [x, address] = [nodeName('x@127.0.0.1'), '127.0.0.1:1']
  const { log, connected, dials, dialer, pass } = dialing()
  void dialer.addSeed(address)
  for (const failure of failures) {
    dials.pop()?.fail(failure)
    pass(5_000)
  }
  connected.add(x)
  dials.pop()?.up(x)
  dialer.onUp({ name: x, address })
  connected.delete(x)
  dialer.onDown(x, false)
  return { log, dials, dialer, pass, address }
}

it('a node that was lost is dialed again soon, however often that had failed before it was there', () => {
  const { dials, pass } = afterLoss(Array.from({ length: 20 }, () => nobody))
  pass(100)
  expect(dials).toHaveLength(1)
})

it('what is sent to a node may wait for its first dial, though another one was lost at its address', () => {
  const { dialer, pass, address } = afterLoss([nobody])
  const y = nodeName('y@127.0.0.1')
  dialer.learn({ name: y, address })
  pass(100)
  expect(dialer.canReach(y)).toBe(true)
})

it.each<[string, ConnectFailure, readonly number[]]>([
  ['is refused is warned that it is, again', refusal, [2, 2]],
  ['another program answers is not warned before that has answered twice', noNode, [0, 1]],
])('who has been connected since, and %s', (_what, failure, counts) => {
  const { log, dials, pass } = afterLoss([failure])
  const after = [1, 2].map(() => {
    pass(5_000)
    dials.pop()?.fail(failure)
    return log.lines.filter(({ level }) => level === 'warn').length
  })
  expect(after).toEqual(counts)
})

/** A dialer that was connected with a node at an address that it has learnt, until that has left, or was lost; and how often it is dialed within so long. */
function afterDown(hasLeft: boolean) {
  const [x, address] = [nodeName('x@127.0.0.1'), '127.0.0.1:1']
  const { connected, dials, dialer, pass } = dialing()
  dialer.learn({ name: x, address })
  connected.add(x)
  dials.pop()?.up(x)
  dialer.onUp({ name: x, address })
  connected.delete(x)
  dialer.onDown(x, hasLeft)
  const dialsIn = (seconds: number): number => {
    let count = 0
    for (let tenth = 0; tenth < seconds * 10; tenth++) {
      for (const { fail } of dials.splice(0)) {
        count++
        fail(nobody)
      }
      pass(100)
    }
    return count
  }
  return { dialer, dialsIn, x, address }
}

it('a node that has said that it stops is dialed again, less and less often; one that was lost each second', () => {
  const [left, lost] = [afterDown(true), afterDown(false)]
  expect(lost.dialsIn(9 * 60)).toBeGreaterThan(500)
  expect(left.dialsIn(10)).toBeGreaterThan(4)
  const later = left.dialsIn(9 * 60)
  expect(later).toBeGreaterThanOrEqual(18)
  expect(later).toBeLessThan(45)
})

it.each<[string, (dialer: Dialer, at: { name: NodeName; address: string }) => void]>([
  ['is a seed, too,', (dialer, { address }) => void dialer.addSeed(address)],
  ['discovery lists', (dialer, { address }) => dialer.list(new Set([address]))],
  ['another node has again', (dialer, at) => dialer.learn(at)],
])('a node that has said that it stops and %s is dialed each second', (_what, wants) => {
  const { dialer, dialsIn, x, address } = afterDown(true)
  dialsIn(120)
  wants(dialer, { name: x, address })
  expect(dialsIn(10)).toBeGreaterThan(9)
})
