/**
 * The clients of a gateway, in a process of their own: see load.ts.
 */
import { answer } from './child.ts'
import { Client, ReadBuffer } from './client.ts'
import type { Expected, Opening, Received, Roaming } from './load.ts'
import { monotonicUs } from './clock.ts'

/** In the last bytes of a message, whatever is around it. */
const SENT_AT = /"at":(\d+)/
const SENT_AT_WITHIN_BYTES = 32

class LoadProgram {
  private readonly buffer = new ReadBuffer()
  private clients: Client[] = []
  private expected: Expected = { messages: 0, latencies: false }
  private received = 0
  private lastUs = 0
  private latenciesUs: number[] = []
  private failed: Error | undefined = undefined
  private roaming: Roaming | undefined = undefined
  /** Users that have lost their connection and have no other yet. */
  private away: number[] = []
  private connecting = 0
  private returned = 0
  private onReturned: () => void = () => undefined
  private onAll: () => void = () => undefined
  private onFailed: (error: Error) => void = () => undefined

  /** From the first connect until the last is registered. */
  async open({ count, atOnce, ...opening }: Opening): Promise<number> {
    const startUs = monotonicUs()
    let next = 0
    const openNext = async (): Promise<void> => {
      while (next < count) await this.openOne(opening, next++)
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, openNext))
    return (monotonicUs() - startUs) / 1_000
  }

  roam(roaming: Roaming): void {
    this.roaming = roaming
    this.returned = 0
  }

  /** Resolves with the time at which so many have come back. */
  async roamed(count: number): Promise<number> {
    while (this.returned < count) {
      if (this.failed !== undefined) throw this.failed
      await new Promise<void>((resolve) => (this.onReturned = resolve))
    }
    return monotonicUs()
  }

  private comeBack(roaming: Roaming): void {
    const { ports, atOnce, ...opening } = roaming
    while (this.connecting < atOnce) {
      const user = this.away.shift()
      const port = ports[(user ?? 0) % ports.length]
      if (user === undefined || port === undefined) return
      this.connecting++
      void this.comeBackAs(user, { ...opening, port }, roaming)
    }
  }

  private async comeBackAs(user: number, opening: Omit<Opening, 'count' | 'atOnce'>, roaming: Roaming): Promise<void> {
    try {
      await this.openOne(opening, user)
      this.connecting--
      this.returned++
      this.comeBack(roaming)
    } catch {
      // It has failed as a whole, and says so.
    } finally {
      this.onReturned()
    }
  }

  expect(expected: Expected): void {
    this.expected = expected
    this.received = 0
    this.latenciesUs = []
  }

  /** Resolves when all that is expected is there. */
  async awaitAll(): Promise<Received> {
    if (this.failed !== undefined) throw this.failed
    const timer = setTimeout(
      () => this.onFailed(new Error(`received ${this.received} messages of ${this.expected.messages}`)),
      ALL_WITHIN_MS,
    )
    try {
      await new Promise<void>((resolve, reject) => {
        this.onAll = resolve
        this.onFailed = reject
        if (this.received >= this.expected.messages) resolve()
      })
    } finally {
      clearTimeout(timer)
    }
    return { lastUs: this.lastUs, latenciesMs: this.latenciesUs.map((us) => us / 1_000) }
  }

  async close(): Promise<void> {
    if (this.failed !== undefined) throw this.failed
    this.roaming = undefined
    await Promise.all(this.clients.splice(0).map((client) => client.end()))
  }

  private openOne({ port, dialect, query }: Omit<Opening, 'count' | 'atOnce'>, user: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let isReady = false
      const client = new Client(
        {
          port,
          dialect,
          query: `user=${user}${query}`,
          onReady: () => {
            isReady = true
            resolve()
          },
          onMessage: (data, _start, end) => this.onMessage(data, end),
          onLost: (why) => {
            if (isReady && this.roaming !== undefined) {
              this.away.push(user)
              this.comeBack(this.roaming)
              return
            }
            const error = new Error(`client ${user} lost its connection: ${why}`)
            reject(error)
            this.failed = error
            this.onFailed(error)
          },
        },
        this.buffer,
      )
      this.clients.push(client)
    })
  }

  private onMessage(data: Buffer, end: number): void {
    if (this.expected.latencies) this.keepLatency(data, end)
    if (++this.received < this.expected.messages) return
    this.lastUs = monotonicUs()
    this.onAll()
  }

  private keepLatency(data: Buffer, end: number): void {
    const sentAt = SENT_AT.exec(data.toString('latin1', Math.max(0, end - SENT_AT_WITHIN_BYTES), end))?.[1]
    if (sentAt === undefined) throw new Error('a message does not say when it was sent')
    this.latenciesUs.push(monotonicUs() - Number(sentAt))
  }
}

/** For what should take a second. */
const ALL_WITHIN_MS = 30_000

const program = new LoadProgram()
answer({
  open: (opening: Opening) => program.open(opening),
  roam: (roaming: Roaming) => program.roam(roaming),
  roamed: (count: number) => program.roamed(count),
  expect: (expected: Expected) => program.expect(expected),
  awaitAll: () => program.awaitAll(),
  close: () => program.close(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
})
