/**
 * PURPOSE: what may happen to a session on its way from one node to another, one interleaving each. Simulated: the order is that of the test, and waiting takes no time.
 */
import { call } from '@pidmesh/gen-server'
import { GlobalEts } from '@pidmesh/global-ets'
import type { Node } from '@pidmesh/runtime'
import { SocketSession } from '@pidmesh/ws-gateway'
import { describe, expect, it } from 'vitest'
import type { WhereIs } from '../src/gateway-server.ts'
import { gatewayName } from '../src/gateways.ts'
import { keyPurpose, openToken, sessionOf } from '../src/resume-token.ts'
import type { ClaimCall, CommitCall, SessionCall } from '../src/session-protocol.ts'
import type { SimLab, SimMessage, SimOptions, SimPrincipal, SimSocket } from './simulation/sim-lab.ts'
import { hello, labOf, tell, tokenOf, typesOf } from './simulation/steps.ts'

/** Asks for a session as its next place would, and stops there. */
function placeOf(lab: SimLab, index: number, token: string) {
  const { node } = lab.at(index)
  const ticket = openToken(node.deriveKeys(keyPurpose({ name: '' })), token, 'ann')
  const session = ticket === undefined ? undefined : sessionOf(ticket, node.self.pid.origin, node.nodes('all'))
  if (ticket === undefined || session === undefined) throw new Error('no session')
  const ask = <Request extends SessionCall>(request: Request) =>
    lab.cluster.run(call<SessionCall, Request>(node, session, request))
  const { nonce } = ticket
  return {
    session,
    claim: (seq: number) => ask<ClaimCall>({ type: 'claim', nonce, seq, codec: 'json' }),
    commit: (claim: number) => ask<CommitCall>({ type: 'commit', claim, to: node.self.pid, release: false }),
  }
}

describe('what is pushed to a session that is just being moved', () => {
  it('while it hands over, is replayed at its new place', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'slowHandOver', ms: 400 }, { type: 'pushLater', afterMs: 200, message: 'meanwhile' })
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    expect([lab.statuses, first.messages]).toEqual([['sent'], ['meanwhile']])
    expect([typesOf(second), second.messages]).toEqual([['resumed'], ['meanwhile']])
  })

  it('between the claim and the commit, is kept, and goes with the commit', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    const place = placeOf(lab, 1, tokenOf(first))
    await tell(lab, first, { type: 'pushLater', afterMs: 500, message: 'between' })
    const claimed = await place.claim(0)
    await lab.cluster.advance(1_000)
    expect(lab.statuses).toEqual(['kept'])
    expect(claimed).toMatchObject({ type: 'claimed', snapshot: { missed: [] } })
    const committed = claimed.type === 'claimed' ? await place.commit(claimed.claim) : undefined
    const late = committed?.type === 'committed' ? committed.late : []
    expect(late.map((frame) => Buffer.from(frame.subarray(2)).toString())).toEqual(['["between"]'])
  })

  it('after the commit, is dropped and not taken for kept', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'pushLater', afterMs: 1_500, message: 'after' })
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(1_000)
    expect([lab.statuses, second.messages]).toEqual([['dropped'], []])
  })

  it('and may be coalesced, goes with it: the latest of each key', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    const options = { coalesce: 'price' }
    await tell(
      lab,
      first,
      { type: 'pushLater', afterMs: 100, message: 1, options },
      { type: 'pushLater', afterMs: 200, message: 2, options },
    )
    first.cut()
    await lab.cluster.advance(1_000)
    expect(lab.statuses).toEqual(['held', 'held'])
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    expect([typesOf(second), second.messages]).toEqual([['resumed'], [2]])
  })

  it('by its name waits for the commit, and comes in order, wherever the session is then', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'register', name: 'ann', policy: 'unique' })
    await lab.cluster.advance(100)
    const place = placeOf(lab, 1, tokenOf(first))
    await place.claim(0)
    for (const n of [1, 2, 3]) expect(lab.at(2).names.send('ann', n)).toBe('ok')
    // The place that has claimed it is never heard of again.
    await lab.cluster.advance(6_000)
    const second = await hello(lab, 2, { token: tokenOf(first), seq: 0 })
    expect([typesOf(second), second.messages]).toEqual([['resumed'], [1, 2, 3]])
  })
})

