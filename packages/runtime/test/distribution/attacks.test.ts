/**
 * What means no good, one thing after the other: each ends in a closed link, a counter and a log line, and nothing else. On the memory transport, so that what waits
 * for seconds takes none; hostile-peer.test.ts has the same over gRPC.
 */
import { handler, type Node, type NodeCounters, type NodeName, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Cookies } from '../../src/distribution/cookies.ts'
import {
  PROTOCOL_VERSIONS,
  startDialer,
  startListener,
  stepHandshake,
  type HandshakeConfig,
  type HandshakeEffect,
  type HandshakeState,
} from '../../src/distribution/handshake.ts'
import { nodeName } from '../../src/ids.ts'
import type { Link, LinkEvents } from '../../src/ports.ts'
import { FrameCodec } from '../../src/wire/codec.ts'
import type { HandshakeMessage } from '../../src/wire/frame.ts'
import { TermCodec } from '../../src/wire/term.ts'
import { FakeDiscovery } from '../discovery/fake-discovery.ts'
import { rawSignals, viewOf } from '../wire/raw-frames.ts'

const COOKIE = 'test-cookie'
const terms = new TermCodec()
const codec = new FrameCodec(terms)

/** One end of a link that does what its test tells it. */
class Stranger implements LinkEvents {
  link: Link | undefined = undefined
  isUp = false
  isOver = false
  readonly heard: HandshakeMessage[] = []
  private readonly config: HandshakeConfig
  private state: HandshakeState

  /** `cookie` undefined: takes no step of a handshake by itself. */
  constructor(cookie: string | undefined, name = 'evil@127.0.0.1') {
    this.config = {
      self: { name: nodeName(name), incarnation: 1 },
      cookies: new Cookies([cookie ?? 'none']),
      nonce: new Uint8Array(32).fill(7),
      address: '127.0.0.1:666',
      versions: PROTOCOL_VERSIONS,
      isHidden: false,
      tickMs: 1_000,
      prove: () => 'prove',
      admit: () => 'admit',
    }
    this.state = cookie === undefined ? { type: 'done' } : startListener()
  }

  dial(link: Link): void {
    this.link = link
    if (this.state.type === 'done') return
    const { state, effects } = startDialer(this.config)
    this.state = state
    this.apply(effects)
  }

  onFrame(bytes: Uint8Array): void {
    const frame = codec.decode(bytes)
    if (frame.type !== 'handshake') return
    this.heard.push(frame.message)
    if (this.state.type === 'done') return
    const { state, effects } = stepHandshake(this.state, frame.message, this.config)
    this.state = state
    this.apply(effects)
  }

  onEnd(): void {
    this.isOver = true
  }

  say(message: HandshakeMessage): void {
    this.link?.send(codec.encode({ type: 'handshake', message }))
  }

  hello(name = 'evil@127.0.0.1'): void {
    this.say({
      type: 'hello',
      version: PROTOCOL_VERSIONS.newest,
      oldestVersion: PROTOCOL_VERSIONS.oldest,
      node: { name: nodeName(name), incarnation: 1 },
      nonce: new Uint8Array(32).fill(7),
      address: '127.0.0.1:666',
      isHidden: false,
      tickMs: 1_000,
    })
  }

  private apply(effects: readonly HandshakeEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.say(effect.message)
      if (effect.type === 'up') this.isUp = true
    }
  }
}

let cluster: TestCluster
let a: Node
let b: Node
let echo: Pid
let before: NodeCounters

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
  b = await cluster.start('b')
  await cluster.advance(100)
  echo = a.spawn(handler((self) => (replyTo) => void self.send(replyTo as never, 'here')))
  before = a.counters()
})

afterEach(async () => {
  await cluster.stop()
})

function dial(stranger: Stranger): Stranger {
  stranger.dial(cluster.network.transport('evil').dial(a.address, stranger))
  return stranger
}

