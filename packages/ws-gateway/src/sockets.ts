/**
 * The open sockets of a gateway: looked at once a second, drained one after the other, the slowest shed when memory runs out.
 */
import { shown, type Clock, type Logger, type Random, type TimerHandle } from '@pidmesh/runtime'
import { CLOSE, type CloseCause } from './close-codes.ts'
import type { Connection } from './connection.ts'
import type { SocketDistributions } from './counters.ts'
import { drainPlan } from './drain-plan.ts'
import { BOUNDS, Histogram } from './histogram.ts'
import { heapShare as heapShareOfV8, nextLoad, type Load, type LoadThresholds } from './load.ts'
import { retryAfterMs, withRetryHint, type RetryHint } from './retry-hint.ts'

const BEAT_MS = 1_000
/** A beat that comes so much later than it should says that we were stalled ourselves. */
const LATE_MS = 250
/** After that: time for what stands in the sockets. */
const LATE_BEAT_MS = 1
/** Of those that are shed in one beat: it is looked again a second later. */
const MAX_SHED = 64
/** Of those that are closed in one tick of a drain. */
const MAX_DRAINED = 1_000
/** The other nodes are there already: it is enough that not all come at once. */
const COME_BACK: RetryHint = { leastMs: 0, jitterMs: 1_000 }
/** The least of so many readings counts: garbage that only waits to be collected is no load. */
const READINGS = 5

export interface SocketsOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly random: Random
  readonly heapThresholds: LoadThresholds
  readonly heapShare: () => number
}

export class Sockets {
  /** What the heap allows. */
  load: Load = 'ok'
  private readonly options: SocketsOptions
  private readonly connections = new Set<Connection>()
  private timer: TimerHandle | undefined = undefined
  private lateTimer: TimerHandle | undefined = undefined
  private onLast: () => void = () => undefined
  private readonly readings: number[] = []
  /** `heapShare` has failed, and that is in the log. */
  private isBlind = false

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
    const { clock } = this.options
    const dueMs = clock.monotonicMs() + BEAT_MS
    this.timer = clock.setTimer(BEAT_MS, () => {
      this.start()
      // What clients have said meanwhile, an answer to a ping say, stands unread: nobody is judged before it is read.
      if (clock.monotonicMs() - dueMs > LATE_MS) this.beatSoon()
      else this.beat()
    })
  }

  stop(): void {
    this.timer?.cancel()
    this.lateTimer?.cancel()
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
    const connections = [...this.connections]
    const startMs = clock.monotonicMs()
    let closed = 0
    for (const { atMs, sockets } of drainPlan({ sockets: connections.length, overMs, maxPerTick: MAX_DRAINED })) {
      const leftMs = startMs + atMs - clock.monotonicMs()
      if (leftMs > 0) await new Promise<void>((resolve) => void clock.setTimer(leftMs, resolve))
      for (const connection of connections.slice(closed, closed + sockets))
        connection.close(withRetryHint(CLOSE.restart, retryAfterMs(COME_BACK, random.fraction())))
      closed += sockets
    }
  }

  /** Of all sockets, now. */
  distributions(): SocketDistributions {
    const [buffered, pending] = [new Histogram(BOUNDS.bufferedBytes), new Histogram(BOUNDS.mailboxMessages)]
    for (const { bufferedBytes, pendingMessages } of this.connections) {
      buffered.observe(bufferedBytes)
      pending.observe(pendingMessages)
    }
    return { bufferedBytes: buffered.stats, mailboxMessages: pending.stats }
  }

  /** And then in any case: who is late again and again has to find out all the same who is gone. */
  private beatSoon(): void {
    this.lateTimer?.cancel()
    this.lateTimer = this.options.clock.setTimer(LATE_BEAT_MS, () => this.beat())
  }

  private beat(): void {
    const { clock, heapThresholds, log } = this.options
    // Whole milliseconds: see `Connection`.
    const [nowMs, wallMs] = [Math.floor(clock.monotonicMs()), clock.wallMs()]
    for (const connection of this.connections) connection.beat(nowMs, wallMs)
    this.readings.push(this.heapShare())
    if (this.readings.length > READINGS) this.readings.shift()
    const load = nextLoad(this.load, Math.min(...this.readings), heapThresholds)
    if (load !== this.load) log.warn({ load, before: this.load }, 'what the heap allows has changed')
    this.load = load
    if (load === 'shed') this.shed()
  }

  /** The user's reading may fail, as a file may be away: the node must not end of it, nor go without. */
  private heapShare(): number {
    try {
      const share = this.options.heapShare()
      if (!Number.isFinite(share)) throw new TypeError(`it gave ${shown(share)}`)
      this.isBlind = false
      return share
    } catch (error) {
      if (!this.isBlind)
        this.options.log.error({ problem: shown(error) }, "heapShare failed: V8's own figures are taken in its place")
      this.isBlind = true
      return heapShareOfV8()
    }
  }

  /** Those for which most waits give most back. */
  private shed(): void {
    const slow = [...this.connections].filter(({ bufferedBytes }) => bufferedBytes > 0)
    slow.sort((a, b) => b.bufferedBytes - a.bufferedBytes)
    for (const connection of slow.slice(0, MAX_SHED)) connection.shed(CLOSE.tryLater)
  }
}