it('a move goes on with 1,000 messages that come meanwhile, and with one more is called off: the session has them all, in order', async () => {
  const lab = await labOf(2, { resume: { maxMessages: 2_000, maxBytes: 1_000_000 } })
  const outcomeWith = async (first: SimSocket, count: number): Promise<string> => {
    const place = placeOf(lab, 1, tokenOf(first))
    const claimed = await place.claim(0)
    for (let n = 0; n < count; n++) lab.at(0).node.send(place.session, n)
    await lab.cluster.advance(10)
    return claimed.type === 'claimed' ? (await place.commit(claimed.claim)).type : claimed.type
  }
  expect(await outcomeWith(await hello(lab, 0), 1_000)).toBe('committed')
  const first = await hello(lab, 0)
  expect(await outcomeWith(first, 1_001)).toBe('fenced')
  const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
  expect(typesOf(second)).toEqual(['resumed'])
  expect(second.messages).toEqual(Array.from({ length: 1_001 }, (_, n) => n))
})

it('a session that has moved is counted where it is, and no more where it was, whose process forwards for a while', async () => {
  const lab = await labOf(2)
  const first = await hello(lab, 0)
  const counts = () => lab.running.map(({ gateway }) => gateway.stats.sessions)
  expect(counts()).toEqual([
    { attached: 1, detached: 0 },
    { attached: 0, detached: 0 },
  ])
  await hello(lab, 1, { token: tokenOf(first), seq: 0 })
  const moved = [
    { attached: 0, detached: 0 },
    { attached: 1, detached: 0 },
  ]
  expect(counts()).toEqual(moved)
  // And when that process has ended, too.
  await lab.cluster.advance(10_000)
  expect(counts()).toEqual(moved)
})

describe('a session that is busy when its client comes back', () => {
  it('to its own node, for longer than that waits, does not take the socket later that is closed by then', async () => {
    const lab = await labOf(1, { resume: { graceMs: 20_000 } })
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'busy', ms: 8_000 })
    const second = await hello(lab, 0, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(5_000)
    expect([second.closed, typesOf(second)]).toEqual([1013, []])
    first.cut()
    await lab.cluster.advance(3_000)
    expect(lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 1 })
    await lab.cluster.advance(21_000)
    expect(lab.at(0).gateway.stats.sessions).toEqual({ attached: 0, detached: 0 })
  })

  it('to another node, for longer than that waits, is not gone: the client comes later, and goes on', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'pushLater', afterMs: 1_000, message: 'kept' }, { type: 'busy', ms: 8_000 })
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(5_000)
    expect([second.closed, typesOf(second)]).toEqual([1013, []])
    // The claim that has come too late is thawed.
    await lab.cluster.advance(9_000)
    const third = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    expect([typesOf(third), third.messages]).toEqual([['resumed'], ['kept']])
  })

  it('to another node, for longer than a session there has to begin, is not gone either, and nothing has failed', async () => {
    const lab = await labOf(2, { connectTimeoutMs: 2_000 })
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'pushLater', afterMs: 100, message: 'kept' }, { type: 'busy', ms: 4_000 })
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(1_500)
    expect([second.closed, typesOf(second)]).toEqual([1013, []])
    await lab.cluster.advance(3_000)
    const third = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    expect([typesOf(third), third.messages]).toEqual([['resumed'], ['kept']])
  })

  it('to another node, and has moved on from place to place: all of them together have no more time than the start', async () => {
    const lab = await labOf(3, { connectTimeoutMs: 4_000 })
    const first = await hello(lab, 0)
    const past = { token: tokenOf(first), seq: 0 }
    const second = await hello(lab, 1, past)
    await tell(lab, second, { type: 'busy', ms: 20_000 })
    lab.cluster.stall('n0', 1_500)
    const third = await hello(lab, 2, past)
    await lab.cluster.advance(3_500)
    expect([third.closed, typesOf(third)]).toEqual([1013, []])
  })
})