/** The counters that have changed, of those that tell of connections. */
function changes(): Partial<Record<keyof NodeCounters, number>> {
  const after = a.counters()
  const names = [
    'connectionsLost',
    'protocolErrors',
    'handshakesRefused',
    'handshakesTimedOut',
    'handshakesMalformed',
    'handshakesEvicted',
  ] as const
  const changed = names.filter((name) => after[name] !== before[name])
  return Object.fromEntries(changed.map((name) => [name, after[name] - before[name]]))
}

/** Lines of node a that an operator sees, as `message field`. */
function lines(field: string): string[] {
  return (
    cluster.log.lines
      .filter(({ level, fields }) => (level === 'warn' || level === 'error') && fields['node'] === a.name)
      // That the connection has ended is told of each.
      .filter(({ message }) => message !== 'node down')
      .map(({ message, fields }) => `${message}: ${String(fields[field])}`)
  )
}

async function expectUnharmed(processes = before.processes): Promise<void> {
  expect(a.nodes()).toEqual([b.name])
  expect(await cluster.run(b.request(echo, (replyTo) => replyTo, 2_000))).toEqual({ type: 'reply', value: 'here' })
  expect(a.processes().length).toBe(processes)
}

describe('without the cookie', () => {
  it('a wrong HMAC is refused', async () => {
    const stranger = dial(new Stranger('another cookie'))
    await cluster.advance(100)
    expect(stranger.isOver).toBe(true)
    expect(changes()).toEqual({ handshakesRefused: 1 })
    expect(lines('code')).toEqual(['connection not made: bad_cookie'])
    await expectUnharmed()
  })

  it('an HMAC of another connection, replayed, is refused', async () => {
    const genuine = dial(new Stranger(COOKIE))
    let proof: HandshakeMessage | undefined
    const say = genuine.say.bind(genuine)
    genuine.say = (message) => {
      if (message.type === 'proof') proof = message
      say(message)
    }
    await cluster.advance(100)
    expect(genuine.isUp).toBe(true)
    genuine.link?.close()
    await cluster.advance(100)
    before = a.counters()
    cluster.log.lines.length = 0
    const replaying = dial(new Stranger(undefined))
    replaying.hello()
    await cluster.advance(10)
    expect(proof?.type).toBe('proof')
    if (proof !== undefined) replaying.say(proof)
    await cluster.advance(100)
    expect(replaying.isOver).toBe(true)
    expect(changes()).toEqual({ handshakesRefused: 1 })
    expect(lines('code')).toEqual(['connection not made: bad_cookie'])
    await expectUnharmed()
  })

  it("a node's own HMAC, reflected to it, is refused", async () => {
    const transport = cluster.network.transport('evil')
    const listening = new Stranger(undefined)
    const address = await transport.listen('127.0.0.1:0', (link) => {
      listening.link = link
      return listening
    })
    const dialing = cluster.begin('c', { seeds: [address] })
    dialing.catch(() => undefined)
    await cluster.advance(10)
    expect(listening.heard.map(({ type }) => type)).toEqual(['hello'])
    listening.say({
      type: 'challenge',
      version: PROTOCOL_VERSIONS.newest,
      node: { name: nodeName('evil@127.0.0.1'), incarnation: 1 },
      nonce: new Uint8Array(32),
    })
    await cluster.advance(10)
    const proof = listening.heard.find((message) => message.type === 'proof')
    expect(proof).toBeDefined()
    if (proof?.type === 'proof')
      listening.say({ type: 'accepted', mac: proof.mac, address: '127.0.0.1:666', isHidden: false, tickMs: 1_000 })
    await cluster.advance(10)
    await expect(cluster.run(dialing)).rejects.toMatchObject({ code: 'ERR_BAD_COOKIE' })
    expect(listening.isOver).toBe(true)
    await expectUnharmed()
  })

  describe('who listens at a seed', () => {
    /** Answers each hello so, and each proof, or leaves that dial lying about; says where. */
    async function listen(
      answer: HandshakeMessage,
      toProof?: HandshakeMessage,
    ): Promise<{ readonly seed: string; stop(): Promise<void> }> {
      const transport = cluster.network.transport('evil')
      const seed = await transport.listen('127.0.0.1:0', (link) => {
        const stranger = new Stranger(undefined)
        stranger.link = link
        stranger.onFrame = (bytes) => {
          const frame = codec.decode(bytes)
          if (frame.type !== 'handshake') return
          if (frame.message.type === 'hello') stranger.say(answer)
          else if (toProof !== undefined) stranger.say(toProof)
        }
        return stranger
      })
      return { seed, stop: () => transport.stop() }
    }

    const challenge = (name: NodeName, incarnation: number): HandshakeMessage => ({
      type: 'challenge',
      version: PROTOCOL_VERSIONS.newest,
      node: { name, incarnation },
      nonce: new Uint8Array(32),
    })

    const lies: Record<string, () => HandshakeMessage> = {
      'the node that is connected': () => challenge(b.name, b.incarnation),
      'another life of a node that is connected': () => challenge(b.name, 7),
      'the node that was disconnected on purpose': () => challenge(a.name, a.incarnation),
      'the very node that has dialed': () => ({ type: 'refused', code: 'self', versions: undefined }),
      'connected already': () => ({ type: 'refused', code: 'already_connected', versions: undefined }),
    }

    it.each([
      ['its life', 2_500],
      ['another life', 100],
    ] as const)(
      'and holds the dial as a node that dials us, %s, keeps that one out for %i ms at most',
      async (which, ms) => {
        const discovery = new FakeDiscovery()
        const c = await cluster.start('c', { seeds: [], discovery })
        const incarnation = which === 'its life' ? c.incarnation : 7
        const seeds: string[] = []
        for (let rogue = 0; rogue < 3; rogue++) {
          const { seed } = await listen(challenge(c.name, incarnation))
          seeds.push(seed)
        }
        // Its name is the greater, so that its own dial would win. By now its dials are out of step: there is always one.
        const w = await cluster.start('w', { seeds })
        await cluster.advance(20_000)
        expect(w.nodes()).toEqual([])
        discovery.tell(w.address)
        await cluster.advance(ms)
        expect(w.nodes()).toEqual([c.name])
      },
    )

    it.each(Object.entries(lies))(
      'and says that it is %s keeps nobody else out who is there later',
      async (_what, lie) => {
        const { seed, stop } = await listen(lie(), { type: 'refused', code: 'simultaneous', versions: undefined })
        const w = await cluster.start('w', { seeds: [a.address, b.address, seed] })
        await cluster.advance(100)
        w.disconnectNode(a.name)
        await cluster.advance(30_000)
        expect(w.nodes()).toEqual([b.name])
        await stop()
        const y = await cluster.start('y', { seeds: [], port: Number(seed.split(':')[1]) })
        await cluster.advance(12_000)
        expect(w.nodes()).toContain(y.name)
      },
    )
  })

  it.each(['challenge', 'accepted', 'proof'] as const)(
    'who begins with a step that is not its own, %s, is refused',
    async (type) => {
      const stranger = dial(new Stranger(undefined))
      const mac = new Uint8Array(32)
      const node = { name: nodeName('evil@127.0.0.1'), incarnation: 1 }
      if (type === 'challenge') stranger.say({ type, version: PROTOCOL_VERSIONS.newest, node, nonce: mac })
      else if (type === 'accepted')
        stranger.say({ type, mac, address: '127.0.0.1:666', isHidden: false, tickMs: 1_000 })
      else stranger.say({ type, mac })
      await cluster.advance(100)
      expect(stranger.isOver).toBe(true)
      expect(changes()).toEqual({ handshakesRefused: 1 })
      expect(lines('code')).toEqual(['connection not made: protocol'])
      await expectUnharmed()
    },
  )

  it.each([false, true])('who says nothing (after hello: %s) is cut off after five seconds', async (says) => {
    const stranger = dial(new Stranger(undefined))
    if (says) stranger.hello()
    await cluster.advance(4_900)
    expect(stranger.isOver).toBe(false)
    await cluster.advance(200)
    expect(stranger.isOver).toBe(true)
    expect(changes()).toEqual({ handshakesTimedOut: 1 })
    expect(lines('type')).toEqual(['connection not made: handshake_timeout'])
    await expectUnharmed()
  })

  it('who leaves 1,000 connections in their handshake keeps nobody out, and fills no log', async () => {
    const strangers = Array.from({ length: 1_000 }, () => dial(new Stranger(undefined)))
    for (const stranger of strangers) stranger.hello()
    await cluster.advance(100)
    expect(strangers.filter(({ isOver }) => isOver)).toHaveLength(744)
    expect(changes()).toEqual({ handshakesEvicted: 744 })
    expect(lines('level')).toHaveLength(100)
    await expectUnharmed()
    const newcomer = await cluster.start('c')
    expect(newcomer.nodes()).toContain(a.name)
    await cluster.run(newcomer.stop())
    await cluster.advance(6_000)
    expect(strangers.every(({ isOver }) => isOver)).toBe(true)
    expect(changes()).toMatchObject({ handshakesTimedOut: 255 })
  })

  const early: Record<string, Uint8Array> = {
    'three kilobytes': new Uint8Array(3_000),
    'no frame at all': new Uint8Array(100).fill(0xff),
    'nothing, as a frame': new Uint8Array(0),
    'a signal': rawSignals({ exit: { from: 1, to: 1, reason: viewOf(terms.encode('kill')) } }),
    'a tick': codec.encode({ type: 'control', message: { type: 'tick', heardAgeMs: 0 } }),
  }

  it.each(Object.entries(early))('who sends %s before a handshake is cut off', async (_what, frame) => {
    const stranger = dial(new Stranger(undefined))
    stranger.link?.send(frame)
    await cluster.advance(100)
    expect(stranger.isOver).toBe(true)
    expect(changes()).toEqual({ handshakesMalformed: 1 })
    expect(lines('type')).toEqual(['connection not made: malformed'])
    await expectUnharmed()
  })
})

