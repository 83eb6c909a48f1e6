/**
 * A link of the memory network: two ends, and a pipe for each direction.
 *
 *   MemoryLink a ── send ─▶ Pipe a→b ─ latency, rate, cut, stall ─▶ MemoryLink b ── onFrame
 *
 * Invariants: what a pipe passes on it passes on in order, each parcel once; a parcel that waits holds up all behind it, as in a TCP stream; a link that is
 * over has no more events.
 */
import type { Clock, Link, LinkEnd, LinkEvents, TimerHandle } from '../ports.ts'

/** What a pipe asks of the network. */
export interface PipeConditions {
  readonly clock: Clock
  /** Milliseconds that a parcel takes at least. */
  latencyMs(pipe: Pipe): number
  /** Bytes that the other side reads in a second. */
  bytesPerSecond(pipe: Pipe): number
  isCut(from: string, to: string): boolean
  /** The host doesn't get round to reading. */
  isStalled(host: string): boolean
}

interface Parcel {
  readonly bytes: number
  readonly arrive: () => void
  /** Not before this; later if the pipe says so. */
  sentMs: number
  /** The host's own kernel says so: no cut keeps it from the host. */
  readonly isLocal: boolean
}

/** Parcels that are passed on before anybody else gets a turn. */
const PASSED_AT_ONCE = 16
/** Sums of fractions of milliseconds may differ by so much. */
const ROUNDING_MS = 1e-6

export class Pipe {
  readonly from: string
  readonly to: string
  /** Drawn when the link was made. */
  readonly drawnLatencyMs: number
  private readonly conditions: PipeConditions
  private queue: Parcel[] = []
  private timer: TimerHandle | undefined = undefined
  /** When the last parcel had passed. */
  private passedMs = 0
  private broken = false
  private finished = false
  private readonly onDone: () => void

  /** `onDone`: nothing will come out of it any more. */
  constructor(from: string, to: string, drawnLatencyMs: number, conditions: PipeConditions, onDone: () => void) {
    this.from = from
    this.to = to
    this.drawnLatencyMs = drawnLatencyMs
    this.conditions = conditions
    this.onDone = onDone
  }

  get inFlight(): number {
    return this.queue.length
  }

  /** Parcels that would be there already if the other side got round to reading them. */
  get unread(): number {
    if (!this.conditions.isStalled(this.to) || this.conditions.isCut(this.from, this.to)) return 0
    return this.queue.filter(({ sentMs }) => sentMs + this.conditions.latencyMs(this) <= this.nowMs).length
  }

  /** What is put into a broken pipe goes nowhere, and nobody is told. */
  put(bytes: number, arrive: () => void): void {
    if (this.broken) return
    this.queue.push({ bytes, arrive, sentMs: this.nowMs, isLocal: false })
    if (this.queue.length === 1) this.schedule()
  }

  /** Nothing more will be put in. */
  finish(): void {
    this.finished = true
    if (this.queue.length === 0) this.onDone()
  }

  /** The conditions have changed. A parcel that a cut has held is sent once more. */
  onChange(wasCut: boolean): void {
    const [head] = this.queue
    if (head === undefined) return
    if (wasCut) head.sentMs = Math.max(head.sentMs, this.nowMs)
    this.schedule()
  }

  /** The first `arriving` parcels still arrive; then, if the other side is to be told, after `tellMs` the end. */
  break(arriving: number, tellMs: number, end: () => void): void {
    if (this.broken) return
    this.broken = true
    this.queue.length = Math.min(
      this.queue.length,
      this.conditions.isCut(this.from, this.to) ? 0 : Math.max(0, Math.floor(arriving)),
    )
    if (tellMs < Infinity) {
      const sentMs = this.nowMs + tellMs - this.conditions.latencyMs(this)
      this.queue.push({ bytes: 0, arrive: end, sentMs, isLocal: true })
    }
    this.schedule()
    if (this.queue.length === 0) this.onDone()
  }