describe('a client that comes to another node, gives that up, and is back before its session has heard of it', () => {
  /** Its claim comes to the session after what it does at its own node: it is later on its way. */
  async function comeBack(lab: SimLab, giveUp: (second: SimSocket) => void) {
    const first = await hello(lab, 0)
    const [second, third] = [lab.open(lab.at(1)), lab.open(lab.at(0))]
    await tell(lab, first, { type: 'busy', ms: 1_000 })
    first.cut()
    const past = { token: tokenOf(first), seq: 0 }
    second.send({ type: 'hello', token: 'ann', resume: past })
    giveUp(second)
    third.send({ type: 'hello', token: 'ann', resume: past })
    await lab.cluster.advance(1_100)
    expect(typesOf(third)).toEqual(['resumed'])
    return { socket: third, past }
  }
  const attached = (lab: SimLab) => lab.running.map(({ gateway }) => gateway.stats.sessions.attached)

  it('keeps the socket that it has: the claim of its past does not close it, also if its gateway does not know that it is', async () => {
    const lab = await labOf(2)
    const { socket } = await comeBack(lab, (second) => second.goDeaf())
    expect([socket.closed, attached(lab)]).toEqual([undefined, [1, 0]])
    socket.send({ type: 'ack', seq: 0 })
    await lab.cluster.advance(20_000)
    expect([socket.closed, attached(lab)]).toEqual([undefined, [1, 0]])
  })

  it('waits for a moment, and goes on, if it has never heard that it was back', async () => {
    const lab = await labOf(2)
    const { socket, past } = await comeBack(lab, (second) => second.cut())
    socket.goDeaf()
    const early = await hello(lab, 1, past)
    expect([early.closed, typesOf(early)]).toEqual([1013, []])
    await lab.cluster.advance(1_000)
    expect(typesOf(await hello(lab, 1, past))).toEqual(['resumed'])
  })
})

describe('a client that has lost the answer to its resume at another node', () => {
  it.each([
    ['at that node', 1],
    ['at the node that its token names', 0],
    ['at a third', 2],
  ])('and comes back long after, %s: goes on, with what it has missed', async (_where, at) => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'register', name: 'ann', policy: 'unique' })
    const past = { token: tokenOf(first), seq: 0 }
    first.cut()
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.goDeaf()
    second.send({ type: 'hello', token: 'ann', resume: past })
    await lab.cluster.advance(1_000)
    second.cut()
    await lab.cluster.advance(20_000)
    await lab.cluster.run(Promise.resolve(lab.at(2).names.send('ann', 'precious')))
    await lab.cluster.advance(100)
    const third = await hello(lab, at, past)
    expect([typesOf(third), third.messages]).toEqual([['resumed'], ['precious']])
    third.send({ type: 'ack', seq: 1 })
    await lab.cluster.advance(20_000)
    expect(typesOf(await hello(lab, at, past))).toEqual(['resume_failed', 'welcome'])
  })

  it('and comes back when the node that its token names has drained and is no more: goes on', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    const past = { token: tokenOf(first), seq: 0 }
    first.cut()
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.goDeaf()
    second.send({ type: 'hello', token: 'ann', resume: past })
    await lab.cluster.advance(1_000)
    second.cut()
    await lab.cluster.run(lab.drain(lab.at(0), 0))
    await lab.cluster.advance(5_000)
    expect(typesOf(await hello(lab, 2, past))).toEqual(['resumed'])
  })
})

/** `authenticate` takes so long at its nth call. */
function slowAuthentication(lab: () => SimLab, nth: number, ms: number): SimOptions {
  let calls = 0
  return {
    authenticate: ({ token }) => {
      if (token === undefined) return undefined
      const who = { user: token }
      if (++calls !== nth) return who
      return new Promise((resolve) =>
        lab()
          .at(0)
          .node.clock.setTimer(ms, () => resolve(who)),
      )
    },
  }
}

class Named extends SocketSession<SimMessage, unknown, SimPrincipal> {
  override handleConnect() {
    return this.registerAs('ann', { policy: 'replace' })
  }
}