describe('with the cookie', () => {
  async function intrude(): Promise<Stranger> {
    const intruder = dial(new Stranger(COOKIE))
    await cluster.advance(50)
    expect(a.nodes()).toContain('evil@127.0.0.1')
    before = a.counters()
    return intruder
  }

  const payload = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
  const term = (bytes: Uint8Array): Uint8Array => rawSignals({ send: { from: 1, to: 1, payload: bytes } })
  const deep = new Uint8Array(10_000).fill(0x81)
  const poison: Record<string, Uint8Array> = {
    'a frame of two megabytes': new Uint8Array(2 * 1024 * 1024).fill(0x1a),
    'a term of 10,000 levels': term(deep),
    'a term whose length lies': term(payload(0x9a, 0xff, 0xff, 0xff, 0xff)),
    'a term of an unknown tag': term(payload(0xd9, 0xff, 0x01, 1)),
    'a context of more than 2 KiB': rawSignals({
      send: { from: 1, to: 1, payload: payload(1), context: new Uint8Array(2_049) },
    }),
    'a term that changes a prototype': term(payload(0xa1, 0x69, ...Buffer.from('__proto__'), 0xa0)),
    'one message to more than may be named': rawSignals({
      sendMany: { from: 1, to: new Array<number>(65_537).fill(1), payload: payload(1) },
    }),
    'a small part that is not the last': codec.encode({ type: 'part', transfer: 0, bytes: payload(1), last: false }),
    'a frame whose length lies': payload(0x1a, 0x7f, 0x0a),
    'a signal whose length lies': payload(0x1a, 0x04, 0x0a, 0x7f, 0x0a, 0x00),
    'a signal of an unknown kind': payload(0x1a, 0x04, 0x0a, 0x02, 0x7a, 0x00),
    'a frame of an unknown layer': payload(0x2a, 0x00),
    'a process that can not be': rawSignals({ send: { from: -1, to: 1, payload: payload(1) } }),
    'a reason that is none': rawSignals({ exit: { from: 1, to: 1, reason: viewOf(terms.encode(7)) } }),
    'a handshake, once more': codec.encode({ type: 'handshake', message: { type: 'proof', mac: new Uint8Array(32) } }),
    'a part of a transfer that can not be': codec.encode({
      type: 'part',
      transfer: 99,
      bytes: payload(1),
      last: false,
    }),
    'a part of nothing': codec.encode({ type: 'part', transfer: 0, bytes: payload(), last: false }),
    'a large signal that is none': codec.encode({ type: 'part', transfer: 0, bytes: payload(1, 2, 3), last: true }),
    'a tick from the future': codec.encode({ type: 'control', message: { type: 'tick', heardAgeMs: -1 } }),
  }

  it.each(Object.entries(poison))('who sends %s is cut off', async (_what, frame) => {
    const intruder = await intrude()
    intruder.link?.send(frame)
    await cluster.advance(50)
    expect(intruder.isOver).toBe(true)
    expect(changes()).toEqual({ protocolErrors: 1, connectionsLost: 1 })
    expect(lines('peer')).toEqual(['peer broke the protocol: evil@127.0.0.1'])
    await expectUnharmed()
  })

  it('no attack: a dialer that refuses when it has been accepted, for it was dialed meanwhile, ends a connection and breaks no rule', async () => {
    const dialer = await intrude()
    dialer.say({ type: 'refused', code: 'already_connected', versions: undefined })
    await cluster.advance(50)
    expect(dialer.isOver).toBe(true)
    expect(changes()).toEqual({ connectionsLost: 1 })
    expect(lines('peer')).toEqual([])
    await expectUnharmed()
  })

  it('who sends parts without an end is cut off at the size that a signal may have', async () => {
    const intruder = await intrude()
    const part = codec.encode({ type: 'part', transfer: 0, bytes: new Uint8Array(60 * 1024), last: false })
    for (let parts = 0; parts < 200; parts++) intruder.link?.send(part)
    await cluster.advance(50)
    expect(intruder.isOver).toBe(true)
    expect(changes()).toEqual({ protocolErrors: 1, connectionsLost: 1 })
    await expectUnharmed()
  })

  it('who takes the process of another node for its own is taken for what it is: its signals are from its own processes', async () => {
    const seen: unknown[] = []
    const there = b.spawn(handler(() => () => undefined))
    const here = a.spawn(
      handler((self) => {
        self.trapExit = true
        self.link(there)
        self.monitor(there)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(50)
    const intruder = await intrude()
    const reason = viewOf(terms.encode('killed by another'))
    intruder.link?.send(
      rawSignals(
        { linkExit: { from: there.id, to: here.id, reason } },
        ...Array.from({ length: 50 }, (_, ref) => ({ down: { from: there.id, ref: ref + 1, reason } })),
        { exit: { from: there.id, to: here.id, reason } },
      ),
    )
    await cluster.advance(50)
    expect(seen).toMatchObject([{ type: 'EXIT', reason: 'killed by another', from: { node: 'evil@127.0.0.1' } }])
    expect(b.isProcessAlive(there)).toBe(true)
    intruder.link?.close()
    a.exit(here, 'kill')
    await cluster.advance(50)
    await expectUnharmed(before.processes - 1)
  })

  it('who ticks but never reads is cut off after ten seconds, and costs nobody else anything', async () => {
    const intruder = await intrude()
    const sink = { name: 'sink', node: nodeName('evil@127.0.0.1') }
    cluster.network.cut('a', 'evil')
    a.send(sink, new Uint8Array(100_000))
    const started = cluster.clock.monotonicMs()
    while (a.nodes().includes(nodeName('evil@127.0.0.1')) && cluster.clock.monotonicMs() - started < 20_000) {
      intruder.link?.send(codec.encode({ type: 'control', message: { type: 'tick', heardAgeMs: 0 } }))
      expect(await cluster.run(b.request(echo, (replyTo) => replyTo, 2_000))).toEqual({ type: 'reply', value: 'here' })
      await cluster.advance(500)
    }
    expect(cluster.clock.monotonicMs() - started).toBeGreaterThanOrEqual(10_000)
    expect(cluster.clock.monotonicMs() - started).toBeLessThan(12_000)
    expect(changes()).toEqual({ connectionsLost: 1 })
    expect(lines('why')).toEqual(['peer takes nothing of what is sent to it: no_progress'])
    cluster.heal()
    await expectUnharmed()
  })

  it('who has the name of a node that is connected is refused, and so is who has our own', async () => {
    for (const name of ['b@127.0.0.1', 'a@127.0.0.1']) {
      before = a.counters()
      const stranger = dial(new Stranger(COOKIE, name))
      await cluster.advance(100)
      expect(stranger.isOver).toBe(true)
      expect(changes()).toEqual({ handshakesRefused: 1 })
    }
    expect(lines('code')).toEqual(['connection not made: duplicate_name', 'connection not made: duplicate_name'])
    await expectUnharmed()
  })

  it('what is sent to one who is gone is gone: a link that has ended says nothing more, whatever still arrives on it', async () => {
    const intruder = await intrude()
    const seen: unknown[] = []
    const sink = a.spawn(handler(() => (message) => void seen.push(message)))
    const frame = rawSignals({ send: { from: 1, to: sink.id, payload: viewOf(terms.encode('late')) } })
    intruder.link?.send(codec.encode({ type: 'control', message: { type: 'goodbye', reason: 'shutdown' } }))
    intruder.link?.send(frame)
    await cluster.advance(50)
    expect(a.nodes()).toEqual([b.name])
    expect(seen).toEqual([])
  })
})

describe('contexts of messages', () => {
  const contextOf = (term: unknown): Uint8Array =>
    rawSignals({ send: { from: 1, to: 1, payload: Uint8Array.of(1), context: viewOf(terms.encode(term)) } })
  const bad: Record<string, Uint8Array> = {
    'bytes that are no term': rawSignals({
      send: { from: 1, to: 1, payload: Uint8Array.of(1), context: Uint8Array.of(0xff) },
    }),
    'a text': contextOf('text'),
    'a list': contextOf(['text']),
    'bytes in place of a text': contextOf({ text: Uint8Array.of(7) }),
    'other than texts': contextOf({ depth: { of: 'text' } }),
    'more than 1 KiB': contextOf({ text: 'x'.repeat(1_025) }),
    'more than 32 names': contextOf(Object.fromEntries(Array.from({ length: 33 }, (_, name) => [`${name}`, '']))),
  }

  async function intruderAt(node: Node): Promise<Stranger> {
    const intruder = new Stranger(COOKIE, 'evil@127.0.0.1')
    intruder.dial(cluster.network.transport('evil').dial(node.address, intruder))
    await cluster.advance(50)
    expect(node.nodes()).toContain('evil@127.0.0.1')
    return intruder
  }

  it.each(Object.entries(bad))(
    '%s: the connection is closed by who would use it, and by nobody else',
    async (_what, frame) => {
      const propagation = { capture: () => undefined, run: (_carrier: unknown, run: () => void) => run() }
      const c = await cluster.start('c', { propagation, seeds: [] })
      const intruder = await intruderAt(c)
      intruder.link?.send(frame)
      await cluster.advance(50)
      expect(intruder.isOver).toBe(true)
      expect(c.counters().protocolErrors).toBe(1)
      const other = await intruderAt(a)
      other.link?.send(frame)
      await cluster.advance(50)
      expect(other.isOver).toBe(false)
    },
  )
})