  private schedule(): void {
    this.timer?.cancel()
    this.timer = undefined
    const [head] = this.queue
    if (head === undefined || this.isHeld(head)) return
    this.timer = this.conditions.clock.setTimer(Math.max(0, this.dueMs(head) - this.nowMs), () => this.pass())
  }

  private get nowMs(): number {
    return this.conditions.clock.monotonicMs()
  }

  private dueMs({ sentMs, bytes }: Parcel): number {
    const { conditions, passedMs } = this
    return Math.max(sentMs + conditions.latencyMs(this), passedMs + (bytes * 1_000) / conditions.bytesPerSecond(this))
  }

  private isHeld(head: Parcel): boolean {
    return (!head.isLocal && this.conditions.isCut(this.from, this.to)) || this.conditions.isStalled(this.to)
  }

  private pass(): void {
    this.timer = undefined
    for (let left = PASSED_AT_ONCE; left > 0; left--) {
      const [head] = this.queue
      if (head === undefined || this.isHeld(head) || this.dueMs(head) - this.nowMs > ROUNDING_MS) break
      this.queue.shift()
      this.passedMs = this.nowMs
      head.arrive()
    }
    this.schedule()
    if (this.queue.length === 0 && (this.finished || this.broken)) this.onDone()
  }
}

export interface MemoryLinkOptions {
  readonly remoteAddress: string
  readonly pipe: Pipe
  /** Bytes on their way that the host's kernel holds: they count as passed on. */
  readonly socketBytes: number
  /** The links of its host. */
  readonly siblings: Set<MemoryLink>
  /** Runs it when the host gets round to it. */
  readonly whenAwake: (run: () => void) => void
  readonly onSent: (frame: Uint8Array, bufferedBytes: number) => void
  /** What it has sent is about to be taken by the other side. */
  readonly onArrives: (frame: Uint8Array) => void
  readonly onOver: (end: LinkEnd) => void
}

export class MemoryLink implements Link {
  readonly remoteAddress: string
  readonly pipe: Pipe
  private readonly options: MemoryLinkOptions
  private events: LinkEvents | undefined = undefined
  private other: MemoryLink | undefined = undefined
  /** Of frames that haven't arrived. */
  private bytesOnTheirWay = 0
  private over = false
  private isTellingPassedOn = false

  constructor(options: MemoryLinkOptions) {
    this.options = options
    this.remoteAddress = options.remoteAddress
    this.pipe = options.pipe
    options.siblings.add(this)
  }

  get isOver(): boolean {
    return this.over
  }

  get bufferedBytes(): number {
    return Math.max(0, this.bytesOnTheirWay - this.options.socketBytes)
  }

  attach(events: LinkEvents): void {
    this.events = events
  }

  connect(other: MemoryLink): void {
    this.other = other
  }

  send(frame: Uint8Array): void {
    if (this.over) return
    this.bytesOnTheirWay += frame.length
    this.options.onSent(frame, this.bufferedBytes)
    this.pipe.put(frame.length, () => {
      this.bytesOnTheirWay -= frame.length
      this.tellPassedOn()
      if (this.other === undefined || this.other.over) return
      this.options.onArrives(frame)
      this.other.events?.onFrame(frame)
    })
  }

  close(): void {
    if (this.over) return
    this.pipe.put(0, () => this.other?.finish({ type: 'closed' }))
    this.leave({ type: 'closed' })
  }

  finish(end: LinkEnd): void {
    if (this.over) return
    this.leave(end)
    this.events?.onEnd(end)
  }

  private tellPassedOn(): void {
    if (this.over || this.events?.onPassedOn === undefined || this.isTellingPassedOn) return
    this.isTellingPassedOn = true
    this.options.whenAwake(() => {
      this.isTellingPassedOn = false
      if (!this.over) this.events?.onPassedOn?.()
    })
  }

  private leave(end: LinkEnd): void {
    this.over = true
    this.options.siblings.delete(this)
    this.pipe.finish()
    this.options.onOver(end)
  }
}