describe('a client whose past is late by what it takes to authenticate', () => {
  it.each([
    ['at its own node', 1, 0],
    ['at another node', 2, 1],
  ])('%s: keeps its socket and its name, though it has acknowledged that it goes on', async (_where, nodes, at) => {
    const lab: SimLab = await labOf(nodes, { session: Named, ...slowAuthentication(() => lab, 2, 3_000) })
    const first = await hello(lab, 0)
    first.send({ type: 'ack', seq: 0 })
    await lab.cluster.settle()
    const past = { token: tokenOf(first), seq: 0 }
    first.cut()
    const second = lab.open(lab.at(at))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume: past })
    await lab.cluster.advance(100)
    second.goDeaf()
    const third = await hello(lab, 0, past)
    third.send({ type: 'ack', seq: 0 })
    await lab.cluster.advance(5_000)
    expect([typesOf(third), third.closed]).toEqual([['resumed'], undefined])
    expect(lab.running.reduce((sum, { gateway }) => sum + gateway.stats.sessions.attached, 0)).toBe(1)
  })

  it('is refused, whoever it is, if it is later than any past can be', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    const past = { token: tokenOf(first), seq: 0 }
    const second = await hello(lab, 0, past)
    second.send({ type: 'ack', seq: 0 })
    await lab.cluster.settle()
    for (const at of [0, 1]) expect((await hello(lab, at, past)).closed).toBe(1013)
    await lab.cluster.advance(13_000)
    for (const at of [0, 1]) expect(typesOf(await hello(lab, at, past))).toEqual(['resume_failed', 'welcome'])
    expect(second.closed).toBeUndefined()
  })

  it('keeps its socket also if it has not yet acknowledged', async () => {
    const lab: SimLab = await labOf(
      1,
      slowAuthentication(() => lab, 2, 3_000),
    )
    const first = await hello(lab, 0)
    const past = { token: tokenOf(first), seq: 0 }
    first.cut()
    const second = lab.open(lab.at(0))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume: past })
    second.goDeaf()
    await lab.cluster.advance(2_980)
    const third = lab.open(lab.at(0))
    await lab.cluster.settle()
    third.send({ type: 'hello', token: 'ann', resume: past })
    await lab.cluster.advance(1_000)
    expect([typesOf(third), third.closed]).toEqual([['resumed'], undefined])
  })
})

it('a name of a client that has acknowledged something stays with it at its next place: it is not yielded to who comes anew', async () => {
  const lab = await labOf(3)
  const first = await hello(lab, 0)
  await tell(lab, first, { type: 'register', name: 'ann', policy: 'unique' })
  first.send({ type: 'ack', seq: 0 })
  await lab.cluster.settle()
  const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
  const other = await hello(lab, 2)
  await tell(lab, other, { type: 'register', name: 'ann', policy: 'unique' })
  await lab.cluster.advance(1_000)
  expect([second.closed, other.closed]).toEqual([undefined, 4009])
})

describe('a session that can not move, as what it hands over is not sendable', () => {
  it('ends, so that its client, which begins anew, is not refused for it', async () => {
    class Unsendable extends Named {
      readonly field = (): number => 1
      override handleConnect() {
        return this.registerAs('ann')
      }
    }
    const lab = await labOf(2, { session: Unsendable })
    const first = await hello(lab, 0)
    first.send({ type: 'ack', seq: 0 })
    await lab.cluster.settle()
    const resume = { token: tokenOf(first), seq: 0 }
    first.goDeaf()
    const second = await hello(lab, 1, resume)
    await lab.cluster.advance(2_000)
    expect([typesOf(second), second.closed]).toEqual([['resume_failed', 'welcome'], undefined])
  })
})

it('what can not go to another node is not logged with each message to a session that has moved', async () => {
  const lab = await labOf(2)
  const first = await hello(lab, 0)
  const { session } = placeOf(lab, 1, tokenOf(first))
  await hello(lab, 1, { token: tokenOf(first), seq: 0 })
  for (let n = 0; n < 250; n++) lab.at(0).node.send(session, { type: 'told', run: () => n })
  await lab.cluster.settle()
  const lines = lab.cluster.log.lines.filter(({ message }) => message.startsWith('a message was lost'))
  expect(lines).toHaveLength(100)
  expect(lines[0]?.fields).toMatchObject({ session: session.toString() })
})

