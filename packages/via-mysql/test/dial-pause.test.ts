import { describe, expect, it } from 'vitest'
import { Connections } from '../src/connections.ts'
import { DialPause } from '../src/dial-pause.ts'
import type { Session } from '../src/session.ts'

describe('the pause before a server is dialed again that is too slow to greet', () => {
  it('grows with each handshake that was broken off, up to fifteen seconds, and is of random length', () => {
    for (const [random, part] of [
      [1, 1],
      [0, 0.5],
    ] as const) {
      const pause = new DialPause(() => random)
      const pauses = Array.from({ length: 12 }, (_, n) => {
        const nowMs = n * 100_000
        pause.brokenOff(nowMs, nowMs)
        return pauseOf(pause, nowMs)
      })
      const longest = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000, 15_000]
      expect(pauses).toEqual(longest.map((ms) => ms * part))
    }
  })

  it('says since when it was so, how often, and until when nothing is dialed', () => {
    const pause = new DialPause(() => 1)
    pause.brokenOff(1_000, 0)
    pause.brokenOff(3_000, 2_000)
    expect(() => pause.check(3_040)).toThrow('since 2040 ms, 2 times: it is dialed again in 60 ms')
    expect(() => pause.check(3_100)).not.toThrow()
  })

  it('is not longer for handshakes that were begun before it: they say nothing new', () => {
    const pause = new DialPause(() => 1)
    for (let n = 0; n < 10; n++) pause.brokenOff(1_000 + n, n)
    expect(() => pause.check(1_040)).toThrow('since 40 ms, 10 times: it is dialed again in 10 ms')
    expect(() => pause.check(1_050)).not.toThrow()
    pause.brokenOff(2_000, 1_050)
    expect(pauseOf(pause, 2_000)).toBe(100)
  })

  it('is over, and the first one again, when one has succeeded', () => {
    const pause = new DialPause(() => 1)
    for (let n = 0; n < 20; n++) pause.brokenOff(0, 0)
    pause.succeeded()
    expect(() => pause.check(0)).not.toThrow()
    expect(pause.isWary).toBe(false)
    pause.brokenOff(0, 0)
    expect(pauseOf(pause, 0)).toBe(50)
  })

  function pauseOf(pause: DialPause, nowMs: number): number {
    const told = (): void => pause.check(nowMs)
    expect(told).toThrow(/dialed again in \d+ ms$/)
    try {
      told()
    } catch (error) {
      return Number(/in (\d+) ms$/.exec((error as Error).message)?.[1])
    }
    return 0
  }
})

/** Sessions that greet when they are told to, or never. */
class Server {
  readonly opened: Session[] = []
  isSilent = false
  isReached = true

  readonly connections: Connections

  constructor(size: number = 2) {
    this.connections = new Connections({
      size,
      open: () => this.open(),
      prepare: (_session, untilMs) => this.greet(untilMs),
      pause: new DialPause(() => 1),
    })
  }

  /** A call that has so much time. */
  call(ms: number): Promise<string> {
    return this.connections
      .use(performance.now() + ms, () => Promise.resolve('done'))
      .catch((error: Error) => error.message)
  }

  private open(): Session {
    const session: Partial<Session> = {
      isUsable: false,
      isBrokenOff: this.isSilent && this.isReached,
      destroy: () => undefined,
      end: () => Promise.resolve(),
    }
    this.opened.push(session as Session)
    return session as Session
  }

  private async greet(untilMs: number): Promise<void> {
    await new Promise(setImmediate)
    if (!this.isSilent) return
    await new Promise((resolve) => setTimeout(resolve, untilMs - performance.now() + 1))
    throw new Error('late')
  }
}

describe('a server that takes connections and does not greet', () => {
  it('is not dialed in the pause after that: calls fail at once, and say so', async () => {
    const server = new Server()
    server.isSilent = true
    expect(await server.call(5)).toBe('late')
    const messages = await Promise.all(Array.from({ length: 10 }, () => server.call(1_000)))
    expect(new Set(messages.map((message) => message.replace(/\d+ ms/g, '… ms')))).toEqual(
      new Set(['it takes connections, and has not greeted in time since … ms, 1 times: it is dialed again in … ms']),
    )
    expect(server.opened).toHaveLength(1)
  })

  it('is dialed once at a time then; when it greets, all who have waited for that go on', async () => {
    const server = new Server()
    server.isSilent = true
    expect(await server.call(5)).toBe('late')
    await new Promise((resolve) => setTimeout(resolve, 60))
    const messages = await Promise.all([server.call(5), server.call(1_000)])
    expect(messages[0]).toBe('late')
    expect(messages[1]).toContain('2 times')
    expect(server.opened).toHaveLength(2)
    server.isSilent = false
    await new Promise((resolve) => setTimeout(resolve, 110))
    expect(await Promise.all([server.call(5_000), server.call(5_000)])).toEqual(['done', 'done'])
  })

  it('is dialed again as soon after that if many calls had dialed at once', async () => {
    const server = new Server(16)
    server.isSilent = true
    const messages = await Promise.all(Array.from({ length: 16 }, () => server.call(5)))
    expect(new Set(messages)).toEqual(new Set(['late']))
    server.isSilent = false
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(await server.call(1_000)).toBe('done')
  })

  it('is dialed at each call if it was not reached at all: it has counted nothing', async () => {
    const server = new Server()
    server.isSilent = true
    server.isReached = false
    for (let n = 0; n < 3; n++) expect(await server.call(2)).toBe('late')
    expect(server.opened).toHaveLength(3)
  })
})
