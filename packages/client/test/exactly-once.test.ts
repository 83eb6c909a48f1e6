/**
 * PURPOSE: whatever is lost on the way, and whenever, each message of either side arrives exactly once and in order, or a gap is announced.
 *
 * INVARIANTS, of random histories of messages, cuts, silences, resumes, lost answers and sessions that end:
 * - The client hears of a session 1, 2, 3, … without a hole, and of the next one only after a gap.
 * - The gateway's sessions handle the client's messages in order, none twice.
 * - Messages that no session has handled are at most as many as the gaps have said.
 * - The client does nothing that the gateway would close with 4400: no ack of what was not sent, none that goes back.
 * - In the end, when the network works, everything has arrived.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bench, type Bench } from './fakes.ts'
import { ModelGateway, Wire } from './model-gateway.ts'

const act = fc.oneof(
  { weight: 5, arbitrary: fc.constant('send' as const) },
  { weight: 5, arbitrary: fc.constant('push' as const) },
  { weight: 10, arbitrary: fc.constant('toGateway' as const) },
  { weight: 10, arbitrary: fc.constant('toClient' as const) },
  { weight: 3, arbitrary: fc.constantFrom('cut' as const, 'silence' as const, 'wake' as const) },
  { weight: 4, arbitrary: fc.constant('second' as const) },
  { weight: 2, arbitrary: fc.constant('halfMinute' as const) },
  { weight: 1, arbitrary: fc.constant('end' as const) },
)
type Act = 'send' | 'push' | 'toGateway' | 'toClient' | 'cut' | 'silence' | 'wake' | 'second' | 'halfMinute' | 'end'

class History {
  readonly gateway = new ModelGateway()
  /** What listeners have found wrong. */
  readonly problems: unknown[] = []
  readonly bench: Bench = bench({
    urls: ['ws://a/', 'ws://b/'],
    maxMessagesPerSecond: 3,
    onError: (error) => void this.problems.push(error),
  })
  readonly gaps: number[] = []
  resumes = 0
  accepted = 0
  private wires: Wire[] = []
  private heard = { session: -1, seq: 0 }
  private isNew = true

  constructor() {
    const { client } = this.bench
    client.on('gap', ({ unconfirmed }) => {
      this.gaps.push(unconfirmed)
      this.isNew = true
    })
    client.on('open', ({ isResumed }) => {
      if (isResumed) this.resumes++
      // A session that begins without a gap is the first.
      else expect(this.isNew).toBe(true)
      this.isNew = false
      if (!isResumed) this.heard = { session: -1, seq: 0 }
    })
    client.on('message', (message, seq) => {
      const [session = -1, number] = String(message).split(':').map(Number)
      expect(number).toBe(this.heard.seq + 1)
      expect(seq).toBe(number)
      if (this.heard.seq > 0) expect(session).toBe(this.heard.session)
      this.heard = { session, seq }
    })
  }

  do(what: Act): void {
    const { client, clock } = this.bench
    this.connectAll()
    const wire = this.wires.at(-1)
    switch (what) {
      case 'send':
        if (['sent', 'queued'].includes(client.send(this.accepted))) this.accepted++
        return
      case 'push':
        for (const session of this.gateway.sessions) this.gateway.push(session)
        return
      case 'toGateway':
        // Also of sockets that the client has given up: what they still carry may come late.
        for (const one of this.wires) this.gateway.takeFrom(one)
        return
      case 'toClient':
        for (const one of this.wires) this.toClient(one)
        return
      case 'cut':
        if (wire !== undefined) this.cut(wire)
        return
      case 'silence':
        if (wire?.is === 'up') wire.is = 'silent'
        return
      case 'wake':
        return client.wake()
      case 'second':
        return clock.advance(1_000)
      case 'halfMinute':
        return clock.advance(30_000)
      case 'end': {
        const session = this.gateway.sessions.at(-1)
        if (session === undefined) return
        const { wire: its } = session
        this.gateway.end(session)
        if (its !== undefined) this.cut(its)
      }
    }
  }

  /** The network works, and everything is on its way. */
  settle(): void {
    // What waits for its turn lets no more than a second pass.
    let quietRounds = 0
    for (let round = 0; round < 1_000; round++) {
      this.connectAll()
      for (const wire of this.wires) if (wire.is === 'silent') this.cut(wire)
      const isQuiet = this.wires.every((wire) => !wire.hasNext && (wire.is !== 'up' || wire.toClient.length === 0))
      this.do('toGateway')
      this.do('toClient')
      const isOpen = this.bench.client.state === 'open'
      quietRounds = isOpen && isQuiet ? quietRounds + 1 : 0
      if (quietRounds > 10) return
      this.bench.clock.advance(isOpen ? 100 : 10_000)
    }
    throw new Error('it does not come to rest')
  }

  check(): void {
    const { gateway, bench: own } = this
    expect(this.problems).toEqual([])
    expect(gateway.faults).toEqual([])
    const current = gateway.sessions.find(({ wire }) => wire !== undefined && wire === this.wires.at(-1))
    expect(own.client.seq).toBe(current?.last)
    const handled = gateway.sessions.flatMap((session) => session.handled as number[])
    expect(handled).toEqual([...new Set(handled)].toSorted((a, b) => a - b))
    const unhandled = this.accepted - handled.length
    expect(unhandled).toBeLessThanOrEqual(this.gaps.reduce((sum, unconfirmed) => sum + unconfirmed, 0))
  }

  private connectAll(): void {
    for (const socket of this.bench.sockets.slice(this.wires.length)) this.wires.push(new Wire(socket))
    for (const wire of this.wires) {
      if (wire.is !== 'opening') continue
      wire.is = 'up'
      if (wire.socket.closedWith === undefined) wire.socket.opens()
    }
  }

  private toClient(wire: Wire): void {
    if (wire.is === 'up' && wire.toClient.length > 0) wire.socket.says(wire.toClient.shift())
  }

  private cut(wire: Wire): void {
    wire.is = 'down'
    this.gateway.lose(wire)
    wire.socket.closes()
  }
}

describe('a session over a network that loses', () => {
  it('has each message of either side exactly once, or tells of a gap', () => {
    const seen = { gaps: 0, resumes: 0 }
    fc.assert(
      fc.property(fc.array(act, { minLength: 40, maxLength: 250, size: 'max' }), (acts) => {
        const history = new History()
        for (const what of acts) history.do(what)
        history.settle()
        history.check()
        seen.gaps += history.gaps.length
        seen.resumes += history.resumes
      }),
      { numRuns: 500 },
    )
    // The histories are such as have something to show.
    expect(seen.gaps).toBeGreaterThan(200)
    expect(seen.resumes).toBeGreaterThan(500)
  })

  it('goes on with the token that it has if the answer to a resume is lost', () => {
    const history = new History()
    const settled = ['toGateway', 'toClient'] as const
    for (const what of [...settled, 'send', 'push', ...settled, 'cut', 'second'] as const) history.do(what)
    // The gateway has resumed, and the client doesn't know.
    for (const what of ['toGateway', 'cut', 'second', 'push'] as const) history.do(what)
    history.settle()
    history.check()
    expect(history.gaps).toEqual([])
    expect(history.resumes).toBe(1)
  })
})