describe('a session that waits for a time, and moves', () => {
  /** As docs/gateway.md says that it is to be written: the timer stays behind, and what it is for goes along. */
  class Waiting extends SocketSession<SimMessage, unknown, SimPrincipal> {
    afterMs = 0
    override handleConnect() {
      this.afterMs = 10_000
      this.self.sendAfter(this.afterMs, this.pid, { type: 'time' })
    }
  }
  class WaitingAnew extends Waiting {
    override async handleTakeover(state: unknown) {
      await super.handleTakeover(state)
      this.self.sendAfter(this.afterMs, this.pid, { type: 'time' })
    }
  }

  it.each([
    ['leaves the timer behind, of which nothing comes once its former process has ended', Waiting, []],
    ['has another one, if it starts it there', WaitingAnew, [{ type: 'time' }]],
  ])('%s', async (_what, session, told) => {
    const lab = await labOf(2, { session })
    const first = await hello(lab, 0)
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(30_000)
    expect([typesOf(second), second.messages]).toEqual([['resumed'], told])
  })

  it('is told of it by its former process, too, as long as that forwards', async () => {
    const lab = await labOf(2, { session: WaitingAnew })
    const first = await hello(lab, 0)
    await lab.cluster.advance(7_000)
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(30_000)
    expect(second.messages).toEqual([{ type: 'time' }, { type: 'time' }])
  })
})

it('a session whose metadata for its name was refused moves with the metadata that it has', async () => {
  class Bold extends SocketSession<SimMessage, unknown, SimPrincipal> {
    override async handleConnect() {
      await this.registerAs('ann', { meta: { room: 'lobby' } })
      const huge = { room: 'x'.repeat(2_000) }
      await this.setMeta('ann', huge).catch(({ code }: { code: string }) => this.push(code))
      await this.registerAs('ann', { meta: huge }).catch(({ code }: { code: string }) => this.push(code))
    }
  }
  const tables: GlobalEts[] = []
  const way = async (node: Node) => {
    const table = await GlobalEts.start(node, { policy: 'newest' })
    tables.push(table)
    return table
  }
  const lab = await labOf(2, { session: Bold, way })
  const first = await hello(lab, 0)
  expect(first.messages).toEqual(['ERR_BAD_ARGUMENT', 'ERR_BAD_ARGUMENT'])
  const second = await hello(lab, 1, { token: tokenOf(first), seq: 2 })
  expect([typesOf(second), second.closed]).toEqual([['resumed'], undefined])
  expect(tables.map((table) => table.metaOf('ann'))).toEqual([{ room: 'lobby' }, { room: 'lobby' }])
})

describe('a claim of a client that has gone', () => {
  it('is not committed: no place is the session for a socket that is closed', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    const resume = { token: tokenOf(first), seq: 0 }
    await tell(lab, first, { type: 'busy', ms: 1_500 })
    const second = await hello(lab, 1, resume)
    second.cut()
    await lab.cluster.advance(1_000)
    expect(lab.running.map(({ gateway }) => gateway.stats.sessions.detached)).toEqual([1, 0, 0])
    expect(typesOf(await hello(lab, 2, resume))).toEqual(['resumed'])
  })

  it('that is committed, since its gateway does not know it, leaves the token good that the client was told since', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    const past = { token: tokenOf(first), seq: 0 }
    const second = await hello(lab, 0, past)
    const resume = { token: tokenOf(second), seq: 0 }
    second.cut()
    const third = await hello(lab, 1, past)
    third.goDeaf()
    expect([typesOf(second), typesOf(third)]).toEqual([['resumed'], ['resumed']])
    await lab.cluster.advance(2_000)
    expect(typesOf(await hello(lab, 0, resume))).toEqual(['resumed'])
  })
})

describe('a session on its way to a node that begins to drain', () => {
  /** It takes half a second to be there, after the commit. */
  function slowTakeover(lab: () => SimLab): SimOptions {
    class Slow extends SocketSession<SimMessage, unknown, SimPrincipal> {
      override handleTakeover(): Promise<void> {
        return new Promise((resolve) => lab().clock.setTimer(500, resolve))
      }
    }
    return { session: Slow }
  }

  it('is waited for, and can be had from there', async () => {
    const lab: SimLab = await labOf(
      3,
      slowTakeover(() => lab),
    )
    const first = await hello(lab, 0)
    first.cut()
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume: { token: tokenOf(first), seq: 0 } })
    await lab.cluster.advance(300)
    const drained = lab.drain(lab.at(1), 0)
    await lab.cluster.advance(100)
    expect(second.closed).toBe(1012)
    // What its client knows is the token of the first place.
    expect(typesOf(await hello(lab, 2, { token: tokenOf(first), seq: 0 }))).toEqual(['resumed'])
    await lab.cluster.run(drained)
  })

  it('and does not come is not waited for any longer', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    const resume = { token: tokenOf(first), seq: 0 }
    await tell(lab, first, { type: 'busy', ms: 2_000 })
    first.cut()
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume })
    await lab.cluster.advance(300)
    const beganMs = lab.clock.monotonicMs()
    // It is asked for until then, for a client that has been sent away.
    await lab.cluster.run(lab.drain(lab.at(1), 0))
    expect(lab.clock.monotonicMs() - beganMs).toBeLessThan(3_000)
    // The session has just learned that nobody comes for it.
    expect((await hello(lab, 0, resume)).closed).toBe(1013)
    expect(typesOf(await hello(lab, 0, resume))).toEqual(['resumed'])
  })
})

