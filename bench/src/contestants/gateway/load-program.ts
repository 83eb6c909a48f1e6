/**
 * The clients of a gateway, in a process of their own: see load.ts.
 */
import { answer } from './child.ts'
import { Client, ReadBuffer } from './client.ts'
import type { Expected, Opening, Received } from './load.ts'
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
    await Promise.all(this.clients.splice(0).map((client) => client.end()))
  }

  private openOne({ port, dialect, query }: Omit<Opening, 'count' | 'atOnce'>, user: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const client = new Client(
        {
          port,
          dialect,
          query: `user=${user}${query}`,
          onReady: resolve,
          onMessage: (data, _start, end) => this.onMessage(data, end),
          onLost: (why) => {
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
  expect: (expected: Expected) => program.expect(expected),
  awaitAll: () => program.awaitAll(),
  close: () => program.close(),
  cpuMs: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
})
