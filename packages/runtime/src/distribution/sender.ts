/**
 * What one connected node is sent: signals go in, frames go out, and who sends too much is told so.
 *
 *   signal ─▶ outbox ─ end of turn, or a full frame ─▶ connection, as long as its window has room; a little, when nothing is under way
 *   busy ─▶ drained() ─ down to `resumeBytes` ─▶ those who wait go on, some at a time
 *
 * What waits stays in the outbox and not in the transport: ticks and other control messages go past it.
 *
 * Invariants: the signals of a process leave in the order in which they were given. What is buffered is counted in bytes: above `busyBytes` senders are told `busy`,
 * above `limitBytes` nothing more is taken, and the next `flush` says so.
 *
 * Not here: whether the node is there at all, and what is told to it besides signals (peer).
 */
import type { Counters } from '../observe/counters.ts'
import type { SendStatus, SentStatus, Signal } from '../signals/signal.ts'
import type { FrameCodec } from '../wire/codec.ts'
import type { Connection } from './connection.ts'
import { Outbox } from './outbox.ts'

export interface SenderLimits {
  /** Buffered bytes above which `send` says `busy`. @default 1 MiB */
  readonly busyBytes: number
  /** Buffered bytes down to which it must come before those who wait go on. @default 512 KiB */
  readonly resumeBytes: number
  /** Buffered bytes above which the connection ends. @default 16 MiB */
  readonly limitBytes: number
  /** Bytes that the transport is given before it has passed any on: what a tick has to wait for at most. @default 256 KiB */
  readonly windowBytes: number
}

export interface SenderOptions {
  readonly connection: Connection
  readonly codec: FrameCodec
  readonly counters: Counters
  readonly limits: SenderLimits
  /** Something is in the outbox: a turn must come that flushes it. */
  readonly wantFlush: () => void
  /** A frame is about to be written, or several at once. */
  readonly onWrite: () => void
}

/** A process's own `message`; a `notice` of the runtime, which is in a hurry too; or one that goes with what is sent next, or with the next look. */
export type Haste = 'message' | 'notice' | 'whenever'

/** Less than this waits for what is under way. */
const LITTLE_BYTES = 4 * 1024
/** What one who has waited is expected to send next, at least. */
const EXPECTED_BYTES = 64 * 1024

/** A process that waits until the connection is no longer busy. */
interface Waiting {
  /** Of what it has just sent: what it may be expected to send next. */
  readonly bytes: number
  readonly resolve: (status: SentStatus) => void
}

export class Sender {
  private readonly options: SenderOptions
  private readonly outbox: Outbox
  private wantsFlush = false
  private lastSignalBytes = 0
  private waiting: Waiting[] = []
  /** Bytes that those who were let go are expected to send before the end of the turn. */
  private expectedBytes = 0
  /** More is buffered than may be: takes nothing more. */
  private isFull = false

  constructor(options: SenderOptions) {
    this.options = options
    this.outbox = new Outbox(options.codec)
  }

  /** Bytes that wait to be sent, or have not been passed on. */
  get bufferedBytes(): number {
    return this.options.connection.bufferedBytes + this.outbox.bytes
  }

  get isHalfFull(): boolean {
    return this.bufferedBytes > this.options.limits.limitBytes / 2
  }

  add(signal: Signal, haste: Haste): SendStatus {
    return this.isFull ? 'noconnection' : this.onAdded(this.outbox.add(signal), haste)
  }

  /** As `add`, of a message from there that another writer has written. */
  addData(from: number, data: Uint8Array): SendStatus {
    return this.isFull ? 'noconnection' : this.onAdded(this.outbox.addData(from, data), 'message')
  }

  private onAdded(bytes: number, haste: Haste): SendStatus {
    this.lastSignalBytes = bytes
    this.options.counters.signalsSent++
    // Also after a frame that is written at once: the end of the turn is where the limit is judged.
    if (!this.wantsFlush && haste !== 'whenever') {
      this.wantsFlush = true
      this.options.wantFlush()
    }
    if (this.outbox.isFrameFull) this.write()
    const { bufferedBytes } = this
    if (bufferedBytes <= this.options.limits.busyBytes) return 'ok'
    // What the runtime has to tell no sender can hold back.
    const { limitBytes } = this.options.limits
    if (bufferedBytes > (haste === 'message' ? limitBytes : limitBytes * 4)) this.isFull = true
    this.options.counters.busySends++
    return 'busy'
  }

  /** Resolves with `ok` when the connection is no longer busy, or with `noconnection` when it has ended. */
  drained(): Promise<SentStatus> {
    if (this.bufferedBytes <= this.options.limits.busyBytes) return Promise.resolve('ok')
    return new Promise((resolve) => this.waiting.push({ bytes: this.lastSignalBytes, resolve }))
  }

  /** The connection has passed something on. */
  passedOn(): void {
    this.write()
    this.letSomeGo()
  }

  /** The end of a turn. Says whether more is buffered than may be. */
  flush(): 'ok' | 'full' {
    this.wantsFlush = false
    this.expectedBytes = 0
    this.write()
    if (this.isFull) return 'full'
    this.letSomeGo()
    return 'ok'
  }

  /** Writes all that waits, whatever room there is: nothing comes after it. */
  writeAll(): void {
    for (let frame = this.outbox.nextFrame(); frame !== undefined; frame = this.outbox.nextFrame())
      this.options.connection.write(frame)
  }

  /** The connection has ended: tells those who wait. */
  end(): void {
    const { waiting } = this
    this.waiting = []
    for (const { resolve } of waiting) resolve('noconnection')
  }

  /**
   * Gives the connection what it has room for. A little waits for what is under way, and for what joins it meanwhile, as in Nagle's rule (RFC 896): a transport
   * that passes on a frame a lap of the event loop would fall behind whoever sends a little twice a lap (docs/adr/0099).
   */
  private write(): void {
    const { connection, limits } = this.options
    for (let isFirst = true; connection.bufferedBytes < limits.windowBytes; isFirst = false) {
      if (connection.bufferedBytes > 0 && this.outbox.bytes < LITTLE_BYTES) return
      const frame = this.outbox.nextFrame()
      if (frame === undefined) return
      // Before it is written: on a shared core the other side may run, and answer, within that.
      if (isFirst) this.options.onWrite()
      connection.write(frame)
    }
  }

  /**
   * The connection has caught up: those who have waited longest go on, as many as won't make it busy again if each sends 64 KiB, or what it has sent the last
   * time. All at once could fill it beyond its limit.
   */
  private letSomeGo(): void {
    const { busyBytes, resumeBytes } = this.options.limits
    if (this.waiting.length === 0 || this.bufferedBytes > resumeBytes) return
    let count = 0
    for (const { bytes } of this.waiting) {
      if (count > 0 && this.bufferedBytes + this.expectedBytes > busyBytes) break
      this.expectedBytes += Math.max(bytes, EXPECTED_BYTES)
      count++
    }
    for (const { resolve } of this.waiting.splice(0, count)) resolve('ok')
  }
}