describe('a move over a slow connection', () => {
  it.each([
    [2_000, 600],
    [2_000, 900],
    [10_000, 3_800],
  ])('with %d ms to connect, where an answer takes %d ms, keeps the session', async (connectTimeoutMs, answerMs) => {
    const lab = await labOf(2, { connectTimeoutMs })
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'pushLater', afterMs: 100, message: 'kept' })
    lab.cluster.network.setLatency('n0', 'n1', answerMs)
    const second = await hello(lab, 1, { token: tokenOf(first), seq: 0 })
    await lab.cluster.advance(connectTimeoutMs)
    expect([typesOf(second), second.messages]).toEqual([['resumed'], ['kept']])
  })
})

describe('a move in whose midst the nodes come apart', () => {
  /** The claim is granted, and its new place knows it; the commit takes 100 ms. */
  async function comeApart(lab: SimLab, lost: 'the commit' | 'its answer') {
    const first = await hello(lab, 0)
    const resume = { token: tokenOf(first), seq: 0 }
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume })
    while (first.closed === undefined) await lab.cluster.advance(1)
    expect(first.closed).toBe(4014)
    const { network } = lab.cluster
    network.setLatency('n1', 'n0', 100)
    await lab.cluster.advance(50)
    network.cut('n0', 'n1')
    if (lost === 'its answer') await lab.cluster.advance(100)
    network.cut('n1', 'n0')
    expect([typesOf(second), second.closed]).toEqual([[], undefined])
    await lab.cluster.advance(6_000)
    return { second, resume }
  }

  it('before the commit has come: the client is told to come later, and the session is where it was', async () => {
    const lab = await labOf(2)
    const { second, resume } = await comeApart(lab, 'the commit')
    expect([second.closed, typesOf(second)]).toEqual([1013, []])
    expect(typesOf(await hello(lab, 0, resume))).toEqual(['resumed'])
  })

  it('after the commit has come: the client is told to come later, and then that the session is gone', async () => {
    const lab = await labOf(2)
    const { second, resume } = await comeApart(lab, 'its answer')
    expect([second.closed, typesOf(second)]).toEqual([1013, []])
    lab.cluster.heal()
    await lab.cluster.advance(30_000)
    const third = await hello(lab, 0, resume)
    expect(typesOf(third)).toEqual(['resume_failed', 'welcome'])
    expect(third.controls[0]).toMatchObject({ why: 'gone', seq: 0 })
  })
})

