/**
 * The open sockets of a gateway: looked at once a second, drained one after the other, the slowest shed when memory runs out.
 */
import type { Clock, Logger, Random, TimerHandle } from '@pidmesh/runtime'
import { CLOSE, type CloseCause } from './close-codes.ts'
import type { Connection } from './connection.ts'
import { drainPlan, restartReason } from './drain-plan.ts'
import { Histogram, type HistogramSnapshot } from './histogram.ts'
import { nextLoad, type HeapShares, type Load } from './load.ts'

const BEAT_MS = 1_000
/** Of those that are shed in one beat: it is looked again a second later. */
const MAX_SHED = 64
const BUFFERED_BYTES = [0, 1_024, 16_384, 65_536, 262_144, 1_048_576]
const PENDING_MESSAGES = [0, 1, 4, 16, 64, 256]

export interface SocketsOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly random: Random
  readonly heapShares: HeapShares
  readonly heapShare: () => number
}

export class Sockets {
  /** What the heap allows. */
  load: Load = 'ok'
  private readonly options: SocketsOptions
  private readonly connections = new Set<Connection>()
  private timer: TimerHandle | undefined = undefined
  private onLast: () => void = () => undefined

  constructor(options: SocketsOptions) {
    this.options = options
  }

  get size(): number {
    return this.connections.size
  }

  add(connection: Connection): void {
    this.connections.add(connection)
  }

  delete(connection: Connection): void {
    this.connections.delete(connection)
    if (this.connections.size === 0) this.onLast()
  }

  start(): void {
    this.timer = this.options.clock.setTimer(BEAT_MS, () => {
      this.start()
      this.beat()
    })
  }

  stop(): void {
    this.timer?.cancel()
  }

  closeAll(cause: CloseCause): void {
    for (const connection of this.connections) connection.close(cause)
  }

  /** Resolves when the last socket is closed, or after a time: those that don't answer the close are cut off then. */
  async allClosed(withinMs: number): Promise<void> {
    if (this.connections.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.options.clock.setTimer(withinMs, resolve)
      this.onLast = () => {
        timer.cancel()
        resolve()
      }
    })
    for (const connection of this.connections) connection.cutOff()
  }

  /** Closes all, evenly over a time, each with a hint when to come back. */
  async drain(overMs: number): Promise<void> {
    const { clock, random } = this.options
    const plan = drainPlan(this.connections.size, { overMs, fraction: () => random.fraction() })
    const connections = [...this.connections]
    const startMs = clock.monotonicMs()
    for (const [index, { atMs, retryAfterMs }] of plan.entries()) {
      const leftMs = startMs + atMs - clock.monotonicMs()
      if (leftMs > 0) await new Promise<void>((resolve) => void clock.setTimer(leftMs, resolve))
      connections[index]?.close({ code: CLOSE.restart.code, reason: restartReason(retryAfterMs) })
    }
  }

  /** Of all sockets, now. */
  distributions(): { readonly bufferedBytes: HistogramSnapshot; readonly pendingMessages: HistogramSnapshot } {
    const [buffered, pending] = [new Histogram(BUFFERED_BYTES), new Histogram(PENDING_MESSAGES)]
    for (const { bufferedBytes, pendingMessages } of this.connections) {
      buffered.observe(bufferedBytes)
      pending.observe(pendingMessages)
    }
    return { bufferedBytes: buffered.snapshot(), pendingMessages: pending.snapshot() }
  }

  private beat(): void {
    const { clock, heapShare, heapShares } = this.options
    const [nowMs, wallMs] = [clock.monotonicMs(), clock.wallMs()]
    for (const connection of this.connections) connection.beat(nowMs, wallMs)
    const load = nextLoad(this.load, heapShare(), heapShares)
    if (load !== this.load) this.options.log.warn({ load, before: this.load }, 'what the heap allows has changed')
    this.load = load
    if (load === 'shed') this.shed()
  }

  /** Those for which most waits give most back. */
  private shed(): void {
    const slow = [...this.connections].filter(({ bufferedBytes }) => bufferedBytes > 0)
    slow.sort((a, b) => b.bufferedBytes - a.bufferedBytes)
    for (const connection of slow.slice(0, MAX_SHED)) connection.shed(CLOSE.tryLater)
  }
}