describe('a move that comes to nothing', () => {
  it('because its commit is late, is fenced, and the session is where it was', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    const place = placeOf(lab, 1, tokenOf(first))
    const claimed = await place.claim(0)
    await lab.cluster.advance(5_500)
    expect(claimed.type === 'claimed' && (await place.commit(claimed.claim))).toEqual({ type: 'fenced' })
    const second = await hello(lab, 2, { token: tokenOf(first), seq: 0 })
    expect(typesOf(second)).toEqual(['resumed'])
  })

  it('because who has claimed it is killed before the commit, leaves the session where it was, at once and not only when the claim is too old', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'register', name: 'ann', policy: 'unique' })
    await lab.cluster.advance(100)
    const place = placeOf(lab, 1, tokenOf(first))
    expect(await place.claim(0)).toMatchObject({ type: 'claimed' })
    lab.crash(lab.at(1))
    await lab.cluster.advance(500)
    // A client that has lost its token, too, has its name: it is not refused for the session that nobody has.
    const second = await hello(lab, 2)
    await tell(lab, second, { type: 'register', name: 'ann', policy: 'unique' })
    await lab.cluster.advance(500)
    expect([second.closed, lab.at(2).names.whereisName('ann')?.node]).toEqual([undefined, lab.at(2).name])
  })

  it('because its owner is killed between the claim and the commit, is told as gone', async () => {
    const lab = await labOf(2)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'slowHandOver', ms: 500 })
    const token = tokenOf(first)
    const second = lab.open(lab.at(1))
    await lab.cluster.settle()
    second.send({ type: 'hello', token: 'ann', resume: { token, seq: 0 } })
    await lab.cluster.advance(250)
    lab.crash(lab.at(0))
    await lab.cluster.advance(1_000)
    expect(typesOf(second)).toEqual(['resume_failed', 'welcome'])
    expect(second.controls[0]).toMatchObject({ why: 'gone', seq: 0 })
  })

  it('because its new place is killed after the commit, is told as gone, by whatever node', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    const token = tokenOf(first)
    const second = await hello(lab, 1, { token, seq: 0 })
    expect(typesOf(second)).toEqual(['resumed'])
    lab.crash(lab.at(1))
    const third = await hello(lab, 2, { token, seq: 0 })
    expect(typesOf(third)).toEqual(['resume_failed', 'welcome'])
  })

  it.each([
    { how: 'throws', handleTakeover: () => Promise.reject(new Error('broken')) },
    { how: 'never ends', handleTakeover: () => new Promise<void>(() => undefined) },
  ])(
    'because handleTakeover $how, leaves nothing there: nobody is sent to a session that is no more',
    async (broken) => {
      class Broken extends SocketSession<SimMessage, unknown, SimPrincipal> {
        override handleTakeover() {
          return broken.handleTakeover()
        }
      }
      const lab = await labOf(2, { session: Broken, connectTimeoutMs: 2_000 })
      const first = await hello(lab, 0)
      const token = tokenOf(first)
      const second = await hello(lab, 1, { token, seq: 0 })
      await lab.cluster.advance(2_000)
      expect([typesOf(second), second.closed]).toEqual([['resumed'], 1011])
      const { node } = lab.at(1)
      const nonce = openToken(node.deriveKeys(keyPurpose(Broken)), token, 'ann')?.nonce ?? Buffer.alloc(0)
      const asked = call<WhereIs, WhereIs>(node, gatewayName(Broken), { type: 'where_is', nonce })
      expect(await lab.cluster.run(asked)).toBeUndefined()
    },
  )

  it('because another one is under way, sends its client away for a moment: one of two with the same token gets the session', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'slowHandOver', ms: 500 })
    const resume = { token: tokenOf(first), seq: 0 }
    const both = [lab.open(lab.at(1)), lab.open(lab.at(2))]
    await lab.cluster.settle()
    for (const socket of both) socket.send({ type: 'hello', token: 'ann', resume })
    await lab.cluster.advance(3_000)
    expect(both.filter(({ closed }) => closed === undefined)).toHaveLength(1)
    expect(lab.running.reduce((sum, { gateway }) => sum + gateway.stats.sessions.attached, 0)).toBe(1)
    const processes = () => lab.at(0).node.counters().processes
    const forwarding = processes()
    await lab.cluster.advance(5_000)
    expect(processes()).toBe(forwarding - 1)
    expect(lab.running.reduce((sum, { gateway }) => sum + gateway.stats.sessions.attached, 0)).toBe(1)
  })
})

describe('a session that has moved, and is in a room', () => {
  const enter = (mood: string): SimMessage => ({ type: 'enter', room: 'hall', meta: { mood } })
  const inHall = (lab: SimLab, index: number) => lab.at(index).groups.members('room:hall').length
  const moved = async (lab: SimLab, index: number, from: SimSocket) => {
    const socket = await hello(lab, index, { token: tokenOf(from), seq: from.messages.length })
    socket.send({ type: 'ack', seq: from.messages.length })
    expect(typesOf(socket)).toEqual(['resumed'])
    return socket
  }

  it('and leaves it, has left it at its former places, too, and hears nothing more of it', async () => {
    const lab = await labOf(3)
    const first = await hello(lab, 0)
    await tell(lab, first, enter('good'))
    const third = await moved(lab, 2, await moved(lab, 1, first))
    expect(inHall(lab, 0)).toBe(3)
    await tell(lab, third, { type: 'leave', room: 'hall' })
    // Before the former places know.
    for (const index of [0, 1, 2]) lab.at(index).gateway.broadcast('hall', 'early')
    await lab.cluster.advance(200)
    expect(lab.running.map((_, index) => inHall(lab, index))).toEqual([0, 0, 0])
    for (const index of [0, 1, 2]) lab.at(index).gateway.broadcast('hall', 'late')
    await lab.cluster.advance(5_000)
    expect(third.messages).toEqual([])
  })

  it('and has left it before it moves on, hears nothing of it from the first of its places', async () => {
    const lab = await labOf(3)
    const second = await moved(lab, 1, await tellFirst(lab, enter('good')))
    second.send([{ type: 'leave', room: 'hall' }])
    lab.at(0).gateway.broadcast('hall', 'early')
    const third = await moved(lab, 2, second)
    await lab.cluster.advance(5_000)
    expect([...second.messages, ...third.messages]).toEqual([])
  })

  it('and comes again to one that it has left, hears what is said there, once', async () => {
    const lab = await labOf(2)
    const second = await moved(lab, 1, await tellFirst(lab, enter('good')))
    await tell(lab, second, { type: 'leave', room: 'hall' }, enter('better'))
    await lab.cluster.advance(100)
    lab.at(0).gateway.broadcast('hall', 'hello')
    await lab.cluster.advance(5_000)
    expect(second.messages).toEqual(['hello'])
  })

  it('is there once, at all times, and nobody who watches is told of its moves', async () => {
    const lab = await labOf(3)
    const watcher = await hello(lab, 2)
    const first = await tellFirst(lab, enter('good'))
    await lab.cluster.advance(100)
    await tell(lab, watcher, { type: 'watch', room: 'hall' })
    const second = await moved(lab, 1, first)
    const third = await moved(lab, 0, second)
    await tell(lab, third, { type: 'present', room: 'hall' }, { type: 'watch', room: 'hall' })
    await lab.cluster.advance(6_000)
    const ann = { id: 'ann', metas: [{ mood: 'good' }] }
    const state = { type: 'presence_state', room: 'hall', present: [ann] }
    expect(watcher.messages).toEqual([state])
    expect(third.messages).toEqual([[ann], state])
  })

  it('and is said to be something else there, is that at once: what its former place was does not count', async () => {
    const lab = await labOf(3)
    const watcher = await hello(lab, 2)
    const first = await tellFirst(lab, enter('good'))
    await lab.cluster.advance(100)
    await tell(lab, watcher, { type: 'watch', room: 'hall' })
    const second = await moved(lab, 1, first)
    await tell(lab, second, enter('better'))
    const diff = { type: 'presence_diff', room: 'hall', joined: [{ id: 'ann', metas: [{ mood: 'better' }] }], left: [] }
    // While its former place is there, and when it is no more.
    for (const ms of [100, 6_000]) {
      await lab.cluster.advance(ms)
      expect(watcher.messages.slice(1)).toEqual([diff])
    }
  })

  it('and watches it, is told anew who is there, and then that it has left itself, once', async () => {
    const lab = await labOf(2)
    const first = await tellFirst(lab, enter('good'), { type: 'watch', room: 'hall' })
    const second = await moved(lab, 1, first)
    await tell(lab, second, { type: 'leave', room: 'hall' })
    await lab.cluster.advance(6_000)
    expect(second.messages.map((message) => (message as SimMessage).type)).toEqual(['presence_state', 'presence_diff'])
    expect(second.messages[1]).toMatchObject({ joined: [], left: ['ann'] })
  })

  async function tellFirst(lab: SimLab, ...messages: SimMessage[]): Promise<SimSocket> {
    const first = await hello(lab, 0)
    await tell(lab, first, ...messages)
    return first
  }
})

it('a drain closes the sockets over thirty seconds, and waits for their sessions for ten, unless other times are given', async () => {
  const lab = await labOf(1)
  const clients = [await hello(lab, 0), await hello(lab, 0), await hello(lab, 0)]
  let isDrained = false
  void lab
    .at(0)
    .gateway.drain()
    .then(() => (isDrained = true))
  for (const [afterMs, closed] of [
    [9_900, 1],
    [200, 2],
    [9_700, 2],
    [300, 3],
    [9_700, 3],
  ] as const) {
    await lab.cluster.advance(afterMs)
    expect(clients.filter((client) => client.closed === 1012)).toHaveLength(closed)
    expect(isDrained).toBe(false)
  }
  await lab.cluster.advance(3_000)
  expect(isDrained).toBe(true)
})
